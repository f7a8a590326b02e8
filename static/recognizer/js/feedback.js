/**
 * Asks whether a kept drawing was read right, and takes the correction.
 *
 * It shows one of three steps: `ask`, `correct` (which digit was it?) and
 * `thanks`, from where the answer can be taken back. On its root it fires
 * "feedback" with `detail` {id, verdict, digit?}; the page sends it and then
 * calls `thank` or `fail`.
 */
const VERDICT_WORDS = {
  right: () => "Thank you. Noted as right.",
  wrong: (digit) => `Thank you. Noted as a ${digit}.`,
  not_a_digit: () => "Thank you. Noted as not a digit.",
};

export class FeedbackView {
  #root;
  #id = null;

  /** @param {HTMLElement} root holds a `[data-step]` for each step */
  constructor(root) {
    this.#root = root;
    root.addEventListener("click", (event) => this.#clicked(event));
  }

  /**
   * Ask about a kept drawing; asking again about the same one changes nothing.
   *
   * @param {string} id of the submission
   * @param {number | null} digit what it was read as; null asks what it was
   */
  ask(id, digit) {
    if (id === this.#id) return;
    this.#id = id;
    this.#root.hidden = false;
    for (const button of this.#root.querySelectorAll("[data-digit]")) {
      button.disabled = Number(button.dataset.digit) === digit;
    }
    this.#find("question").textContent =
      digit === null ? "What did you draw?" : `Is it a ${digit}?`;
    this.#showStep(digit === null ? "correct" : "ask");
  }

  /** There is nothing to ask about now. */
  hide() {
    this.#id = null;
    this.#root.hidden = true;
  }

  /** The answer about drawing `id` was stored. */
  thank(id, { verdict, digit }) {
    if (id !== this.#id) return;
    if (verdict === "withdrawn") {
      this.#id = null; // so that the page may ask anew
      return;
    }
    this.#find("words").textContent = VERDICT_WORDS[verdict](digit);
    this.#showStep("thanks");
  }

  /** The answer about drawing `id` could not be stored. */
  fail(id, message) {
    if (id === this.#id) this.#find("failure").textContent = message;
  }

  #clicked(event) {
    const { step, verdict, digit } = event.target.closest("button")?.dataset ?? {};
    if (step) this.#showStep(step, { isMoved: true });
    if (!verdict) return;
    const detail = { id: this.#id, verdict };
    if (digit !== undefined) detail.digit = Number(digit);
    this.#root.dispatchEvent(new CustomEvent("feedback", { detail }));
  }

  #showStep(step, { isMoved = false } = {}) {
    this.#find("failure").textContent = "";
    for (const part of this.#root.querySelectorAll("div[data-step]")) {
      part.hidden = part.dataset.step !== step;
    }
    const next = this.#root.querySelector(`div[data-step="${step}"] button:enabled`);
    if (isMoved) next?.focus();
  }

  #find(name) {
    return this.#root.querySelector(`[data-part="${name}"]`);
  }
}
