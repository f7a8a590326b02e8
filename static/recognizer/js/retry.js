/**
 * When what failed is tried again: after a second, then twice as long each time,
 * and never before the server wants it.
 */
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

/**
 * @param {import("./reader.js").ApiError} error
 * @param {number} failures in a row before this one
 * @returns {number} in ms
 */
export function retryDelay(error, failures) {
  const backoff = Math.min(FIRST_RETRY_MS * 2 ** failures, LAST_RETRY_MS);
  return Math.max(backoff, error.retryAfterMs ?? 0);
}

/** The page's timers, where a test brings none of its own. */
export const pageClock = {
  setTimeout: (...args) => setTimeout(...args),
  clearTimeout: (id) => clearTimeout(id),
};
