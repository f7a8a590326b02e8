/**
 * The queue of drawings to be stored. It sends each drawing once the pen has rested,
 * and retries until the server has stored it.
 *
 * No DOM. A *sheet* is one drawing from its first ink to "New drawing". When ink is
 * added to a stored sheet, the sheet is stored as a new submission and the old one
 * is then deleted. Drawings that are not stored yet are also in the given storage,
 * so that they survive a reload.
 *
 * Fires "update" whenever its state has changed.
 *
 * @typedef {import("./strokes.js").Drawing} Drawing
 * @typedef {import("./api.js").ApiError} ApiError
 * @typedef {Object} Sheet
 * @property {Drawing | null} drawing its current ink
 * @property {boolean} isDue its pen has rested, or the visitor asked
 * @property {string | null} keptId the submission that holds `keptInk`
 * @property {string | null} keptInk
 * @property {string | null} refusedInk ink that the server refused
 * @property {Drawing | null} attempted sent but not answered: it may be stored
 */
import { load, pageClock, Retry, save } from "./retry.js";

const REST_MS = 1200;
// A drawing sent while a page closes is stored about when the next page opens. If the
// next page looked for it at once, it might not find it and store it a second time.
const LOOK_AFTER_MS = 2000;
const STORAGE_KEY = "digitsite.unkept";

export class Outbox extends EventTarget {
  #api;
  #storage;
  #clock;
  /** @type {Sheet} */
  #present = newSheet();
  /** @type {Sheet[]} put away before they were stored, oldest first */
  #putAway = [];
  /** @type {string[]} superseded submissions still to be deleted */
  #superseded = [];
  /** @type {Set<string>} submissions with feedback, which are never deleted */
  #answered = new Set();
  /** @type {Sheet | null} */
  #sending = null;
  /** @type {string | null} */
  #lastKeptId = null;
  /** @type {ApiError | null} */
  #problem = null;
  #isWorking = false;
  #hasLeft = false;
  #restTimer;
  #retry;

  /**
   * @param {{api: import("./api.js").ApiClient, storage: Storage,
   *   clock?: {setTimeout: Function, clearTimeout: Function}}} options
   */
  constructor({ api, storage, clock = pageClock }) {
    super();
    this.#api = api;
    this.#storage = storage;
    this.#clock = clock;
    this.#retry = new Retry(() => this.#work(), clock);
  }

