/**
 * Sends visitors' answers about readings. An answer that cannot be sent waits in the
 * given storage, survives a reload, and is sent again. No DOM.
 *
 * Fires "given" with `detail` {id, verdict, digit?} when the server has stored an
 * answer, and "failed" with `detail` {id, error, isWaiting} when it has not.
 *
 * @typedef {{id: string, verdict: string, digit?: number}} Given
 */
import { load, Retry, save } from "./retry.js";

const STORAGE_KEY = "digitsite.answers";

export class FeedbackOutbox extends EventTarget {
  #api;
  #storage;
  #retry;
  /** @type {Given[]} oldest first */
  #waiting = [];
  #isSending = false;

  constructor({ api, storage, clock }) {
    super();
    this.#api = api;
    this.#storage = storage;
    this.#retry = new Retry(() => this.sendNow(), clock);
  }

  get isWaiting() {
    return this.#waiting.length > 0;
  }

  /** @param {Given} given sent after those that wait; a drawing's latest one counts */
  give(given) {
    this.#waiting.push(given);
    this.#save();
    return this.sendNow();
  }

  /** Send the answers that an earlier page of this tab could not send. */
  restore() {
    this.#waiting = load(this.#storage, STORAGE_KEY) ?? [];
    return this.sendNow();
  }

  async sendNow() {
    if (this.#isSending) return;
    this.#isSending = true;
    this.#retry.stop();
    let goesOn = true;
    while (goesOn && this.isWaiting) goesOn = await this.#sendOne(this.#waiting[0]);
    this.#isSending = false;
  }

  /** @returns {Promise<boolean>} whether the next one may be sent */
  async #sendOne({ id, ...given }) {
    try {
      await this.#api.giveFeedback(id, given);
    } catch (error) {
      const isWaiting = error.isTemporary;
      if (isWaiting) this.#retry.after(error);
      else this.#done();
      this.#fire("failed", { id, error, isWaiting });
      return !isWaiting;
    }
    this.#retry.reset();
    this.#done();
    this.#fire("given", { id, ...given });
    return true;
  }

  #done() {
    this.#waiting.shift();
    this.#save();
  }

  #fire(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #save() {
    save(this.#storage, STORAGE_KEY, this.isWaiting ? this.#waiting : null);
  }
}
