/**
 * Recognise marks that are no digits: mlcore/reading/marks.py, line by line.
 *
 * @typedef {import("./preprocess.js").DigitImage} DigitImage
 */
import { BOX_PX, SIDE_PX } from "./preprocess.js";

const INK = 0.3;
const DOT_DEPTH_PX = 0.3 * BOX_PX;
const TICK_ARM_PX = 3.5;
const TICK_STRAY_PX = 2;
const TICK_SHARE = 0.97;

/**
 * @param {DigitImage} image
 * @returns {boolean} whether the ink is a dot or a tick
 */
export function isMark(image) {
  const ink = Array.from(image, (level) => level >= INK);
  return isDot(ink) || isTick(ink);
}

function isDot(ink) {
  return Math.max(...depths(ink)) >= DOT_DEPTH_PX;
}

/** Is it two straight arms that meet at the lowest point? */
function isTick(ink) {
  const points = [];
  ink.forEach((isInk, place) => {
    if (isInk) points.push([place % SIDE_PX, Math.floor(place / SIDE_PX)]);
  });
  if (points.length === 0) return false;
  const lowest = points.at(-1)[1];
  const foot = points.filter(([, y]) => y === lowest);
  const corner = [foot.reduce((sum, [x]) => sum + x, 0) / foot.length, lowest];
  const left = farthest(points.filter(([x]) => x < corner[0] - 1), corner);
  const right = farthest(points.filter(([x]) => x > corner[0] + 1), corner);
  if (left === null || right === null) return false;
  const reach = [corner[0] - left[0], right[0] - corner[0]];
  const rise = [corner[1] - left[1], corner[1] - right[1]];
  if (Math.min(...reach, ...rise) < TICK_ARM_PX) return false;
  const near = points.filter((point) => {
    const stray = Math.min(distance(point, corner, left), distance(point, corner, right));
    return stray <= TICK_STRAY_PX;
  });
  return near.length / points.length >= TICK_SHARE;
}

function farthest(points, [x, y]) {
  let best = null;
  let most = -1;
  for (const point of points) {
    const away = Math.hypot(point[0] - x, point[1] - y);
    if (away > most) [best, most] = [point, away];
  }
  return best;
}

/** Return a point's distance from the line between two points. */
function distance([x, y], [startX, startY], [endX, endY]) {
  const [alongX, alongY] = [endX - startX, endY - startY];
  const inner = (x - startX) * alongX + (y - startY) * alongY;
  const share = Math.min(Math.max(inner / (alongX * alongX + alongY * alongY), 0), 1);
  return Math.hypot(x - (startX + share * alongX), y - (startY + share * alongY));
}

/* cv2.distanceTransform with DIST_L2 and a 3x3 mask ---------------------------------- */

const STRAIGHT = 0.955;
const DIAGONAL = 1.3693;

/** Return how far each pixel of ink is from paper; beyond the edge is neither. */
function depths(ink) {
  // A frame of one pixel, so that each pixel of ink has eight neighbours.
  const side = SIDE_PX + 2;
  const depth = new Float64Array(side * side).fill(Infinity);
  ink.forEach((isInk, place) => {
    if (!isInk) depth[side + 1 + Math.floor(place / SIDE_PX) * side + (place % SIDE_PX)] = 0;
  });
  const lower = (place, way) => {
    depth[place] = Math.min(
      depth[place],
      depth[place - way] + STRAIGHT,
      depth[place - way * side] + STRAIGHT,
      depth[place - way * (side - 1)] + DIAGONAL,
      depth[place - way * (side + 1)] + DIAGONAL,
    );
  };
  const inside = [];
  for (let y = 1; y <= SIDE_PX; y += 1) {
    for (let x = 1; x <= SIDE_PX; x += 1) inside.push(y * side + x);
  }
  for (const place of inside) lower(place, 1);
  for (const place of inside.reverse()) lower(place, -1);
  return inside.map((place) => depth[place]);
}