  /** Whether the ink on the pad is still to be stored. */
  get isUnkept() {
    return isUnkept(this.#present);
  }

  /**
   * @returns {string | null} the submission that holds the ink on the pad; if the
   *   pad is empty, the last one stored
   */
  get keptId() {
    if (this.#present.drawing === null) return this.#lastKeptId;
    return isKept(this.#present) ? this.#present.keptId : null;
  }

  /** @returns {ApiError | null} why storing has stopped, if it has */
  get problem() {
    return this.#problem;
  }

  /** The pen is down: the drawing is not finished. */
  hold() {
    this.#clock.clearTimeout(this.#restTimer);
  }

  /** @param {Drawing | null} drawing the ink after a stroke, an undo or a redo */
  inkChanged(drawing) {
    this.hold();
    this.#present.drawing = drawing;
    this.#present.isDue = false;
    if (!this.#problem?.isTemporary) this.#problem = null;
    if (this.isUnkept) {
      this.#restTimer = this.#clock.setTimeout(() => this.keepNow(), REST_MS);
    }
    this.#tell();
  }

  /** Store the present ink without waiting. */
  keepNow() {
    this.hold();
    this.#present.isDue = true;
    this.#work();
  }

  /** Begin a new sheet; the present one is stored if it is not yet. */
  newSheet() {
    this.hold();
    if (this.isUnkept) this.#putAway.push(this.#present);
    this.#present = newSheet();
    this.#tell();
    this.#work();
  }

  /**
   * Keep a submission that has feedback, even if its drawing changes.
   *
   * @param {string} id
   */
  keepForGood(id) {
    this.#answered.add(id);
  }

  /** Retry at once after a failure. */
  retryNow() {
    this.#retry.reset();
    this.#present.isDue = true;
    this.#work();
  }

  /** The page is closing: send what is left without waiting for answers. */
  leave() {
    this.hold();
    this.#retry.stop();
    this.#hasLeft = true;
    for (const sheet of this.#unkeptSheets()) {
      const isUnderWay = sheet === this.#sending && sheet.attempted === sheet.drawing;
      if (isUnderWay) continue;
      sheet.attempted = sheet.drawing;
      // Nobody receives the answer; `attempted` makes the next page look for it.
      this.#api.submit(sheet.drawing, { isLeaving: true }).catch(() => {});
      // The first answer sets the visitor's cookie. Two calls before it would create
      // two visitors, so the other drawings wait in storage for the next page.
      if (this.#lastKeptId === null) break;
    }
    this.#save();
  }

  /** The page came back from the browser's cache. */
  comeBack() {
    this.#hasLeft = false;
    this.retryNow();
  }

  /**
   * Load the drawings that an earlier page of this tab could not store.
   *
   * @returns {Drawing | null} the ink that was on the pad
   */
  restore() {
    const saved = load(this.#storage, STORAGE_KEY);
    if (saved === null) return null;
    this.#putAway = saved.putAway;
    this.#superseded = saved.superseded;
    this.#present = saved.present ?? newSheet();
    this.#present.isDue = true;
    const isUnderWay = [...this.#putAway, this.#present].some((one) => one.attempted);
    if (isUnderWay) this.#retry.in(LOOK_AFTER_MS);
    else this.#work();
    return this.#present.drawing;
  }

  #unkeptSheets() {
    return [...this.#putAway, this.#present].filter(isUnkept);
  }

  #nextDue() {
    return this.#unkeptSheets().find((s) => s !== this.#present || s.isDue);
  }

  async #work() {
    if (this.#isWorking || this.#hasLeft) return;
    this.#isWorking = true;
    this.#retry.stop();
    try {
      for (;;) {
        const sheet = this.#nextDue();
        if (sheet) await this.#store(sheet);
        else if (this.#superseded.length > 0) await this.#deleteSuperseded();
        else break;
        this.#retry.reset();
        if (this.#problem?.isTemporary) this.#problem = null;
        this.#tell();
      }
    } catch (error) {
      this.#problem = error;
      this.#retry.after(error);
    } finally {
      this.#isWorking = false;
      this.#tell();
    }
  }

  async #store(sheet) {
    this.#sending = sheet;
    try {
      if (sheet.attempted) {
        const found = await this.#findStored(sheet.attempted);
        if (found) this.#markKept(sheet, sheet.attempted, found.id);
        sheet.attempted = null;
      }
      if (isUnkept(sheet)) await this.#submit(sheet);
    } finally {
      this.#sending = null;
      this.#putAway = this.#putAway.filter(isUnkept);
    }
  }

  async #findStored(drawing) {
    try {
      return await this.#api.findStored(drawing);
    } catch (error) {
      if (error.isTemporary) throw error;
      return null; // Store it again: a duplicate is better than a loss.
    }
  }

  async #submit(sheet) {
    const { drawing } = sheet;
    sheet.attempted = drawing;
    this.#save();
    try {
      const submission = await this.#api.submit(drawing);
      sheet.attempted = null;
      this.#markKept(sheet, drawing, submission.id);
    } catch (error) {
      // After a lost answer or a server error the drawing may still be stored.
      const isCertain = error.status >= 400 && error.status < 500;
      if (isCertain) sheet.attempted = null;
      if (error.isTemporary) throw error;
      sheet.refusedInk = inkOf(drawing);
      this.#problem = error;
    }
  }

  #markKept(sheet, drawing, id) {
    const { keptId } = sheet;
    if (keptId !== null && !this.#answered.has(keptId)) this.#superseded.push(keptId);
    sheet.keptId = id;
    sheet.keptInk = inkOf(drawing);
    this.#lastKeptId = id;
  }

  async #deleteSuperseded() {
    try {
      await this.#api.delete(this.#superseded[0]);
    } catch (error) {
      // If the server refuses, the old submission stays in the history.
      if (error.isTemporary) throw error;
    }
    this.#superseded.shift();
  }

  #tell() {
    this.#save();
    this.dispatchEvent(new Event("update"));
  }

  #save() {
    const present = this.isUnkept ? this.#present : null;
    const unsaved = { putAway: this.#putAway, superseded: this.#superseded, present };
    const isAllDone =
      present === null && this.#putAway.length === 0 && this.#superseded.length === 0;
    save(this.#storage, STORAGE_KEY, isAllDone ? null : unsaved);
  }
}

/** @returns {Sheet} */
function newSheet() {
  return {
    drawing: null,
    isDue: false,
    keptId: null,
    keptInk: null,
    refusedInk: null,
    attempted: null,
  };
}

function inkOf(drawing) {
  return drawing.image ?? JSON.stringify(drawing.strokes);
}

function isKept(sheet) {
  return sheet.drawing !== null && inkOf(sheet.drawing) === sheet.keptInk;
}

function isUnkept(sheet) {
  if (sheet.drawing === null) return false;
  return !isKept(sheet) && inkOf(sheet.drawing) !== sheet.refusedInk;
}
