/**
 * The stroke data of one drawing. No DOM: `node --test` runs it.
 *
 * A drawing lives on a logical canvas of fixed height, whatever size the pad has on
 * screen, so the same hand movement gives the same numbers on every device. The canvas is
 * a square, or wider for long numbers.
 *
 * @typedef {[number, number, number]} Point x and y in canvas pixels (y down),
 *   t in whole ms since the drawing's first point
 * @typedef {Object} Drawing as the API takes it
 * @property {Point[][]} strokes
 * @property {number} width
 * @property {number} height
 * @property {number} pen_width
 * @property {string} [pointer] "mouse", "touch", "pen" or "keyboard"
 */

export const CANVAS_PX = 280; // its height, and its width if it is a square
export const PEN_WIDTH_PX = 18;

// The API's limits for one drawing.
export const MAX_STROKES = 200;
export const MAX_POINTS = 10_000;

// The kinds of pointer the API knows; a browser may name others, or none.
const POINTERS = ["mouse", "touch", "pen", "keyboard"];

// Pause assumed between a drawing's last point and its first new one after a
// reload. The true pause is unknown; only the order of times matters.
const REST_AFTER_RESTORE_MS = 1000;

/**
 * Map a place on screen to the logical canvas, clamped to it: ink beyond the edge
 * would be read but not seen.
 *
 * @param {number} clientX
 * @param {number} clientY
 * @param {{left: number, top: number, width: number, height: number}} rect
 * @param {number} [width] of the canvas
 * @returns {[number, number]} to a tenth of a pixel
 */
export function toCanvasPoint(clientX, clientY, rect, width = CANVAS_PX) {
  return [
    along(clientX - rect.left, rect.width, width),
    along(clientY - rect.top, rect.height, CANVAS_PX),
  ];
}

function along(offset, length, canvasLength) {
  const position = (offset / length) * canvasLength;
  return Math.round(Math.min(Math.max(position, 0), canvasLength) * 10) / 10;
}

export class Strokes {
  /** @type {Point[][]} */
  #strokes = [];
  /** @type {Point[][]} newest last */
  #undone = [];
  #isOpen = false;
  /** @type {number | null} the clock's time at t = 0 */
  #startedAt = null;
  /** @type {string | undefined} */
  #pointer;

  /** The canvas's width. A narrower canvas must hold all ink: see `fits`. */
  width = CANVAS_PX;

  /**
   * Restore a drawing that `toDrawing` returned.
   *
   * @param {Drawing} drawing
   * @returns {Strokes}
   */
  static fromDrawing(drawing) {
    const restored = new Strokes();
    restored.#strokes = drawing.strokes.map((stroke) => stroke.map((p) => [...p]));
    restored.#pointer = drawing.pointer;
    restored.width = drawing.width;
    return restored;
  }

  get isBlank() {
    return this.#strokes.length === 0;
  }

  get isOpen() {
    return this.#isOpen;
  }

