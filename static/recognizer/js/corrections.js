/**
 * Sends what visitors say of readings, and loses none: an answer that cannot be
 * sent waits in the given storage, outlives a reload, and is sent again. No DOM.
 *
 * Fires "given" with `detail` {id, verdict, digit?} once the server has an answer,
 * and "failed" with `detail` {id, error, isWaiting} when it does not take one now.
 *
 * @typedef {{id: string, verdict: string, digit?: number}} Given
 */
import { pageClock, retryDelay } from "./retry.js";

const STORAGE_KEY = "digitsite.answers";

export class Corrections extends EventTarget {
  #reader;
  #storage;
  #clock;
  /** @type {Given[]} oldest first */
  #waiting = [];
  #isWorking = false;
  #failures = 0;
  #retryTimer;

  constructor({ reader, storage, clock = pageClock }) {
    super();
    this.#reader = reader;
    this.#storage = storage;
    this.#clock = clock;
  }

  get isWaiting() {
    return this.#waiting.length > 0;
  }

  /** @param {Given} given sent now, after those that wait; the latest of a drawing counts */
  give(given) {
    this.#waiting.push(given);
    this.#save();
    return this.sendNow();
  }

  /** Take up what an earlier page of this tab could not send. */
  restore() {
    try {
      this.#waiting = JSON.parse(this.#storage.getItem(STORAGE_KEY)) ?? [];
    } catch {
      this.#waiting = [];
    }
    return this.sendNow();
  }

  async sendNow() {
    if (this.#isWorking) return;
    this.#isWorking = true;
    this.#clock.clearTimeout(this.#retryTimer);
    let goesOn = true;
    while (goesOn && this.isWaiting) goesOn = await this.#sendOne(this.#waiting[0]);
    this.#isWorking = false;
  }

  /** @returns {Promise<boolean>} whether the next one may be sent */
  async #sendOne({ id, ...given }) {
    try {
      await this.#reader.giveFeedback(id, given);
      this.#failures = 0;
      this.#done();
      this.#fire("given", { id, ...given });
    } catch (error) {
      const isWaiting = error.isTemporary;
      if (isWaiting) this.#retryLater(error);
      else this.#done();
      this.#fire("failed", { id, error, isWaiting });
      return !isWaiting;
    }
    return true;
  }

  #done() {
    this.#waiting.shift();
    this.#save();
  }

  #retryLater(error) {
    const delay = retryDelay(error, this.#failures);
    this.#failures += 1;
    this.#retryTimer = this.#clock.setTimeout(() => this.sendNow(), delay);
  }

  #fire(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #save() {
    try {
      if (this.isWaiting) this.#storage.setItem(STORAGE_KEY, JSON.stringify(this.#waiting));
      else this.#storage.removeItem(STORAGE_KEY);
    } catch {
      // Storage is off or full: the answers still live on this page.
    }
  }
}
