/**
 * Turn strokes into a bitmap: mlcore/reading/rasterise.py, line by line.
 *
 * Python computes with float32 where this file says `fround`. A test compares the two on
 * every drawing at hand.
 *
 * @typedef {{data: Uint8Array, width: number, height: number}} Bitmap rows of pixels from
 *   the top, ink 255 on paper 0
 */
const { floor, fround, max, min } = Math;

export const PEN_SHARE = 0.11; // of the drawing's longest side
export const RASTER_PX = 160;

/**
 * Draw strokes with a round pen and crop to the ink.
 *
 * @param {number[][][]} strokes at least one, of at least one point [x, y] each
 * @param {number} penWidth of the pen that drew, in the units of the strokes
 * @returns {Bitmap}
 */
export function rasterise(strokes, penWidth) {
  const points = strokes.map((stroke) => stroke.map(([x, y]) => [fround(x), fround(y)]));
  const [low, high] = boundsOf(points);
  const sides = [fround(high[0] - low[0]), fround(high[1] - low[1])];
  const extent = max(...sides);
  const readingPen = max(extent > penWidth ? extent * PEN_SHARE : penWidth, 1e-6);
  const scale = RASTER_PX / (extent + readingPen);
  const disc = discOf(readingPen * scale);
  const margin = disc.length >> 1;
  const scaled = (length, offset) => floor(fround(fround(length * fround(scale)) + offset));
  const [width, height] = sides.map((side) => scaled(side, 0.5) + 2 * margin + 1);
  const bitmap = { data: new Uint8Array(width * height), width, height };
  const placed = ([x, y]) => [
    scaled(fround(x - low[0]), margin + 0.5),
    scaled(fround(y - low[1]), margin + 0.5),
  ];
  for (const stroke of points) {
    const line = stroke.map(placed);
    if (line.length === 1) line.push(line[0]);
    for (let i = 1; i < line.length; i += 1) {
      eachPixel(line[i - 1], line[i], (x, y) => stamp(bitmap, disc, x, y));
    }
  }
  return bitmap;
}

function boundsOf(strokes) {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  for (const [x, y] of strokes.flat()) {
    [low[0], low[1]] = [min(low[0], x), min(low[1], y)];
    [high[0], high[1]] = [max(high[0], x), max(high[1], y)];
  }
  return [low, high];
}

/** @returns {number[]} how far each row of the disc reaches to either side */
function discOf(penPx) {
  const radius = (penPx + 1) / 2;
  const reach = floor(radius);
  const rows = [];
  for (let y = -reach; y <= reach; y += 1) {
    let x = reach;
    while (x * x + y * y > radius * radius) x -= 1;
    rows.push(x);
  }
  return rows;
}

/** Dilate one pixel by the disc. */
function stamp({ data, width }, disc, x, y) {
  const top = y - (disc.length >> 1);
  disc.forEach((reach, row) => {
    const start = (top + row) * width + x;
    data.fill(255, start - reach, start + reach + 1);
  });
}

/** Visit the pixels of a line as `cv2.polylines` draws it: Bresenham, left to right. */
function eachPixel(from, to, visit) {
  let [[x, y], [endX, endY]] = from[0] <= to[0] ? [from, to] : [to, from];
  const down = endY < y ? -1 : 1;
  let [long, short] = [endX - x, (endY - y) * down];
  const isSteep = short > long;
  if (isSteep) [long, short] = [short, long];
  let error = long - 2 * short;
  for (let count = long; count >= 0; count -= 1) {
    visit(x, y);
    const isDiagonal = error < 0;
    error += (isDiagonal ? 2 * long : 0) - 2 * short;
    if (!isSteep || isDiagonal) x += 1;
    if (isSteep || isDiagonal) y += down;
  }
}
