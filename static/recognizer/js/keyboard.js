/**
 * A pen for drawing with the keyboard: arrow keys move it, Space puts it down and
 * lifts it.
 *
 * The pen moves along the sheet's grid, by one square or with Shift by a quarter.
 * Ink goes through the midpoints between its positions, so that alternate steps
 * right and down make a slope, not stairs. Home, End and the page keys move
 * diagonally, as on a number pad.
 */
import { CANVAS_PX } from "./strokes.js";

const STEP_PX = CANVAS_PX / 14; // one square of the sheet
const FINE_STEP_PX = STEP_PX / 4;

const DIRECTIONS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
  Home: [-1, -1],
  PageUp: [1, -1],
  End: [-1, 1],
  PageDown: [1, 1],
};

export class KeyboardPen {
  #pad;
  #now;
  #x = CANVAS_PX / 2;
  #y = STEP_PX * 3;
  #isDown = false;

  /**
   * @param {{width: number, beginStroke: Function, extendStroke: Function,
   *   finish: Function, showCursor: Function}} pad
   * @param {() => number} [now] a steady clock in ms
   */
  constructor(pad, now = () => performance.now()) {
    this.#pad = pad;
    this.#now = now;
  }

  get isDown() {
    return this.#isDown;
  }

  /** @returns {{column: number, row: number}} in squares from the upper left */
  get place() {
    return { column: this.#x / STEP_PX, row: this.#y / STEP_PX };
  }

  /**
   * @param {{key: string, shiftKey: boolean}} event
   * @returns {boolean} whether the key was the pen's
   */
  press({ key, shiftKey }) {
    if (key === " ") this.#toggle();
    else if (key in DIRECTIONS) this.#move(DIRECTIONS[key], shiftKey);
    else return false;
    this.show();
    return true;
  }

  show() {
    this.#pad.showCursor({ x: this.#x, y: this.#y, isDown: this.#isDown });
  }

  /** Lift and hide the pen, because the keyboard is used elsewhere. */
  leave() {
    this.lift();
    this.#pad.showCursor(null);
  }

  lift() {
    if (!this.#isDown) return;
    this.#isDown = false;
    this.#pad.extendStroke([this.#x, this.#y], this.#now());
    this.#pad.finish();
  }

  /** Something else ended the stroke: an undo, a new sheet or another pen. */
  ended() {
    this.#isDown = false;
  }

  #toggle() {
    if (this.#isDown) {
      this.lift();
      return;
    }
    this.#isDown = true;
    this.#pad.beginStroke([this.#x, this.#y], this.#now(), "keyboard");
  }

  #move([dx, dy], isFine) {
    const step = isFine ? FINE_STEP_PX : STEP_PX;
    const x = within(this.#x + dx * step, this.#pad.width);
    const y = within(this.#y + dy * step, CANVAS_PX);
    if (this.#isDown) {
      this.#pad.extendStroke([(this.#x + x) / 2, (this.#y + y) / 2], this.#now());
    }
    [this.#x, this.#y] = [x, y];
  }
}

function within(position, length) {
  return Math.min(Math.max(position, 0), length);
}
