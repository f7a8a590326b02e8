/**
 * A drawing's ink over time, for replays. No DOM: `node --test` runs it.
 *
 * @typedef {[number, number] | [number, number, number]} Sent x, y (y down) and
 *   perhaps t in ms, as a drawing was sent
 * @typedef {[number, number, number]} Moment x, y, and t in ms of the replay
 */

// Longer pauses between strokes are cut to this.
export const LONGEST_PAUSE_MS = 500;
// For points without a time: a calm hand's speed, in drawing widths per second.
const CALM_SPEED = 1.6;
const CALM_PAUSE_MS = 250;
// Long enough to see a dot before the next stroke begins.
const SHORTEST_STROKE_MS = 60;

export class Replay {
  /** @type {Moment[][]} */
  #strokes;

  /**
   * @param {Sent[][]} strokes of at least one point each
   * @param {number} [size] the drawing's width, in its own pixels
   */
  constructor(strokes, size = 280) {
    this.#strokes = inOneTime(strokes, size);
  }

  /** @returns {number} ms from the first ink to the last */
  get duration() {
    return this.#strokes.at(-1).at(-1)[2];
  }

  /** @returns {number[]} when each stroke is done */
  get ends() {
    return this.#strokes.map((stroke) => stroke.at(-1)[2]);
  }

  /** @returns {number} when the first stroke after `time` is done */
  nextEnd(time) {
    return this.ends.find((end) => end > time) ?? this.duration;
  }

  /**
   * The ink drawn by a time; the last point is interpolated.
   *
   * @param {number} time in ms
   * @returns {[number, number][][]} a list for each stroke, empty before it began
   */
  inkAt(time) {
    return this.#strokes.map((stroke) => {
      const ink = stroke.filter(([, , t]) => t <= time).map(([x, y]) => [x, y]);
      const next = stroke[ink.length];
      if (ink.length > 0 && next) ink.push(between(stroke[ink.length - 1], next, time));
      return ink;
    });
  }
}

/**
 * Write points as the data of an SVG path.
 *
 * @param {[number, number][]} points
 * @returns {string} empty without points; a dot for one
 */
export function pathOf(points) {
  if (points.length === 0) return "";
  const [[x, y], ...rest] = points;
  if (rest.length === 0) return `M${x} ${y}h0`;
  return `M${x} ${y}L${rest.map(([px, py]) => `${px} ${py}`).join(" ")}`;
}

/** Give each point its time in the replay, which begins at 0 and never decreases. */
function inOneTime(strokes, size) {
  const isTimed = strokes.every((stroke) => stroke.every(([, , t]) => t !== undefined));
  const isTold = isTimed && strokes.some((stroke) => stroke.at(-1)[2] > stroke[0][2]);
  let now = 0;
  let last = null;
  return strokes.map((stroke) => {
    if (last !== null) {
      const pause = isTold ? Math.max(0, stroke[0][2] - last[2]) : CALM_PAUSE_MS;
      now += Math.min(pause, LONGEST_PAUSE_MS);
    }
    const began = now;
    let former = stroke[0];
    const moments = stroke.map((point) => {
      now += isTold
        ? Math.min(Math.max(0, point[2] - former[2]), LONGEST_PAUSE_MS)
        : (Math.hypot(point[0] - former[0], point[1] - former[1]) / size / CALM_SPEED) * 1000;
      former = point;
      return [point[0], point[1], now];
    });
    now = Math.max(now, began + SHORTEST_STROKE_MS);
    moments.at(-1)[2] = now;
    if (moments.length === 1) moments.unshift([moments[0][0], moments[0][1], began]);
    last = stroke.at(-1);
    return moments;
  });
}

function between([x, y, t], [nextX, nextY, nextT], time) {
  const share = (time - t) / (nextT - t);
  return [round(x + (nextX - x) * share), round(y + (nextY - y) * share)];
}

function round(value) {
  return Math.round(value * 100) / 100;
}
