/**
 * The page's side of the API. Network only: no DOM, no timers of the page.
 *
 * @typedef {import("./strokes.js").Drawing | {image: string}} Drawing strokes, or a
 *   picture as data URL
 * @typedef {Object} Reading
 * @property {number | null} digit null exactly when refusal is not
 * @property {number} confidence the largest probability
 * @property {number[]} probabilities ten, by digit
 * @property {number | null} second the runner-up
 * @property {number} digitness how digit-like the ink is, 0 to 1
 * @property {{code: string, message: string} | null} refusal
 * @property {string} [seen] data URL of the 28x28 digit image
 * @property {string} [why] data URL of what spoke for and against, to lay over it
 * @typedef {{id: string, drawing?: Drawing, prediction?: Reading}} Submission
 */

// Browsers refuse keepalive requests beyond 64 KiB, headers and others in
// flight included.
const KEEPALIVE_MAX_CHARS = 48_000;

// How far back a drawing whose answer got lost is looked for.
const NEWEST_COUNT = 5;

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

  /** No answer came: whether the server did its part is unknown. */
  get isNetworkFailure() {
    return this.code === "network";
  }

  /**
   * The same call may well succeed later. A 403 too: it comes while someone
   * signs in or out in another tab, and the next call has the new token.
   */
  get isTemporary() {
    return this.isNetworkFailure || [403, 429].includes(this.status) || this.status >= 500;
  }
}

export class ApiClient {
  #readingsUrl;
  #submissionsUrl;
  #csrfToken;
  #fetch;
  #timeoutMs;
  /** @type {AbortController | null} of the newest reading, while it lasts */
  #reading = null;

  /**
   * @param {{readingsUrl: string, submissionsUrl: string, csrfToken?: () => string | undefined,
   *   fetch?: typeof fetch, timeoutMs?: number}} options csrfToken gives the
   *   present token, which only signed-in people's calls need
   */
  constructor({ readingsUrl, submissionsUrl, csrfToken, fetch, timeoutMs = 15_000 }) {
    this.#readingsUrl = readingsUrl;
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
      // Asked by identity, not by `aborted`: an answer already under way when
      // the newer call came must not be shown after it.
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

  /** Give up the reading under way; its promise resolves to null. */
  stopReading() {
    const former = this.#reading;
    this.#reading = null;
    former?.abort();
  }

  /**
   * Store a drawing. The request outlives the page when it is small enough.
   * Tabs take turns, because a newcomer's first answer brings the cookie: two
   * first calls at once would make two owners.
   *
   * @param {Drawing} drawing
   * @param {{isLeaving?: boolean}} [options] there is no time to take turns
   * @returns {Promise<Submission>}
   * @throws {ApiError}
   */
  submit(drawing, { isLeaving = false } = {}) {
    const send = () => this.#call("POST", this.#submissionsUrl, { body: drawing });
    const locks = globalThis.navigator?.locks;
    return isLeaving || !locks ? send() : locks.request("digitsite.submit", send);
  }

  /**
   * Look for a drawing whose submission may have arrived without an answer.
   * `Idempotency-Key` can not do this: a browser's first call has no cookie
   * yet, and without one the API takes no key. A picture is not found again: it
   * is kept in another form than it was sent.
   *
   * @param {Drawing} drawing
   * @returns {Promise<Submission | null>}
   * @throws {ApiError}
   */
  async findStored(drawing) {
    if (!drawing.strokes) return null;
    const url = `${this.#submissionsUrl}?page_size=${NEWEST_COUNT}`;
    const { results } = await this.#call("GET", url);
    const strokes = JSON.stringify(drawing.strokes);
    const isSame = (one) => JSON.stringify(one.drawing?.strokes) === strokes;
    return results.find(isSame) ?? null;
  }

  /**
   * Say whether a submission was read right.
   *
   * @param {string} id
   * @param {{verdict: string, digit?: number}} feedback
   * @throws {ApiError}
   */
  giveFeedback(id, feedback) {
    return this.#call("POST", `${this.#submissionsUrl}${id}/feedback/`, { body: feedback });
  }

  /**
   * Delete a submission. One already gone counts as deleted.
   *
   * @param {string} id
   * @throws {ApiError}
   */
  async delete(id) {
    try {
      await this.#call("DELETE", `${this.#submissionsUrl}${id}/`);
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }

  async #call(method, url, { body, abort = new AbortController() } = {}) {
    const headers = { Accept: "application/json" };
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
      // fetch says TypeError, an abort says AbortError, a broken body SyntaxError.
      const message = "No connection to the server.";
      throw new ApiError({ code: "network", message, status: 0 });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Read the API's one error form; a proxy in between may answer otherwise. */
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
