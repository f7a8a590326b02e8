/** Retries failed calls, and stores what they have to send. */

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

/** The page's timers; tests pass their own. */
export const pageClock = {
  setTimeout: (...args) => setTimeout(...args),
  clearTimeout: (id) => clearTimeout(id),
};

/**
 * Retries with exponential backoff: after a second, then twice as long each time,
 * and never before the server's Retry-After.
 */
export class Retry {
  #action;
  #clock;
  #failures = 0;
  #timer;

  /** @param {() => void} action to try again */
  constructor(action, clock = pageClock) {
    this.#action = action;
    this.#clock = clock;
  }

  /** @param {import("./api.js").ApiError} error the action's failure */
  after(error) {
    const backoff = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, LAST_RETRY_MS);
    this.#failures += 1;
    this.in(Math.max(backoff, error.retryAfterMs ?? 0));
  }

  in(delayMs) {
    this.stop();
    this.#timer = this.#clock.setTimeout(this.#action, delayMs);
  }

  /** Cancel the next retry. */
  stop() {
    this.#clock.clearTimeout(this.#timer);
  }

  /** Start with short delays again, after a success or when the visitor retries. */
  reset() {
    this.#failures = 0;
  }
}

/** @returns {any} the value that `save` stored; null if there is none, or no storage */
export function load(storage, key) {
  try {
    return JSON.parse(storage.getItem(key));
  } catch {
    return null;
  }
}

/** @param {any} value null removes it */
export function save(storage, key, value) {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage is off or full: the value is only kept on this page.
  }
}
