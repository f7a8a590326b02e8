/**
 * The page's API client. Network only: no DOM and no timers of the page.
 *
 * @typedef {import("./strokes.js").Drawing | {image: string}} Drawing strokes, or a
 *   picture as data URL; optionally with `expect`, what it may be read as
 * @typedef {Object} Reading
 * @property {number | null} digit null if there is a refusal or a number
 * @property {number} confidence the largest probability
 * @property {number[]} probabilities ten, by digit
 * @property {number | null} second the runner-up
 * @property {number} digitness how digit-like the ink is, 0 to 1
 * @property {{code: string, message: string} | null} refusal
 * @property {{text: string, confidence: number, digits: NumberDigit[]}} [number] what was
 *   read if digit and refusal are null, else a guess; only if a number may be expected
 * @property {string} [seen] data URL of the 28x28 digit image
 * @property {string} [why] data URL of the explanation, an image to lay over `seen`
 * @typedef {{digit: number | null, probabilities: number[], seen?: string,
 *   box: [number, number, number, number]}} NumberDigit its box is x, y, width and height;
 *   no digit for an empty box
 * @typedef {{id: string, drawing?: Drawing, prediction?: Reading}} Submission
 * @typedef {{key: string, visitor: string}} Once a call with the same key is done once,
 *   and only as this visitor
 */

// Browsers refuse keepalive requests beyond 64 KiB, headers and others in
// flight included.
const KEEPALIVE_MAX_CHARS = 48_000;

/** A failed call. `code` is the API's own, or "network" when no answer came. */
export class ApiError extends Error {
  /**
   * @param {{code: string, message: string, status: number,
   *   fields?: object, retryAfterMs?: number | null}} facts
   */
  constructor({ code, message, status, fields = {}, retryAfterMs = null }) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.status = status;
    this.fields = fields;
    this.retryAfterMs = retryAfterMs;
  }

  /** No answer came: the server may or may not have done the call. */
  get isNetworkFailure() {
    return this.code === "network";
  }

  /**
   * Whether the same call may succeed later. This includes 403: it comes after signing
   * in or out in another tab, and the next call has the new token.
   */
  get isTemporary() {
    return this.isNetworkFailure || [403, 429].includes(this.status) || this.status >= 500;
  }
}

export class ApiClient {
  #readingsUrl;
  #submissionsUrl;
  #meUrl;
  #csrfToken;
  #fetch;
  #timeoutMs;
  /** @type {AbortController | null} of the reading in progress */
  #reading = null;

  /**
   * @param {{readingsUrl: string, submissionsUrl: string, meUrl: string,
   *   csrfToken?: () => string | undefined, fetch?: typeof fetch,
   *   timeoutMs?: number}} options csrfToken returns the
   *   current token, which only signed-in users' calls need
   */
  constructor({ readingsUrl, submissionsUrl, meUrl, csrfToken, fetch, timeoutMs = 15_000 }) {
    this.#readingsUrl = readingsUrl;
    this.#meUrl = meUrl;
    this.#submissionsUrl = submissionsUrl;
    this.#csrfToken = csrfToken;
    this.#fetch = fetch ?? globalThis.fetch.bind(globalThis);
    this.#timeoutMs = timeoutMs;
  }

  get isReading() {
    return this.#reading !== null;
  }

  /**
   * Read a drawing without storing it. A newer call aborts this one.
   *
   * @param {Drawing} drawing
   * @param {{why?: boolean}} [options] whether to explain the reading as well
   * @returns {Promise<Reading | null>} null when a newer call took over
   * @throws {ApiError}
   */
  async read(drawing, { why = false } = {}) {
    this.stopReading();
    const mine = new AbortController();
    this.#reading = mine;
    try {
      const include = why ? "seen,why" : "seen";
      const answer = await this.#call("POST", `${this.#readingsUrl}?include=${include}`, {
        body: { drawings: [drawing] },
        abort: mine,
      });
      // Compared by identity, not by `aborted`: an answer that was already arriving
      // when the newer call began must not be shown after it.
      if (this.#reading !== mine) return null;
      const [reading] = answer.readings;
      if (reading.error) throw new ApiError({ status: 400, ...reading.error });
      return reading;
    } catch (error) {
      if (this.#reading !== mine) return null;
      throw error;
    } finally {
      if (this.#reading === mine) this.#reading = null;
    }
  }

  /** Abort the reading in progress; its promise resolves to null. */
  stopReading() {
    const former = this.#reading;
    this.#reading = null;
    former?.abort();
  }

  /**
   * Get the cookie that owns drawings, unless this browser has one.
   *
   * @returns {Promise<{visitor_id: string}>}
   * @throws {ApiError}
   */
  introduce() {
    return this.#call("POST", this.#meUrl);
  }

  /**
   * Store a drawing. A small enough request continues after the page has closed.
   *
   * @param {Drawing} drawing
   * @param {Once} once
   * @returns {Promise<Submission>}
   * @throws {ApiError}
   */
  submit(drawing, once) {
    return this.#call("POST", this.#submissionsUrl, { body: drawing, ...once });
  }

  /**
   * Say whether a submission was read right.
   *
   * @param {string} id
   * @param {{verdict: string, digit?: number, number?: string}} feedback
   * @param {Once} once
   * @throws {ApiError}
   */
  giveFeedback(id, feedback, once) {
    const url = `${this.#submissionsUrl}${id}/feedback/`;
    return this.#call("POST", url, { body: feedback, ...once });
  }

  /**
   * Delete a submission. One already gone counts as deleted.
   *
   * @param {string} id
   * @param {{visitor: string}} owner
   * @throws {ApiError}
   */
  async delete(id, { visitor }) {
    try {
      await this.#call("DELETE", `${this.#submissionsUrl}${id}/`, { visitor });
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }

  async #call(method, url, { body, key, visitor, abort = new AbortController() } = {}) {
    const headers = { Accept: "application/json" };
    if (key) headers["Idempotency-Key"] = key;
    if (visitor) headers["Visitor-Id"] = visitor;
    const token = this.#csrfToken?.();
    if (token) headers["X-CSRFToken"] = token;
    const options = { method, headers, signal: abort.signal };
    if (body !== undefined) {
      headers["Content-Type"] = "application/json";
      options.body = JSON.stringify(body);
      options.keepalive = options.body.length <= KEEPALIVE_MAX_CHARS;
    }

    const timer = setTimeout(() => abort.abort(), this.#timeoutMs);
    try {
      const response = await this.#fetch(url, options);
      if (!response.ok) throw await errorFrom(response);
      return response.status === 204 ? null : await response.json();
    } catch (error) {
      if (error instanceof ApiError) throw error;
      // fetch throws TypeError, an abort AbortError, a broken body SyntaxError.
      const message = "No connection to the server.";
      throw new ApiError({ code: "network", message, status: 0 });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Read an error in the API's format; a proxy in between may send another. */
async function errorFrom(response) {
  const { status } = response;
  const seconds = Number(response.headers.get("Retry-After") ?? NaN);
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : null;
  const answer = await response.json().catch(() => null);
  const { code, message, fields } = answer?.error ?? {};
  return new ApiError({
    code: code ?? `http_${status}`,
    message: message ?? `The server answered with status ${status}.`,
    status,
    fields,
    retryAfterMs,
  });
}
