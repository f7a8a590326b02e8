/**
 * Asks whether a stored drawing was read right, and takes the correction with one
 * tap or one key.
 *
 * It shows one of two steps: `ask`, or `thanks`, where visitors can withdraw the
 * answer. On its root it fires "feedback" with `detail` {id, verdict, digit?}; the
 * page sends the answer and then calls `thank` or `fail`.
 */
import { translate } from "./messages.js";

const NOTED = {
  right: () => translate("Thank you. Saved as correct."),
  wrong: (digit) => translate("Thank you. Saved as %(digit)s.", { digit }),
  not_a_digit: () => translate("Thank you. Saved as not a digit."),
};

const TAKE_BACK_KEY = "Backspace";

export class FeedbackView {
  #root;
  #id = null;
  /** @type {number | null} what the drawing was read as */
  #digit = null;
  /** @type {Map<string, {verdict: string, digit?: number}>} by submission */
  #given = new Map();

  /** @param {HTMLElement} root holds a `[data-step]` for each step */
  constructor(root) {
    this.#root = root;
    root.addEventListener("click", (event) => this.#clicked(event));
  }

  /**
   * Ask about a stored drawing; asking again about the same one changes nothing.
   *
   * @param {string} id of the submission
   * @param {number | null} digit what it was read as; if null, ask what it is
   */
  ask(id, digit) {
    if (id === this.#id) return;
    this.#id = id;
    this.#digit = digit;
    this.#root.hidden = false;
    for (const button of this.#root.querySelectorAll("[data-digit]")) {
      button.hidden = Number(button.dataset.digit) === digit;
    }
    this.#root.querySelector("[data-verdict=right]").hidden = digit === null;
    this.#find("question").textContent =
      digit === null
        ? translate("What did you draw?")
        : translate("Is it %(digit)s?", { digit });
    this.#find("otherwise").textContent =
      digit === null ? translate("It is") : translate("No, it is");
    this.#showStep(this.#given.has(id) ? "thanks" : "ask");
  }

  /** Hide the question. */
  hide() {
    this.#id = null;
    this.#root.hidden = true;
  }

  /**
   * Take an answer by key: the true digit, x for no digit, Backspace to withdraw
   * the answer.
   *
   * @param {string} key
   * @returns {boolean} whether the key was an answer
   */
  press(key) {
    if (this.#id === null) return false;
    const isAsked = !this.#root.querySelector("[data-step=ask]").hidden;
    if (!isAsked && key === TAKE_BACK_KEY) this.#answer("withdrawn");
    else if (isAsked && key.toLowerCase() === "x") this.#answer("not_a_digit");
    else if (isAsked && /^[0-9]$/.test(key)) {
      if (Number(key) === this.#digit) this.#answer("right");
      else this.#answer("wrong", Number(key));
    } else return false;
    return true;
  }

  /** The answer about drawing `id` was stored. */
  thank(id, given) {
    if (given.verdict === "withdrawn") this.#given.delete(id);
    else this.#given.set(id, given);
    if (id !== this.#id) return;
    const hadFocus = this.#root.contains(document.activeElement);
    this.#showStep(this.#given.has(id) ? "thanks" : "ask");
    // The pressed button is hidden now: move the focus to the next step's button.
    if (hadFocus) this.#root.querySelector("div:not([hidden]) > button:not([hidden])").focus();
  }

  /** The answer about drawing `id` could not be stored. */
  fail(id, message) {
    if (id === this.#id) this.#find("failure").textContent = message;
  }

  #clicked(event) {
    const { verdict, digit } = event.target.closest("button")?.dataset ?? {};
    if (verdict) this.#answer(verdict, digit === undefined ? undefined : Number(digit));
  }

  #answer(verdict, digit) {
    const detail = { id: this.#id, verdict };
    if (digit !== undefined) detail.digit = digit;
    this.#root.dispatchEvent(new CustomEvent("feedback", { detail }));
  }

  #showStep(step) {
    this.#find("failure").textContent = "";
    const given = this.#given.get(this.#id);
    if (given) this.#find("words").textContent = NOTED[given.verdict](given.digit);
    for (const part of this.#root.querySelectorAll("div[data-step]")) {
      part.hidden = part.dataset.step !== step;
    }
  }

  #find(name) {
    return this.#root.querySelector(`[data-part="${name}"]`);
  }
}
