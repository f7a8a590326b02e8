/**
 * Shows a chosen picture on the sheet, with a frame around the part to be read. The
 * frame is pulled at its sides and corners, moved, or drawn anew, by pointer or keys.
 *
 * Fires "crop" on its root after each change; `detail.isByKey` tells whether a key did
 * it. It does not use the network.
 */
import { drawn, frameAround, gripAt, isSame, nudged, pixelsIn, pulled, turned } from "./crop.js";
import { dataUrlOfPainted, paint, turnedSize } from "./picture.js";
import { CANVAS_PX, toCanvasPoint } from "./strokes.js";

const REACH_PX = { mouse: 10, pen: 16, touch: 24 }; // on the screen
const GRIP_PX = 18;
const GRIP_INSET_PX = 2; // the sheet cuts off what lies outside it

export class CropView {
  #root;
  #canvas;
  #overlay;
  /** @type {import("./picture.js").Opened | null} */
  #opened = null;
  #turns = 0;
  /** @type {import("./crop.js").Frame} around the whole picture */
  #bounds;
  /** @type {import("./crop.js").Frame} around the part to be read */
  #frame;
  /** @type {{id: number, from: [number, number], frame: object, grip: object} | null} */
  #drag = null;

  /** @param {HTMLElement} root with a canvas for the picture and an svg for the frame */
  constructor(root) {
    this.#root = root;
    this.#canvas = root.querySelector("canvas");
    this.#overlay = root.querySelector("svg");
    const listeners = {
      pointerdown: (event) => this.#dragBegan(event),
      pointermove: (event) => this.#pointerMoved(event),
      pointerup: () => (this.#drag = null),
      pointercancel: () => this.#dragCancelled(),
      keydown: (event) => this.#keyPressed(event),
      blur: () => this.#overlay.removeAttribute("data-pointed"),
    };
    for (const [name, listener] of Object.entries(listeners)) {
      this.#overlay.addEventListener(name, listener);
    }
  }

  get isOpen() {
    return this.#opened !== null;
  }

  /** @param {import("./picture.js").Opened} opened to be cropped, at first not at all */
  open(opened) {
    this.close();
    this.#opened = opened;
    this.#turns = 0;
    this.#bounds = frameAround(opened.picture);
    this.#root.hidden = false;
    this.#showPicture();
    this.#show(this.#bounds);
    this.#overlay.focus({ preventScroll: true });
  }

  close() {
    this.#opened?.picture.close();
    this.#opened = null;
    this.#drag = null;
    this.#root.hidden = true;
  }

  /** Turn the picture and its frame by 90 degrees clockwise. */
  turn() {
    this.#drag = null;
    this.#turns = (this.#turns + 1) % 4;
    this.#bounds = turned(this.#bounds);
    this.#showPicture();
    this.#show(turned(this.#frame));
    this.#fire({ isByKey: false });
  }

  /**
   * @returns {{image: string | null, picture: HTMLCanvasElement}} the framed part: a data
   *   URL for the API, null if this browser gives none of it, and the picture to show
   */
  result() {
    const picture = document.createElement("canvas");
    paint(picture, this.#opened, this.#turns, pixelsIn(this.#frame, this.#size));
    const isUntouched = this.#turns === 0 && isSame(this.#frame, this.#bounds);
    const original = isUntouched ? this.#opened.original : null;
    const painted = this.#opened.isPaintable ? dataUrlOfPainted : () => null;
    return { image: original ?? painted(picture), picture };
  }

  /** @returns {Record<string, number>} where the frame's sides are, as shares of the picture */
  get sides() {
    const { x, y, width, height } = pixelsIn(this.#frame, this.#size);
    return {
      left: x / this.#size.width,
      top: y / this.#size.height,
      right: (x + width) / this.#size.width,
      bottom: (y + height) / this.#size.height,
    };
  }

  get #size() {
    return turnedSize(this.#opened.picture, this.#turns);
  }

  #dragBegan(event) {
    if (!event.isPrimary || event.button !== 0) return;
    // The stylesheet hides the focus ring then, which is for the keyboard.
    this.#overlay.toggleAttribute("data-pointed", true);
    this.#overlay.setPointerCapture(event.pointerId);
    const [from, grip] = [this.#place(event), this.#gripAt(event)];
    this.#drag = { id: event.pointerId, from, frame: this.#frame, grip };
  }

  #pointerMoved(event) {
    if (this.#drag === null) {
      const grip = this.#gripAt(event);
      this.#overlay.dataset.grip = grip === null ? "" : `${grip.x} ${grip.y}`;
    } else if (event.pointerId === this.#drag.id) {
      const { from, frame, grip } = this.#drag;
      const to = this.#place(event);
      const way = [to[0] - from[0], to[1] - from[1]];
      const next = grip ? pulled(frame, grip, way, this.#bounds) : drawn(from, to, this.#bounds);
      this.#change(next ?? frame);
    }
  }

  /** A second finger zooms the page instead. */
  #dragCancelled() {
    if (this.#drag !== null) this.#change(this.#drag.frame);
    this.#drag = null;
  }

  #keyPressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const next = nudged(this.#frame, event, this.#bounds);
    if (next === null) return;
    event.preventDefault();
    this.#overlay.removeAttribute("data-pointed");
    this.#change(next, { isByKey: true });
  }

  /** Null where a drag draws a new frame: outside, and in one that cannot be moved. */
  #gripAt(event) {
    const { width } = this.#overlay.getBoundingClientRect();
    const reachPx = REACH_PX[event.pointerType] ?? REACH_PX.touch;
    const reach = (reachPx * CANVAS_PX) / width;
    const grip = gripAt(this.#frame, this.#place(event), reach);
    const isMiddle = grip?.x === "middle" && grip.y === "middle";
    return isMiddle && isSame(this.#frame, this.#bounds) ? null : grip;
  }

  #place({ clientX, clientY }) {
    return toCanvasPoint(clientX, clientY, this.#overlay.getBoundingClientRect());
  }

  #change(frame, { isByKey = false } = {}) {
    if (isSame(frame, this.#frame)) return;
    this.#show(frame);
    this.#fire({ isByKey });
  }

  #fire(detail) {
    this.#root.dispatchEvent(new CustomEvent("crop", { detail }));
  }

  #showPicture() {
    paint(this.#canvas, this.#opened, this.#turns, { x: 0, y: 0, ...this.#size });
  }

  #show(frame) {
    this.#frame = frame;
    const paths = {
      ".crop-shade": outline(this.#bounds) + outline(frame),
      ".crop-line": outline(frame),
      ".crop-grips": grips(frame),
    };
    for (const [selector, path] of Object.entries(paths)) {
      this.#overlay.querySelector(selector).setAttribute("d", path);
    }
  }
}

function outline({ x, y }) {
  return `M${x[0]} ${y[0]}H${x[1]}V${y[1]}H${x[0]}Z`;
}

/** A bracket in each corner and a bar at each side, just inside the frame. */
function grips({ x, y }) {
  const length = Math.min(GRIP_PX, (x[1] - x[0]) / 4, (y[1] - y[0]) / 4);
  const [left, right] = [x[0] + GRIP_INSET_PX, x[1] - GRIP_INSET_PX];
  const [top, bottom] = [y[0] + GRIP_INSET_PX, y[1] - GRIP_INSET_PX];
  const barX = (x[0] + x[1] - length) / 2;
  const barY = (y[0] + y[1] - length) / 2;
  const bars = [
    ...[top, bottom].map((at) => `M${barX} ${at}h${length}`),
    ...[left, right].map((at) => `M${at} ${barY}v${length}`),
  ];
  const brackets = [[left, length], [right, -length]].flatMap(([cornerX, inwards]) =>
    [[top, length], [bottom, -length]].map(
      ([cornerY, down]) => `M${cornerX + inwards} ${cornerY}H${cornerX}v${down}`,
    ),
  );
  return [...brackets, ...bars].join("");
}