  get canUndo() {
    return !this.isBlank;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  get canClear() {
    return this.canUndo || this.canRedo;
  }

  get pointCount() {
    return this.#strokes.reduce((sum, stroke) => sum + stroke.length, 0);
  }

  /** @returns {readonly Point[][]} for drawing on screen; do not change it */
  get all() {
    return this.#strokes;
  }

  /** @returns {boolean} whether a canvas of this width holds all ink, undone or not */
  fits(width) {
    const points = [...this.#strokes, ...this.#undone].flat();
    return points.every(([x]) => x <= width);
  }

  /**
   * Put the pen down.
   *
   * @param {[number, number]} place on the canvas
   * @param {number} timeMs any steady clock
   * @param {string} [pointer] a drawing keeps its first pointer
   */
  begin([x, y], timeMs, pointer) {
    this.end();
    if (this.isBlank) {
      this.#startedAt = timeMs;
      this.#pointer = pointer;
    } else if (this.#startedAt === null) {
      this.#startedAt = timeMs - this.#lastTime() - REST_AFTER_RESTORE_MS;
    }
    if (this.#strokes.length >= MAX_STROKES) this.#joinClosestStrokes();
    this.#strokes.push([[x, y, this.#since(timeMs)]]);
    this.#undone = [];
    this.#isOpen = true;
    this.#keepWithinBudget();
  }

  /**
   * Move the pen. A place equal to the last one adds nothing.
   *
   * @param {[number, number]} place on the canvas
   * @param {number} timeMs
   * @returns {boolean} whether ink was added
   */
  extend([x, y], timeMs) {
    if (!this.#isOpen) return false;
    const stroke = this.#strokes.at(-1);
    const [lastX, lastY] = stroke.at(-1);
    if (x === lastX && y === lastY) return false;
    stroke.push([x, y, this.#since(timeMs)]);
    this.#keepWithinBudget();
    return true;
  }

  /** Lift the pen. */
  end() {
    this.#isOpen = false;
  }

  /** Remove the open stroke; it cannot be redone. */
  drop() {
    if (!this.#isOpen) return;
    this.end();
    this.#strokes.pop();
  }

  /** @returns {number} the longer side of the open stroke's bounding box, in canvas pixels */
  get openExtent() {
    if (!this.#isOpen) return 0;
    const stroke = this.#strokes.at(-1);
    const extents = [0, 1].map((axis) => {
      const places = stroke.map((point) => point[axis]);
      return Math.max(...places) - Math.min(...places);
    });
    return Math.max(...extents);
  }

  /** @returns {boolean} whether anything changed */
  undo() {
    if (!this.canUndo) return false;
    this.end();
    this.#undone.push(this.#strokes.pop());
    return true;
  }

  /** @returns {boolean} whether anything changed */
  redo() {
    if (!this.canRedo) return false;
    this.#strokes.push(this.#undone.pop());
    this.#keepWithinBudget();
    return true;
  }

  /** Begin a new drawing on the same canvas. Undo does not bring the old one back. */
  clear() {
    this.#strokes = [];
    this.#undone = [];
    this.#isOpen = false;
    this.#startedAt = null;
    this.#pointer = undefined;
  }

  /** @returns {Drawing | null} a copy for the API, null while there is no ink */
  toDrawing() {
    if (this.isBlank) return null;
    return {
      strokes: this.#strokes.map((stroke) => stroke.map((point) => [...point])),
      width: this.width,
      height: CANVAS_PX,
      pen_width: PEN_WIDTH_PX,
      ...(POINTERS.includes(this.#pointer) && { pointer: this.#pointer }),
    };
  }

  #since(timeMs) {
    // Coalesced events may be slightly earlier than the event that contains them.
    return Math.max(this.#lastTime(), Math.round(timeMs - this.#startedAt));
  }

  #lastTime() {
    return this.#strokes.at(-1)?.at(-1)[2] ?? 0;
  }

  /** Halve the number of points until the drawing fits; its shape stays. */
  #keepWithinBudget() {
    while (this.pointCount > MAX_POINTS) this.#strokes = this.#strokes.map(halved);
  }

  /** Make room for a stroke: join the consecutive strokes with the smallest gap. */
  #joinClosestStrokes() {
    let closest = 1;
    let leastGap = Infinity;
    for (let i = 1; i < this.#strokes.length; i += 1) {
      const [endX, endY] = this.#strokes[i - 1].at(-1);
      const [startX, startY] = this.#strokes[i][0];
      const gap = Math.hypot(startX - endX, startY - endY);
      if (gap < leastGap) [closest, leastGap] = [i, gap];
    }
    const joined = this.#strokes[closest - 1].concat(this.#strokes[closest]);
    this.#strokes.splice(closest - 1, 2, joined);
  }
}

function halved(stroke) {
  const last = stroke.length - 1;
  return stroke.filter((_, i) => i % 2 === 0 || i === last);
}
