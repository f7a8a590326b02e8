/**
 * Shows a reading. The words are pure functions; only AnswerView knows the DOM.
 *
 * @typedef {import("./reader.js").Reading} Reading
 */

// Below this the runner-up is not worth a visitor's thought.
const SECOND_WORTH_NAMING = 0.005;

/**
 * Say a probability without claiming certainty: never 0 % and never 100 %.
 *
 * @param {number} probability
 * @param {{over?: string, under?: string}} [words] for what lies off the scale
 * @returns {string}
 */
export function percent(probability, { over = "over ", under = "under " } = {}) {
  if (probability >= 0.9995) return `${over}99.9\u00a0%`;
  if (probability < 0.0005) return `${under}0.1\u00a0%`;
  const isNearTheEnds = probability >= 0.99 || probability < 0.01;
  return `${(probability * 100).toFixed(isNearTheEnds ? 1 : 0)}\u00a0%`;
}

/**
 * @param {Reading} reading
 * @returns {string} the runner-up in words; empty for a refusal
 */
export function secondGuess({ digit, second, probabilities }) {
  if (digit === null || second === null) return "";
  const probability = probabilities[second];
  if (probability < SECOND_WORTH_NAMING) return "nothing else comes close";
  return `or maybe ${second}, ${percent(probability)}`;
}

/**
 * @param {Reading} reading
 * @returns {string} one sentence for those who hear the page
 */
export function sentence(reading) {
  if (reading.refusal !== null) return reading.refusal.message;
  const confidence = percent(reading.confidence);
  return `Looks like ${reading.digit}, ${confidence} confident; ${secondGuess(reading)}.`;
}

export class AnswerView {
  #root;
  #find;

  /** @param {HTMLElement} root the answer's region, `data-state` tells its look */
  constructor(root) {
    this.#root = root;
    this.#find = (id) => root.querySelector(`#${id}`);
  }

  /** @param {Reading} reading */
  show(reading) {
    const isRefused = reading.refusal !== null;
    this.#root.dataset.state = isRefused ? "refused" : "read";
    this.#find("digit").textContent = isRefused ? "?" : String(reading.digit);
    this.#find("confidence").textContent = isRefused
      ? ""
      : `${percent(reading.confidence)} confident`;
    this.#find("second").textContent = secondGuess(reading);
    this.#find("refusal").textContent = reading.refusal?.message ?? "";
    this.#showBars(reading);
    this.#showSeen(reading);
  }

  /** The answer shown is not about the ink on the pad. */
  markStale() {
    if (this.#root.dataset.state !== "empty") this.#root.dataset.state = "stale";
  }

  clear() {
    this.#root.dataset.state = "empty";
    for (const id of ["digit", "confidence", "second", "refusal", "digitness"]) {
      this.#find(id).textContent = "";
    }
    for (const bar of this.#find("bars").children) {
      bar.removeAttribute("data-probability");
      bar.removeAttribute("data-winner");
      bar.querySelector("rect").setAttribute("width", "0");
      bar.querySelector(".bar-number").textContent = "";
    }
    this.#find("seen").hidden = true;
  }

  #showBars({ digit, probabilities }) {
    for (const bar of this.#find("bars").children) {
      const probability = probabilities[Number(bar.dataset.digit)];
      bar.dataset.probability = probability.toFixed(4);
      bar.toggleAttribute("data-winner", Number(bar.dataset.digit) === digit);
      bar.querySelector("rect").setAttribute("width", String(probability * 100));
      const short = percent(probability, { over: ">\u2009", under: "<\u2009" });
      bar.querySelector(".bar-number").textContent = short;
    }
  }

  #showSeen({ seen, digitness }) {
    const picture = this.#find("seen");
    picture.hidden = !seen;
    if (seen) picture.src = seen;
    this.#find("digitness").textContent = `${percent(digitness)} digit-like`;
  }
}
