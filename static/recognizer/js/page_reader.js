/**
 * The reader in the page: the active model reads strokes here, in a worker.
 *
 * It reads once `use` has loaded a model; until then, and after any failure, `model` is
 * null and the server reads. Its readings are the server's, digit by digit.
 *
 * @typedef {import("./api.js").Reading} Reading
 */
import { translate } from "./messages.js";

// A worker that the browser has stopped for its memory does not answer, or says so.
const ANSWER_WITHIN_MS = 5000;
// A download may break off once; what is blocked stays blocked.
const MOST_FAILURES = 3;

/** @returns {boolean} whether this browser should load megabytes to read by itself */
export function canReadHere({ navigator, WebAssembly, Worker } = globalThis) {
  const isSaving = navigator?.connection?.saveData === true;
  return !isSaving && typeof WebAssembly === "object" && typeof Worker === "function";
}

export class PageReader {
  #bundleUrl;
  #runtime;
  #makeWorker;
  #fetch;
  #answerWithinMs;
  /** @type {Worker | null} */
  #worker = null;
  #calls = new Map();
  #lastId = 0;
  /** @type {string | null} */
  #model = null;
  /** @type {string | null} the model that is used, or is being loaded */
  #wanted = null;
  #failures = 0;
  /** @type {number | null} id of the reading in progress */
  #reading = null;
  /** @type {{ink: string, reading: Reading} | null} what this model has read last */
  #latest = null;

  /**
   * @param {{bundleUrl: string, workerUrl: string, runtime: object,
   *   makeWorker?: (url: string) => Worker, fetch?: typeof fetch,
   *   answerWithinMs?: number}} options MODEL stands for the digest in
   *   `bundleUrl`; `runtime` has the addresses of LiteRT.js
   */
  constructor({ bundleUrl, workerUrl, runtime, makeWorker, fetch, answerWithinMs }) {
    this.#bundleUrl = bundleUrl;
    this.#runtime = runtime;
    this.#makeWorker = makeWorker ?? (() => new Worker(workerUrl));
    this.#fetch = fetch ?? globalThis.fetch.bind(globalThis);
    this.#answerWithinMs = answerWithinMs ?? ANSWER_WITHIN_MS;
  }

  /** @returns {string | null} digest of the model that reads; null if the server does */
  get model() {
    return this.#model;
  }

  get isReading() {
    return this.#reading !== null;
  }

  /**
   * Load a model if it is not in use. A failure is silent: the server reads.
   *
   * @param {string} model digest of its bundle
   */
  async use(model) {
    if (model === this.#wanted || this.#failures >= MOST_FAILURES) return;
    this.#wanted = model;
    this.#model = null;
    this.#latest = null;
    try {
      const answer = await this.#fetch(this.#bundleUrl.replace("MODEL", model));
      if (!answer.ok) throw new Error(`The server answered with status ${answer.status}.`);
      const bundle = await answer.json();
      if (model !== this.#wanted) return;
      await this.#call({ load: { runtime: this.#runtime, bundle } });
      if (model === this.#wanted) this.#model = model;
    } catch (error) {
      if (model === this.#wanted) this.#fail(error);
    }
  }

  /**
   * Read strokes. A newer call takes over.
   *
   * What was read last is not read again: a lifted pen seldom adds ink, and after its
   * event Chromium lets no answer of the worker in before the next frame, 8 ms later on
   * average.
   *
   * @param {import("./strokes.js").Drawing} drawing
   * @param {{why?: boolean}} [options] whether to explain the reading as well
   * @returns {Promise<Reading | null>} null when a newer call took over
   * @throws {Error} the reader failed; `model` is null from then on
   */
  async read({ strokes, pen_width: penWidth }, { why = false } = {}) {
    const ink = JSON.stringify(strokes);
    if (!why && this.#latest?.ink === ink) {
      this.#reading = null;
      return this.#latest.reading;
    }
    const mine = this.#lastId + 1;
    this.#reading = mine;
    const model = this.#model;
    try {
      const read = { strokes, penWidth, why };
      const answer = await this.#call({ read }, this.#answerWithinMs);
      if (this.#reading !== mine) return null;
      const reading = { ...inWords(answer), model };
      this.#latest = { ink, reading };
      return reading;
    } catch (error) {
      if (this.#reading !== mine) return null;
      throw error;
    } finally {
      if (this.#reading === mine) this.#reading = null;
    }
  }

  /** Drop the reading in progress; its promise resolves to null. */
  stopReading() {
    this.#reading = null;
  }

  #call(message, withinMs = Infinity) {
    this.#worker ??= this.#startedWorker();
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const isLimited = withinMs < Infinity;
      const tooLate = () => this.#fail(new Error("The worker does not answer."));
      const timer = isLimited ? setTimeout(tooLate, withinMs) : undefined;
      this.#calls.set(id, { resolve, reject, timer });
      this.#worker.postMessage({ id, ...message });
    });
  }

  #startedWorker() {
    const worker = this.#makeWorker();
    worker.onmessage = ({ data }) => this.#answered(data);
    worker.onerror = (event) => {
      event.preventDefault?.();
      this.#fail(new Error("The worker failed."));
    };
    return worker;
  }

  #answered({ id, result, error }) {
    if (error !== undefined) {
      this.#fail(new Error(error));
      return;
    }
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    clearTimeout(call?.timer);
    call?.resolve(result);
  }

  /** Give up this worker. `use` may start another. */
  #fail(error) {
    this.#failures += 1;
    this.#worker?.terminate();
    this.#worker = null;
    this.#model = null;
    this.#latest = null;
    this.#wanted = null;
    for (const { reject, timer } of this.#calls.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#calls.clear();
  }
}

/** Give a refusal the message that the server gives it. */
function inWords(reading) {
  const { refusal: code } = reading;
  return { ...reading, refusal: code && { code, message: messageOf(code, reading) } };
}

function messageOf(code, { probabilities }) {
  if (code === "blank") return translate("There is nothing to read. Draw a digit from 0 to 9.");
  if (code === "several") {
    return translate("There are several shapes: draw one digit, or crop the picture to one.");
  }
  if (code === "not_a_digit") {
    return translate("This does not look like a digit from 0 to 9.");
  }
  const [first, second] = [...probabilities.keys()].sort(
    (a, b) => probabilities[b] - probabilities[a],
  );
  return translate(
    "This could be %(first)s or %(second)s. Draw it a little more clearly.",
    { first, second },
  );
}
