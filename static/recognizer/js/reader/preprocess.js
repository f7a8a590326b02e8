/**
 * The framing of digits: mlcore/reading/preprocess.py, line by line, for strokes only.
 *
 * @typedef {import("./rasterise.js").Bitmap} Bitmap
 * @typedef {Float32Array} DigitImage 28 rows of 28 pixels in [0, 1]
 */
const { abs, ceil, floor, fround, max, min } = Math;

export const PREPROCESSING_VERSION = 2;

export const SIDE_PX = 28;
export const BOX_PX = 20;

/**
 * Place a drawing as MNIST places its digits: 20 px box, centred by mass in 28 px.
 *
 * @param {Bitmap} bitmap whose ink is at least BOX_PX long
 * @returns {DigitImage | null} null if no pixel carries ink
 */
export function normalize(bitmap) {
  let ink = cropped(bitmap);
  if (ink === null) return null;
  const scale = BOX_PX / max(ink.width, ink.height);
  if (scale > 1) throw new RangeError(`Ink of ${ink.width}x${ink.height} px is too small.`);
  if (scale < 1) {
    const [width, height] = [ink.width, ink.height].map((length) =>
      max(1, floor(length * scale + 0.5)),
    );
    ink = shrunk(ink, width, height);
  }
  const corner = cornerOf(ink);
  if (corner === null) return null;
  const image = new Float32Array(SIDE_PX * SIDE_PX);
  for (let y = 0; y < ink.height; y += 1) {
    for (let x = 0; x < ink.width; x += 1) {
      const place = (corner.y + y) * SIDE_PX + corner.x + x;
      image[place] = ink.data[y * ink.width + x] / 255;
    }
  }
  return image;
}

function cropped({ data, width, height }) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y += 1) {
    const row = data.subarray(y * width, (y + 1) * width);
    const first = row.findIndex((level) => level > 0);
    if (first < 0) continue;
    left = min(left, first);
    right = max(right, row.findLastIndex((level) => level > 0));
    top = min(top, y);
    bottom = y;
  }
  if (right < 0) return null;
  const ink = { width: right - left + 1, height: bottom - top + 1 };
  ink.data = new Uint8Array(ink.width * ink.height);
  for (let y = 0; y < ink.height; y += 1) {
    const start = (top + y) * width + left;
    ink.data.set(data.subarray(start, start + ink.width), y * ink.width);
  }
  return ink;
}

/** Return the top-left corner that puts the ink's centre of mass on (14, 14). */
function cornerOf({ data, width, height }) {
  let [total, sumX, sumY] = [0, 0, 0];
  data.forEach((level, place) => {
    total += level;
    sumX += level * (place % width);
    sumY += level * floor(place / width);
  });
  if (total === 0) return null;
  const start = (moment, length) =>
    min(max(floor(SIDE_PX / 2 - moment / total + 0.5), 0), SIDE_PX - length);
  return { x: start(sumX, width), y: start(sumY, height) };
}

/* cv2.resize with INTER_AREA ------------------------------------------------------- */

/** Average areas: each pixel is its share of ink. */
function shrunk({ data, width, height }, toWidth, toHeight) {
  const across = 1 / (toWidth / width);
  const down = 1 / (toHeight / height);
  const shares = isWhole(across) && isWhole(down)
    ? null
    : { x: sharesOf(width, toWidth, across), y: sharesOf(height, toHeight, down) };
  const small = new Uint8Array(toWidth * toHeight);
  for (let y = 0; y < toHeight; y += 1) {
    for (let x = 0; x < toWidth; x += 1) {
      const level = shares === null
        ? meanOf(data, width, x * across, y * down, across, down)
        : weighedMeanOf(data, width, shares.x[x], shares.y[y]);
      small[y * toWidth + x] = roundedToEven(level);
    }
  }
  return { data: small, width: toWidth, height: toHeight };
}

function isWhole(scale) {
  return abs(scale - Math.round(scale)) < Number.EPSILON;
}

/** Sum whole pixels as integers, as OpenCV does when both scales are whole. */
function meanOf(data, width, left, top, across, down) {
  let sum = 0;
  for (let y = top; y < top + down; y += 1) {
    for (let x = left; x < left + across; x += 1) sum += data[y * width + x];
  }
  return fround(sum * fround(1 / (across * down)));
}

/** Sum rows, then their sums, in float32 and in OpenCV's order. */
function weighedMeanOf(data, width, columns, rows) {
  let sum = 0;
  for (const [y, rowShare] of rows) {
    let row = 0;
    for (const [x, share] of columns) row = fround(row + fround(data[y * width + x] * share));
    sum = fround(sum + fround(row * rowShare));
  }
  return sum;
}

/** @returns {[number, number][][]} for each small pixel: the large ones, their shares */
function sharesOf(length, toLength, scale) {
  return Array.from({ length: toLength }, (_, small) => {
    const [start, end] = [small * scale, small * scale + scale];
    const cell = min(scale, length - start);
    const last = min(floor(end), length - 1);
    const first = min(ceil(start), last);
    const shares = [];
    if (first - start > 1e-3) shares.push([first - 1, fround((first - start) / cell)]);
    for (let place = first; place < last; place += 1) shares.push([place, fround(1 / cell)]);
    if (end - last > 1e-3) shares.push([last, fround(min(end - last, 1, cell) / cell)]);
    return shares;
  });
}

function roundedToEven(value) {
  const below = floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}
