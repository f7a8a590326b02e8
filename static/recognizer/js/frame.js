/**
 * Computes where the model's 28x28 picture lies on the canvas, so that the
 * explanation of its pixels can be laid over the drawing. No DOM.
 *
 * It follows mlcore: `rasterise` gives strokes a pen of 11 % of their longest
 * side. `preprocess.normalize` fits the ink into 20 px and puts its centre of mass
 * in the centre of the 28 px.
 *
 * @typedef {import("./strokes.js").Point} Point
 */
const PEN_SHARE = 0.11;
const BOX_PX = 20;
const SIDE_PX = 28;

/**
 * @param {readonly Point[][]} strokes at least one point
 * @param {number} penWidth of the pen that drew, in canvas pixels
 * @returns {{x: number, y: number, size: number}} its square, in canvas pixels
 */
export function frameOf(strokes, penWidth) {
  const across = [0, 1].map((axis) => {
    const places = strokes.flatMap((stroke) => stroke.map((point) => point[axis]));
    return { low: Math.min(...places), high: Math.max(...places) };
  });
  const extent = Math.max(...across.map(({ low, high }) => high - low));
  const pen = extent > penWidth ? extent * PEN_SHARE : penWidth;
  const pixel = (extent + pen) / BOX_PX;
  const middle = centreOfMass(strokes);
  const [x, y] = across.map(({ low, high }, axis) => {
    const edge = low - pen / 2;
    const length = Math.max(1, Math.round((high - low + pen) / pixel));
    const start = Math.floor(SIDE_PX / 2 + 1 - (middle[axis] - edge) / pixel);
    return edge - Math.min(Math.max(start, 0), SIDE_PX - length) * pixel;
  });
  return { x, y, size: SIDE_PX * pixel };
}

/** The centre of mass of lines of one width: each segment's weight is its length. */
function centreOfMass(strokes) {
  let [mass, x, y] = [0, 0, 0];
  for (const stroke of strokes) {
    stroke.forEach(([x1, y1], i) => {
      const [x0, y0] = stroke[Math.max(0, i - 1)];
      const weight = Math.hypot(x1 - x0, y1 - y0) + 1e-6; // a dot has no length
      mass += weight;
      x += (weight * (x0 + x1)) / 2;
      y += (weight * (y0 + y1)) / 2;
    });
  }
  return [x / mass, y / mass];
}
