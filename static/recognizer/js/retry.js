/** Retries failed calls. */

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

/** The page's timers; tests pass their own. */
export const pageClock = {
  setTimeout: (...args) => setTimeout(...args),
  clearTimeout: (id) => clearTimeout(id),
  now: () => Date.now(),
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
    this.stop();
    const delayMs = Math.max(backoff, error.retryAfterMs ?? 0);
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
