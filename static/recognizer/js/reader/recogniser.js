/**
 * Reads drawings with one model: mlcore/reading/inference.py, for strokes.
 *
 * @typedef {import("./preprocess.js").DigitImage} DigitImage
 * @typedef {Object} Reading as the server's, with the refusal's code alone
 * @property {number | null} digit
 * @property {number} confidence
 * @property {number[]} probabilities
 * @property {number | null} second
 * @property {number} digitness
 * @property {string | null} refusal
 * @property {DigitImage | null} image what the model saw
 */
import {
  DIGITS,
  digitProbabilities,
  kindProbabilities,
  ONE_DIGIT,
  refusalOf,
} from "./calibrate.js";
import { isMark } from "./marks.js";
import { normalize, SIDE_PX } from "./preprocess.js";
import { rasterise } from "./rasterise.js";

const WINDOW_PX = 4;
const WINDOW_STEP_PX = 2;

/** @type {Reading} */
const BLANK = {
  digit: null,
  confidence: 1 / DIGITS,
  probabilities: Array(DIGITS).fill(1 / DIGITS),
  second: null,
  digitness: 0,
  refusal: "blank",
  image: null,
};

export class Recogniser {
  #network;
  #calibration;

  /**
   * @param {(image: DigitImage) => Promise<Float32Array>} network from pixels to logits
   * @param {import("./calibrate.js").Calibration} calibration
   */
  constructor(network, calibration) {
    this.#network = network;
    this.#calibration = calibration;
  }

  /** @returns {Promise<Reading>} */
  readStrokes(strokes, penWidth) {
    return this.read(normalize(rasterise(strokes, penWidth)));
  }

  /**
   * @param {DigitImage | null} image
   * @returns {Promise<Reading>}
   */
  async read(image) {
    if (image === null) return BLANK;
    const logits = await this.#network(image);
    const probabilities = digitProbabilities(logits, this.#calibration);
    const kinds = kindProbabilities(logits);
    const [first, second] = [...probabilities.keys()].sort(
      (a, b) => probabilities[b] - probabilities[a],
    );
    let digitness = kinds[ONE_DIGIT];
    let refusal = refusalOf(probabilities, kinds, this.#calibration);
    if (refusal === null && isMark(image)) [refusal, digitness] = ["not_a_digit", 0];
    return {
      digit: refusal === null ? first : null,
      confidence: probabilities[first],
      probabilities,
      second,
      digitness,
      refusal,
      image,
    };
  }

  /**
   * Measure which ink counts for or against the likeliest digit, by covering it.
   *
   * @param {DigitImage} image
   * @param {() => Promise<boolean>} isWanted asked between windows
   * @returns {Promise<Float32Array | null>} in [-1, 1]; null if nobody wants it any more
   */
  async explain(image, isWanted) {
    const digits = async (seen) => (await this.#network(seen)).subarray(0, DIGITS);
    const whole = await digits(image);
    const digit = whole.indexOf(Math.max(...whole));
    const leadOf = (logits) => logits[digit] - Math.max(...logits.filter((_, d) => d !== digit));
    const lost = new Float32Array(image.length);
    const covered = new Float32Array(image.length);
    for (let top = 0; top <= SIDE_PX - WINDOW_PX; top += WINDOW_STEP_PX) {
      if (!(await isWanted())) return null;
      for (let left = 0; left <= SIDE_PX - WINDOW_PX; left += WINDOW_STEP_PX) {
        const window = placesOf(top, left);
        if (window.every((place) => image[place] === 0)) continue;
        const without = image.slice();
        for (const place of window) without[place] = 0;
        const lead = leadOf(await digits(without));
        for (const place of window) {
          lost[place] += leadOf(whole) - lead;
          covered[place] += 1;
        }
      }
    }
    const weight = lost.map((sum, place) => (sum / Math.max(covered[place], 1)) * image[place]);
    const strongest = weight.reduce((most, one) => Math.max(most, Math.abs(one)), 1e-6);
    return weight.map((one) => one / strongest);
  }
}

function placesOf(top, left) {
  return Array.from({ length: WINDOW_PX * WINDOW_PX }, (_, i) => {
    const [y, x] = [top + Math.floor(i / WINDOW_PX), left + (i % WINDOW_PX)];
    return y * SIDE_PX + x;
  });
}
