/**
 * The surface one draws on: pointer events in, ink on a canvas out.
 *
 * It knows nothing of the network. On its canvas it fires
 *   strokestart   the pen came down
 *   change        there is more, less or other ink; `detail.isLive` tells a pen
 *                 still moving from a finished stroke, an undo or a new sheet
 *   strokeend     the pen was lifted, or taken away
 */
import { CANVAS_PX, PEN_WIDTH_PX, Strokes, toCanvasPoint } from "./strokes.js";

export class Pad {
  #canvas;
  #context;
  #strokes = new Strokes();
  /** @type {number | null} the one pointer that draws now */
  #pointerId = null;
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
    this.#inkChanged({ isLive: false });
  }

  /** End the stroke being drawn, if any, where it is. */
  finish() {
    if (this.#pointerId === null) return;
    const pointerId = this.#pointerId;
    this.#pointerId = null;
    if (this.#canvas.hasPointerCapture(pointerId)) {
      this.#canvas.releasePointerCapture(pointerId);
    }
    this.#strokes.end();
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
    // A long press of a finger would open a menu in the middle of a stroke.
    canvas.addEventListener("contextmenu", (event) => {
      if (this.#pointerId !== null) event.preventDefault();
    });
  }

  #penDown(event) {
    const isSecondPointer = this.#pointerId !== null || !event.isPrimary;
    if (isSecondPointer || event.button !== 0) return;
    event.preventDefault();
    this.#pointerId = event.pointerId;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#strokes.begin(this.#place(event), event.timeStamp, event.pointerType);
    this.#fire("strokestart");
    this.#inkChanged({ isLive: true });
  }

  #penMoved(event) {
    if (event.pointerId !== this.#pointerId) return;
    const coalesced = event.getCoalescedEvents?.() ?? [];
    let hasNewInk = false;
    for (const moment of [...coalesced, event]) {
      hasNewInk = this.#strokes.extend(this.#place(moment), moment.timeStamp) || hasNewInk;
    }
    if (hasNewInk) this.#inkChanged({ isLive: true });
  }

  #penGone(event) {
    if (event.pointerId === this.#pointerId) this.finish();
  }

  #place(event) {
    const rect = this.#canvas.getBoundingClientRect();
    return toCanvasPoint(event.clientX, event.clientY, rect);
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

  /** A window moved to another screen keeps its size but not its pixels. */
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
    const size = Math.round(canvas.clientWidth * devicePixelRatio);
    if (canvas.width !== size) canvas.width = canvas.height = size;

    const scale = size / CANVAS_PX;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, CANVAS_PX, CANVAS_PX);
    // The stylesheet owns the pen's colour, for light, dark and forced colours.
    const ink = getComputedStyle(canvas).color;
    context.strokeStyle = ink;
    context.fillStyle = ink;
    context.lineWidth = PEN_WIDTH_PX;
    context.lineCap = "round";
    context.lineJoin = "round";
    for (const stroke of this.#strokes.all) drawStroke(context, stroke);
  }
}

/** Draw through the midpoints between points: corners of the hand, not of sampling. */
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
