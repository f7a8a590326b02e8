/**
 * Turn logits into calibrated probabilities and refusals: mlcore/reading/calibrate.py.
 *
 * @typedef {Object} Calibration of one bundle, as its manifest has it
 * @property {number} temperature
 * @property {number} several_above
 * @property {number} digitness_below
 * @property {number} confidence_below
 */
export const DIGITS = 10;
export const [ONE_DIGIT, SEVERAL] = [0, 1];

export function softmax(logits) {
  const most = Math.max(...logits);
  const exponentials = Array.from(logits, (logit) => Math.exp(logit - most));
  const total = exponentials.reduce((sum, one) => sum + one, 0);
  return exponentials.map((one) => one / total);
}

/**
 * @param {Float32Array} logits thirteen
 * @param {Calibration} calibration
 * @returns {number[]} ten
 */
export function digitProbabilities(logits, { temperature }) {
  return softmax(logits.subarray(0, DIGITS).map((logit) => logit / Math.fround(temperature)));
}

/** @returns {number[]} three: one digit, several, something else */
export function kindProbabilities(logits) {
  return softmax(logits.subarray(DIGITS));
}

/** @returns {string | null} the code of the refusal */
export function refusalOf(probabilities, kinds, calibration) {
  if (kinds[SEVERAL] > calibration.several_above) return "several";
  if (kinds[ONE_DIGIT] < calibration.digitness_below) return "not_a_digit";
  if (Math.max(...probabilities) < calibration.confidence_below) return "unsure";
  return null;
}
