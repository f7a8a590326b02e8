/**
 * Asks whether a stored drawing was read right, and takes the correction: a digit with
 * one tap or one key, a number by typing it or by choosing one of its digits first.
 *
 * It shows one of two steps: `ask`, or `thanks`, where visitors can withdraw the
 * answer. On its root it fires "feedback" with `detail` {id, verdict, digit?, number?};
 * the page sends the answer and then calls `thank` or `fail`.
 */
import { translate } from "./messages.js";

const NOTED = {
  right: () => translate("Thank you. Saved as correct."),
  wrong: (answer) => translate("Thank you. Saved as %(digit)s.", { digit: answer }),
  not_a_digit: () => translate("Thank you. Saved as not a digit."),
};

const TAKE_BACK_KEY = "Backspace";

export class FeedbackView {
  #root;
  #id = null;
  /** @type {number | null} what the drawing was read as */
  #digit = null;
  /** @type {string | null} the number that it was read as */
  #number = null;
  /** @type {string} the number to be corrected, as it was corrected last; may be empty */
  #guess = "";
  /** @type {number | null} place of the digit that is to be corrected */
  #place = null;
  /** @type {Map<string, import("./outbox.js").Given>} by drawing */
  #given = new Map();

  /** @param {HTMLElement} root holds a `[data-step]` for each step */
  constructor(root) {
    this.#root = root;
    root.addEventListener("click", (event) => this.#clicked(event));
    root.addEventListener("submit", (event) => this.#typed(event));
  }

  /**
   * Ask about a drawing; asking again about the same one changes nothing.
   *
   * @param {string} id of the drawing's entry in the outbox
   * @param {number | null} digit what it was read as; if null, ask what it is
   * @param {string | null} [number] the number that it was read as
   * @param {string} [guess] a number that it may be; at first the one that was read
   */
  ask(id, digit, number = null, guess = number ?? "") {
    const isAsked = id === this.#id && digit === this.#digit && number === this.#number;
    if (isAsked) return;
    this.#id = id;
    this.#digit = digit;
    this.#number = number;
    this.#guess = guess;
    this.#correct(this.#given.get(id)?.number);
    this.#find("number").value = this.#guess;
    this.#root.hidden = false;
    const answer = number ?? digit;
    this.#root.querySelector("[data-verdict=right]").hidden = answer === null;
    this.#find("question").textContent =
      answer === null
        ? translate("What did you draw?")
        : translate("Is it %(digit)s?", { digit: answer });
    this.#showChoices();
    this.#showStep(this.#given.has(id) ? "thanks" : "ask");
  }

  /** @param {number | null} place of the one digit of the number that is to be corrected */
  choose(place) {
    this.#place = place;
    if (this.#id === null) return; // the question comes once the drawing is stored
    this.#showChoices();
    if (place !== null) this.#showStep("ask");
  }

  /** @returns {string} the number as corrected last, else as read; empty if there is none */
  get corrected() {
    return this.#guess;
  }

  /** Hide the question. */
  hide() {
    this.#id = null;
    this.#root.hidden = true;
  }

  /**
   * Take an answer by key: the true digit, x for no digit, Backspace to withdraw
   * the answer. If a number was read, the digit is the chosen one's, or begins a new
   * number in its field.
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
      if (this.#number !== null && this.#place === null) {
        this.#find("number").select(); // which the key then replaces
        return false;
      }
      this.#chosen(key);
    } else return false;
    return true;
  }

  /** The answer about drawing `id` was taken. */
  thank(id, given) {
    if (given.verdict === "withdrawn") this.#given.delete(id);
    else this.#given.set(id, given);
    if (id !== this.#id) return;
    this.#correct(given.number ?? this.#number);
    this.choose(null);
    const hadFocus = this.#root.contains(document.activeElement);
    this.#showStep(this.#given.has(id) ? "thanks" : "ask");
    // The pressed button is hidden now: move the focus to the next step's button.
    if (hadFocus) this.#root.querySelector("div:not([hidden]) > button:not([hidden])").focus();
  }

  /** Say why the answer about drawing `id` is not stored yet; "" once it is. */
  fail(id, message) {
    if (id === this.#id) this.#find("failure").textContent = message;
  }

  #clicked(event) {
    const { verdict, digit } = event.target.closest("button")?.dataset ?? {};
    if (digit !== undefined) this.#chosen(digit);
    else if (verdict) this.#answer(verdict);
  }

  #typed(event) {
    event.preventDefault();
    this.#named(this.#find("number").value.trim());
  }

  /** Go on from a corrected number; digits that were typed anew have other places. */
  #correct(number) {
    if (number?.length === this.#guess.length) this.#guess = number;
  }

  /** @param {string} digit the whole answer, or that of the chosen place */
  #chosen(digit) {
    const digits = [...this.#guess];
    if (this.#place !== null) digits[this.#place] = digit;
    this.#named(this.#place === null ? digit : digits.join(""));
  }

  /** @param {string} answer the digits that the visitor drew */
  #named(answer) {
    const read = this.#number ?? this.#digit;
    if (answer === String(read)) this.#answer("right");
    else if (answer.length === 1) this.#answer("wrong", { digit: Number(answer) });
    else this.#answer("wrong", { number: answer });
  }

  #answer(verdict, named = {}) {
    const answer = verdict === "right" ? { digit: this.#digit, number: this.#number } : named;
    const detail = { id: this.#id, verdict, ...answer };
    this.#root.dispatchEvent(new CustomEvent("feedback", { detail }));
  }

  #showChoices() {
    const isWhole = this.#place === null;
    const read = isWhole ? this.#digit : Number(this.#guess[this.#place]);
    for (const button of this.#root.querySelectorAll("[data-digit]")) {
      button.hidden = Number(button.dataset.digit) === read;
    }
    this.#find("otherwise").textContent = isWhole
      ? otherwise(this.#digit, this.#guess)
      : translate("Digit %(place)s is", { place: this.#place + 1 });
  }

  #showStep(step) {
    this.#find("failure").textContent = "";
    const given = this.#given.get(this.#id);
    if (given) this.#find("words").textContent = NOTED[given.verdict](given.number ?? given.digit);
    for (const part of this.#root.querySelectorAll("div[data-step]")) {
      part.hidden = part.dataset.step !== step;
    }
  }

  #find(name) {
    return this.#root.querySelector(`[data-part="${name}"]`);
  }
}

function otherwise(digit, guess) {
  if (guess !== "") return translate("Touch the wrong digit, or it is");
  return digit === null ? translate("It is") : translate("No, it is");
}
