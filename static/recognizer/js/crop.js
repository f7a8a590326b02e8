/**
 * Computes which part of a picture is kept. No DOM.
 *
 * Frames are on the sheet, whose side is CANVAS_PX. The picture lies on it whole and
 * centred, so a quarter turn about the middle of the sheet needs no other scale.
 *
 * @typedef {[number, number]} Span start and end along one axis
 * @typedef {{x: Span, y: Span}} Frame
 * @typedef {"start" | "middle" | "end"} Hold
 * @typedef {{x: Hold, y: Hold}} Grip where a frame is held: at a side, a corner, or
 *   in its middle, which moves it
 */
import { CANVAS_PX } from "./strokes.js";

// The smallest side of a frame that fingers can still hold.
const LEAST_PX = 16;
const STEP_PX = CANVAS_PX / 56; // a quarter square, as the keyboard's pen

const ARROWS = {
  ArrowLeft: [-STEP_PX, 0],
  ArrowRight: [STEP_PX, 0],
  ArrowUp: [0, -STEP_PX],
  ArrowDown: [0, STEP_PX],
};

/**
 * @param {{width: number, height: number}} size of a picture
 * @returns {Frame} around all of it
 */
export function frameAround({ width, height }) {
  const scale = CANVAS_PX / Math.max(width, height);
  const centred = (length) => [(CANVAS_PX - length) / 2, (CANVAS_PX + length) / 2];
  return { x: centred(width * scale), y: centred(height * scale) };
}

/** @returns {Frame} the frame after a quarter turn clockwise of the sheet */
export function turned({ x, y }) {
  return { x: [CANVAS_PX - y[1], CANVAS_PX - y[0]], y: x };
}

export function isSame(frame, other) {
  return ["x", "y"].every((axis) => frame[axis].every((at, i) => at === other[axis][i]));
}

/**
 * @param {Frame} frame
 * @param {[number, number]} place of a pointer
 * @param {number} reach how far from a side the side can be held
 * @returns {Grip | null} null outside the frame
 */
export function gripAt({ x, y }, place, reach) {
  const grip = { x: holdAt(x, place[0], reach), y: holdAt(y, place[1], reach) };
  return grip.x === null || grip.y === null ? null : grip;
}

function holdAt([start, end], at, reach) {
  if (at < start - reach || at > end + reach) return null;
  const inside = Math.min(reach, (end - start) / 3); // leaves a middle to small frames
  if (at < start + inside) return "start";
  return at > end - inside ? "end" : "middle";
}

/**
 * @param {Frame} frame
 * @param {Grip} grip
 * @param {[number, number]} way how far the grip is pulled
 * @param {Frame} bounds the frame stays within them
 * @returns {Frame}
 */
export function pulled(frame, grip, way, bounds) {
  const isMoved = grip.x === "middle" && grip.y === "middle";
  const pull = (axis, by) => {
    const [start, end] = frame[axis];
    const [low, high] = bounds[axis];
    const least = Math.min(LEAST_PX, high - low);
    if (isMoved) {
      const shift = clamp(by, low - start, high - end);
      return [start + shift, end + shift];
    }
    if (grip[axis] === "start") return [clamp(start + by, low, end - least), end];
    if (grip[axis] === "end") return [start, clamp(end + by, start + least, high)];
    return frame[axis];
  };
  return { x: pull("x", way[0]), y: pull("y", way[1]) };
}

/**
 * @param {[number, number]} from one corner
 * @param {[number, number]} to the opposite corner
 * @param {Frame} bounds
 * @returns {Frame | null} a new frame; null for a tap, which draws none
 */
export function drawn(from, to, bounds) {
  if (Math.max(...[0, 1].map((i) => Math.abs(to[i] - from[i]))) < LEAST_PX) return null;
  const span = (i, [low, high]) => {
    const least = Math.min(LEAST_PX, high - low);
    const start = clamp(Math.min(from[i], to[i]), low, high - least);
    return [start, clamp(Math.max(from[i], to[i]), start + least, high)];
  };
  return { x: span(0, bounds.x), y: span(1, bounds.y) };
}

/**
 * @param {Frame} frame
 * @param {{key: string, shiftKey: boolean}} event an arrow key moves the frame; with
 *   Shift it moves its right or lower side
 * @param {Frame} bounds
 * @returns {Frame | null} null for other keys
 */
export function nudged(frame, { key, shiftKey }, bounds) {
  if (!(key in ARROWS)) return null;
  const hold = shiftKey ? "end" : "middle";
  return pulled(frame, { x: hold, y: hold }, ARROWS[key], bounds);
}

/**
 * @param {Frame} frame
 * @param {{width: number, height: number}} size of the picture on the sheet
 * @returns {{x: number, y: number, width: number, height: number}} in its whole pixels
 */
export function pixelsIn(frame, size) {
  const bounds = frameAround(size);
  const scale = Math.max(size.width, size.height) / CANVAS_PX;
  const span = (axis, length) => {
    const [start, end] = frame[axis].map((at) => Math.round((at - bounds[axis][0]) * scale));
    const first = Math.min(start, length - 1);
    return [first, Math.max(1, end - first)];
  };
  const [x, width] = span("x", size.width);
  const [y, height] = span("y", size.height);
  return { x, y, width, height };
}

function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value));
}
