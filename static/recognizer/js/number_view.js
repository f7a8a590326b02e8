/**
 * Shows a number's digits at their places on the sheet, as buttons to choose one of them.
 *
 * Fires "choose" on its root with `detail` {place}, which is null if the chosen digit is
 * chosen again. `spread` is pure.
 *
 * @typedef {[number, number, number, number]} Box x, y, width and height
 */
import { translate } from "./messages.js";

// Of a button, on the screen. It is as wide as a finger needs where digits leave the room.
const LEAST_WIDTH_PX = 32;

/**
 * Move places apart that are too close for a button each; their order stays.
 *
 * @param {number[]} centres in order, each in [0, 1]
 * @param {number} least width of a button, if all of them have this room
 * @returns {{centres: number[], room: number}} the width around each centre that is free
 */
export function spread(centres, least) {
  const gaps = centres.slice(1).map((centre, i) => centre - centres[i]);
  const room = Math.min(1 / centres.length, Math.max(Math.min(...gaps), least));
  const placed = [...centres];
  placed.forEach((centre, i) => {
    const least = i === 0 ? room / 2 : placed[i - 1] + room;
    placed[i] = Math.max(centre, least);
  });
  for (let i = placed.length - 1; i >= 0; i -= 1) {
    const most = i === placed.length - 1 ? 1 - room / 2 : placed[i + 1] - room;
    placed[i] = Math.min(placed[i], most);
  }
  return { centres: placed, room };
}

export class NumberView {
  #root;
  #frame;
  /** @type {number | null} */
  #place = null;
  /** @type {Box[]} as shares of the sheet */
  #boxes = [];

  /** @param {HTMLElement} root on the sheet, with a frame for the chosen digit's ink */
  constructor(root) {
    this.#root = root;
    this.#frame = root.querySelector("[data-part=frame]");
    root.addEventListener("click", (event) => this.#clicked(event));
  }

  /**
   * @param {string} text the digits
   * @param {Box[]} boxes of their ink, from left to right, as shares of the sheet
   * @param {{isGuess: boolean}} options whether nobody should rely on it
   */
  show(text, boxes, { isGuess }) {
    this.#boxes = boxes;
    const least = LEAST_WIDTH_PX / this.#root.parentElement.clientWidth;
    const { centres, room } = spread(boxes.map(([x, , width]) => x + width / 2), least);
    const above = Math.min(...boxes.map(([, y]) => y));
    const below = 1 - Math.max(...boxes.map(([, y, , height]) => y + height));
    this.#root.dataset.edge = above > below ? "top" : "bottom";
    this.#root.toggleAttribute("data-guess", isGuess);
    this.#root.style.setProperty("--room", `${room * 100}cqi`);
    this.#buttons.forEach((button) => button.remove());
    for (const [place, centre] of centres.entries()) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button read-digit numeral";
      button.dataset.place = place;
      button.style.setProperty("--centre", `${centre * 100}cqi`);
      this.#root.append(button);
    }
    this.write(text);
    this.choose(null);
    this.#root.hidden = false;
  }

  hide() {
    this.#root.hidden = true;
    this.#place = null;
  }

  /** Show other digits, as they were corrected; a number of another length changes nothing. */
  write(text) {
    if (text.length !== this.#boxes.length) return;
    this.#buttons.forEach((button, place) => {
      const digit = text[place];
      const values = { place: place + 1, number: text.length, digit };
      button.textContent = digit;
      button.setAttribute("aria-label", translate("Digit %(place)s of %(number)s: %(digit)s", values));
    });
  }

  /** @param {number | null} place of the digit to mark */
  choose(place) {
    this.#place = place;
    this.#buttons.forEach((button, i) => button.setAttribute("aria-pressed", i === place));
    this.#frame.hidden = place === null;
    if (place === null) return;
    const sides = ["left", "top", "width", "height"];
    this.#boxes[place].forEach((share, i) => (this.#frame.style[sides[i]] = `${share * 100}%`));
  }

  get #buttons() {
    return [...this.#root.querySelectorAll("button")];
  }

  #clicked(event) {
    const button = event.target.closest("button");
    if (button === null) return;
    const place = Number(button.dataset.place);
    const detail = { place: place === this.#place ? null : place };
    this.#root.dispatchEvent(new CustomEvent("choose", { detail }));
  }
}
