/**
 * The drawing pad: turns pointer events into ink on a canvas.
 *
 * One finger draws; two fingers scroll and zoom the page, as the stylesheet's
 * `touch-action` allows. The pad does not use the network. It fires these events
 * on its canvas:
 *   newsheet      someone draws over a picture: the listener clears the pad
 *   strokestart   the pen came down
 *   change        the ink has changed; `detail.isLive` is true while the pen
 *                 moves, false after a stroke, an undo or a new sheet
 *   strokeend     the stroke has ended or was cancelled
 */
import { CANVAS_PX, PEN_WIDTH_PX, Strokes, toCanvasPoint } from "./strokes.js";

// A second finger this soon, or while the stroke is this short, starts a scroll or
// zoom, and the stroke is dropped. A later one is a palm or a slip and is ignored.
const GESTURE_MS = 250;
const GESTURE_PX = 24;

export class Pad {
  #canvas;
  #context;
  #strokes = new Strokes();
  /** @type {{id: number, type: string, startedAt: number} | null} the pen that is down */
  #pen = null;
  /** @type {CanvasImageSource | null} shown instead of strokes */
  #picture = null;
  /** @type {{x: number, y: number, isDown: boolean} | null} the keyboard's pen */
  #cursor = null;
  #isRedrawDue = false;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#listen();
    this.#redrawWhenTheScreenChanges();
  }

  get strokes() {
    return this.#strokes;
  }

  /** The canvas's width; its height is CANVAS_PX. */
  get width() {
    return this.#strokes.width;
  }

  set width(width) {
    this.#strokes.width = width;
    this.#redrawSoon();
  }

  get hasPicture() {
    return this.#picture !== null;
  }

  /** @returns {boolean} whether the sheet is empty */
  get isBlank() {
    return this.#strokes.isBlank && !this.hasPicture;
  }

  /** @param {CanvasImageSource} picture to show on a new sheet */
  showPicture(picture) {
    this.finish();
    this.#strokes.clear();
    this.#picture = picture;
    this.#inkChanged({ isLive: false });
  }

  /**
   * Find the place on the canvas of a box in the drawing: the picture is scaled.
   *
   * @param {[number, number, number, number]} box x, y, width and height
   * @returns {[number, number, number, number]}
   */
  placeOf([x, y, width, height]) {
    if (!this.hasPicture) return [x, y, width, height];
    const { left, top, scale } = this.#pictureFrame();
    return [left + x * scale, top + y * scale, width * scale, height * scale];
  }

  /** @param {{x: number, y: number, isDown: boolean} | null} cursor to mark */
  showCursor(cursor) {
    this.#cursor = cursor;
    this.#redrawSoon();
  }

  /** @param {import("./strokes.js").Drawing} drawing to go on with */
  restore(drawing) {
    this.#strokes = Strokes.fromDrawing(drawing);
    this.#inkChanged({ isLive: false });
  }

  undo() {
    this.finish();
    if (this.#strokes.undo()) this.#inkChanged({ isLive: false });
  }

  redo() {
    this.finish();
    if (this.#strokes.redo()) this.#inkChanged({ isLive: false });
  }

  clear() {
    this.finish();
    this.#strokes.clear();
    this.#picture = null;
    this.#inkChanged({ isLive: false });
  }

  /**
   * Put a pen of any kind down.
   *
   * @param {[number, number]} place on the canvas
   * @param {number} timeMs any steady clock
   * @param {string} pointer as the browser names them, or "keyboard"
   */
  beginStroke(place, timeMs, pointer) {
    if (this.hasPicture) this.#fire("newsheet");
    this.#strokes.begin(place, timeMs, pointer);
    this.#fire("strokestart");
    this.#inkChanged({ isLive: true });
  }

  extendStroke(place, timeMs) {
    if (this.#strokes.extend(place, timeMs)) this.#inkChanged({ isLive: true });
  }

  /**
   * End the stroke being drawn, if any.
   *
   * @param {{isTakenBack?: boolean}} [options] whether to remove the stroke
   */
  finish({ isTakenBack = false } = {}) {
    if (!this.#strokes.isOpen) return;
    const pen = this.#pen;
    this.#pen = null;
    if (pen && this.#canvas.hasPointerCapture(pen.id)) {
      this.#canvas.releasePointerCapture(pen.id);
    }
    if (isTakenBack) this.#strokes.drop();
    else this.#strokes.end();
    this.#inkChanged({ isLive: false });
    this.#fire("strokeend");
  }

  #listen() {
    const canvas = this.#canvas;
    canvas.addEventListener("pointerdown", (event) => this.#penDown(event));
    canvas.addEventListener("pointermove", (event) => this.#penMoved(event));
    canvas.addEventListener("pointerup", (event) => {
      this.#penMoved(event);
      this.#penGone(event);
    });
    for (const name of ["pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(name, (event) => this.#penGone(event));
    }
    // Otherwise a long press opens a menu in the middle of a stroke.
    canvas.addEventListener("contextmenu", (event) => {
      if (this.#pen !== null) event.preventDefault();
    });
  }

  #penDown(event) {
    if (this.#pen !== null) this.#otherPointerDown(event);
    if (this.#pen !== null || !event.isPrimary || event.button !== 0) return;
    event.preventDefault();
    this.finish(); // the keyboard's stroke, if one is open
    // The stylesheet hides the focus ring then, which is for the keyboard.
    this.#canvas.toggleAttribute("data-pointed", true);
    this.#canvas.focus({ preventScroll: true });
    this.#pen = {
      id: event.pointerId,
      type: event.pointerType,
      startedAt: event.timeStamp,
    };
    this.#canvas.setPointerCapture(event.pointerId);
    this.beginStroke(this.#place(event), event.timeStamp, event.pointerType);
  }

  /** A second finger starts a scroll or zoom; a pen draws even after a palm. */
  #otherPointerDown(event) {
    if (this.#pen.type !== "touch") return;
    const isYoung = event.timeStamp - this.#pen.startedAt < GESTURE_MS;
    const isGesture = isYoung || this.#strokes.openExtent < GESTURE_PX;
    const isTakenBack =
      event.pointerType === "pen" || (event.pointerType === "touch" && isGesture);
    if (isTakenBack) this.finish({ isTakenBack });
  }

  #penMoved(event) {
    if (event.pointerId !== this.#pen?.id) return;
    // Released where the canvas gets no event: outside the window or over a dialog.
    if (event.pointerType === "mouse" && event.buttons === 0 && event.type !== "pointerup") {
      this.finish();
      return;
    }
    const coalesced = event.getCoalescedEvents?.() ?? [];
    let hasNewInk = false;
    for (const moment of [...coalesced, event]) {
      hasNewInk = this.#strokes.extend(this.#place(moment), moment.timeStamp) || hasNewInk;
    }
    if (hasNewInk) this.#inkChanged({ isLive: true });
  }

  #penGone(event) {
    if (event.pointerId === this.#pen?.id) this.finish();
  }

  #place(event) {
    const rect = this.#canvas.getBoundingClientRect();
    return toCanvasPoint(event.clientX, event.clientY, rect, this.width);
  }

  #inkChanged(detail) {
    this.#redrawSoon();
    this.#fire("change", detail);
  }

  #fire(name, detail = {}) {
    this.#canvas.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #redrawWhenTheScreenChanges() {
    new ResizeObserver(() => this.#redraw()).observe(this.#canvas);
    for (const feature of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
      matchMedia(feature).addEventListener("change", () => this.#redrawSoon());
    }
    this.#watchPixelRatio();
  }

  /** Redraw when the window moves to a screen with another pixel ratio. */
  #watchPixelRatio() {
    matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener(
      "change",
      () => {
        this.#redrawSoon();
        this.#watchPixelRatio();
      },
      { once: true },
    );
  }

  #redrawSoon() {
    if (this.#isRedrawDue) return;
    this.#isRedrawDue = true;
    requestAnimationFrame(() => this.#redraw());
  }

  #redraw() {
    this.#isRedrawDue = false;
    const canvas = this.#canvas;
    const context = this.#context;
    const width = Math.round(canvas.clientWidth * devicePixelRatio);
    const height = Math.round(canvas.clientHeight * devicePixelRatio);
    if (canvas.width !== width || canvas.height !== height) {
      [canvas.width, canvas.height] = [width, height];
    }

    context.setTransform(width / this.width, 0, 0, height / CANVAS_PX, 0, 0);
    context.clearRect(0, 0, this.width, CANVAS_PX);
    // The stylesheet sets the pen's colour, for light, dark and forced colours.
    const ink = getComputedStyle(canvas).color;
    if (this.#picture) this.#drawPicture();
    context.strokeStyle = ink;
    context.fillStyle = ink;
    context.lineWidth = PEN_WIDTH_PX;
    context.lineCap = "round";
    context.lineJoin = "round";
    for (const stroke of this.#strokes.all) drawStroke(context, stroke);
    if (this.#cursor && !this.hasPicture) {
      context.strokeStyle = getComputedStyle(canvas).outlineColor;
      drawCursor(context, this.#cursor);
    }
  }

  #drawPicture() {
    const { left, top, scale } = this.#pictureFrame();
    const { width, height } = this.#picture;
    this.#context.drawImage(this.#picture, left, top, width * scale, height * scale);
  }

  /** The picture is shown whole and centred. */
  #pictureFrame() {
    const { width, height } = this.#picture;
    const scale = Math.min(this.width / width, CANVAS_PX / height);
    return {
      left: (this.width - width * scale) / 2,
      top: (CANVAS_PX - height * scale) / 2,
      scale,
    };
  }
}

/** Draw cross hairs and a ring as wide as the pen; the ring is bold while it is down. */
function drawCursor(context, { x, y, isDown }) {
  context.lineWidth = isDown ? 5 : 2;
  context.beginPath();
  context.arc(x, y, PEN_WIDTH_PX / 2 + 3, 0, 2 * Math.PI);
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    context.moveTo(x + 12 * dx, y + 12 * dy);
    context.lineTo(x + 20 * dx, y + 20 * dy);
  }
  context.stroke();
}

/** Draw curves through the midpoints between points, to smooth the sampling's corners. */
function drawStroke(context, stroke) {
  const [x0, y0] = stroke[0];
  context.beginPath();
  if (stroke.length === 1) {
    context.arc(x0, y0, PEN_WIDTH_PX / 2, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  context.moveTo(x0, y0);
  for (let i = 1; i < stroke.length - 1; i += 1) {
    const [x, y] = stroke[i];
    const [nextX, nextY] = stroke[i + 1];
    context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  }
  const [lastX, lastY] = stroke.at(-1);
  context.lineTo(lastX, lastY);
  context.stroke();
}
