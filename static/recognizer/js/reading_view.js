/**
 * Shows a reading. Pure functions write the words; only ReadingView uses the DOM.
 *
 * @typedef {import("./api.js").Reading} Reading
 */
import { inPercent, translate } from "./messages.js";

// A less probable runner-up is not mentioned.
const SECOND_WORTH_NAMING = 0.005;

// Below it, a drawing is likelier no digit than one. Of held-out digits that are answered
// 0.3 % are below it, of sketches and letters that are answered 37 %.
const BARELY_A_DIGIT = 0.5;

/**
 * Write a probability without claiming certainty: never 0 % and never 100 %.
 *
 * @param {number} probability
 * @param {{over?: string, under?: string}} [words] for values that would round to 0 % or 100 %
 * @returns {string}
 */
export function percent(
  probability,
  { over = translate("over %(share)s"), under = translate("under %(share)s") } = {},
) {
  const share = (value) => inPercent(value, 1);
  if (probability >= 0.9995) return over.replace("%(share)s", share(0.999));
  if (probability < 0.0005) return under.replace("%(share)s", share(0.001));
  const isNearTheEnds = probability >= 0.99 || probability < 0.01;
  return inPercent(probability, isNearTheEnds ? 1 : 0);
}

/**
 * @param {Reading} reading
 * @returns {string} the runner-up in words; empty for a refusal
 */
export function secondGuess({ digit, second, probabilities }) {
  if (digit === null || second === null) return "";
  const probability = probabilities[second];
  if (probability < SECOND_WORTH_NAMING) return translate("nothing else comes close");
  return translate("or maybe %(digit)s, %(share)s", {
    digit: second,
    share: percent(probability),
  });
}

function isBarelyADigit({ digit, refusal, digitness }) {
  return digit !== null && refusal === null && digitness < BARELY_A_DIGIT;
}

/**
 * @param {Reading} reading
 * @returns {string | null} the number that was read; null for a digit or a refusal
 */
export function numberIn({ digit, refusal, number }) {
  return digit === null && refusal === null ? (number?.text ?? null) : null;
}

/**
 * @param {Reading} reading
 * @returns {{first: string, second: string}} two lines; empty for a refusal
 */
export function lines(reading) {
  if (reading.refusal !== null) return { first: "", second: "" };
  if (isBarelyADigit(reading)) {
    return {
      first: translate("Barely a digit."),
      second: translate("If it is one, %(digit)s.", { digit: reading.digit }),
    };
  }
  return {
    first: translate("%(share)s confident", { share: percent(reading.confidence) }),
    second: secondGuess(reading),
  };
}

/**
 * @param {Reading} reading
 * @returns {string} one sentence for screen readers
 */
export function sentence(reading) {
  if (reading.refusal !== null) return reading.refusal.message;
  if (isBarelyADigit(reading)) return Object.values(lines(reading)).join(" ");
  const number = numberIn(reading);
  if (number !== null) {
    return translate("Looks like %(digit)s, %(share)s confident.", {
      digit: number,
      share: percent(reading.confidence),
    });
  }
  return translate("Looks like %(digit)s, %(share)s confident; %(second)s.", {
    digit: reading.digit,
    share: percent(reading.confidence),
    second: secondGuess(reading),
  });
}

/**
 * @param {Reading} reading
 * @returns {string} what the colours of the explanation say
 */
export function legend({ probabilities }) {
  const likeliest = probabilities.indexOf(Math.max(...probabilities));
  return translate("Red ink supports %(digit)s, blue ink speaks against it.", { digit: likeliest });
}

export class ReadingView {
  #root;
  #find;

  /** @param {HTMLElement} root the answer's region; `data-state` sets its style */
  constructor(root) {
    this.#root = root;
    this.#find = (id) => root.querySelector(`#${id}`);
  }

  /** @param {Reading} reading */
  show(reading) {
    const isRefused = reading.refusal !== null;
    const { first, second } = lines(reading);
    const isUnlikely = isRefused || isBarelyADigit(reading);
    this.#root.dataset.state = isUnlikely ? "doubtful" : "read";
    const number = numberIn(reading);
    const answer = number ?? String(reading.digit);
    this.#root.toggleAttribute("data-number", number !== null);
    this.#root.removeAttribute("data-digit-chosen");
    this.#find("digit").textContent = isRefused ? "?" : answer;
    this.#find("digit").style.setProperty("--digits", isRefused ? 1 : answer.length);
    this.#find("confidence").textContent = first;
    this.#find("second").textContent = second;
    this.#find("refusal").textContent = reading.refusal?.message ?? "";
    this.#showBars(reading);
    this.#showSeen(reading);
  }

  /**
   * Show the probabilities of one digit of the number that is shown.
   *
   * @param {import("./api.js").NumberDigit} digit
   */
  showDigit(digit) {
    this.#root.toggleAttribute("data-digit-chosen", true);
    this.#showBars(digit);
    this.#find("digitness").textContent = "";
    if (digit.seen) this.#find("seen").src = digit.seen;
  }

  /** @param {boolean} isWaiting for an answer to ink that is finished */
  wait(isWaiting) {
    this.#root.toggleAttribute("data-waiting", isWaiting);
    this.#root.setAttribute("aria-busy", String(isWaiting));
  }

  /** Mark the shown answer: it is not about the ink on the pad. */
  markStale() {
    if (this.#root.dataset.state !== "empty") this.#root.dataset.state = "stale";
  }

  clear() {
    this.#root.dataset.state = "empty";
    this.#root.removeAttribute("data-number");
    this.#root.removeAttribute("data-digit-chosen");
    for (const id of ["digit", "confidence", "second", "refusal", "digitness", "legend"]) {
      this.#find(id).textContent = "";
    }
    for (const bar of this.#bars) {
      bar.removeAttribute("data-probability");
      bar.removeAttribute("data-winner");
      bar.querySelector("rect").setAttribute("width", "0");
      bar.querySelector(".bar-number").textContent = "";
    }
    this.#find("seen").hidden = true;
    this.#find("seen-why").hidden = true;
  }

  get #bars() {
    return this.#root.querySelectorAll("#bars [data-digit]");
  }

  #showBars({ digit, probabilities }) {
    for (const bar of this.#bars) {
      const probability = probabilities[Number(bar.dataset.digit)];
      bar.dataset.probability = probability.toFixed(4);
      bar.toggleAttribute("data-winner", Number(bar.dataset.digit) === digit);
      bar.querySelector("rect").setAttribute("width", String(probability * 100));
      const short = percent(probability, {
        over: ">\u2009%(share)s",
        under: "<\u2009%(share)s",
      });
      bar.querySelector(".bar-number").textContent = short;
    }
  }

  #showSeen(reading) {
    for (const [id, url] of [["seen", reading.seen], ["seen-why", reading.why]]) {
      const picture = this.#find(id);
      picture.hidden = !url;
      if (url) picture.src = url;
    }
    this.#find("legend").textContent = reading.why ? legend(reading) : "";
    const share = percent(reading.digitness);
    this.#find("digitness").textContent = translate("%(share)s digit-like", { share });
  }
}
