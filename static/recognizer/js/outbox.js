/**
 * The queue of drawings to be stored, and of answers about them. It sends a drawing once
 * the pen has rested, and retries until the server has stored it, after days as well.
 *
 * No DOM. A *sheet* is one drawing from its first ink to "New drawing". Each version of
 * its ink is an entry with a key of its own, which is sent as `Idempotency-Key`: whoever
 * sends an entry, and however often, it is stored once. When ink is added to a stored
 * sheet, the new version is stored and the former one is then deleted. Pages of the same
 * browser share the entries and take turns in sending them.
 *
 * An entry belongs to the visitor that drew it, and is sent as this visitor's or not at
 * all. One drawn before the first call becomes the visitor's that makes this call.
 *
 * Fires "update" whenever its state has changed; "stored" with {key, id, digit, submission}
 * when the server has stored a drawing; "answered" with {key} when it has an answer, and
 * "unanswered" with {key, error} when it has not; "visitor" when the browser became one.
 *
 * @typedef {import("./strokes.js").Drawing} Drawing
 * @typedef {import("./api.js").ApiError} ApiError
 * @typedef {Object} Entry
 * @property {string} key keys sort by age
 * @property {string | null} visitor who drew it; null before the first call
 * @property {Drawing | null} drawing null once it is stored
 * @property {PageReading | null} read what the page read in it, if it did
 * @property {number} dueAt when any page may send it, in ms since 1970
 * @property {boolean} isSent it may be stored, so it must not change
 * @property {string | null} id of the submission, once it is stored
 * @property {number | null} digit what the server read in it
 * @property {string | null} number what it read if that was a number
 * @property {number | null} storedAt
 * @property {string | null} supersedes the key of the sheet's former version
 * @property {Answer[]} answers to be sent, oldest first
 * @property {boolean} isAnswered then it is never deleted
 * @typedef {{digit: number | null, refusal: string | null, model: string}} PageReading
 * @typedef {{verdict: string, digit?: number | null, number?: string | null}} Given
 *   `digit` or `number` is also given with the verdict "right"
 * @typedef {Given & {key: string}} Answer
 */
import { numberIn } from "./reading_view.js";
import { MemoryRecords } from "./records.js";
import { pageClock, Retry } from "./retry.js";

const REST_MS = 1200;
// A page that is still drawn on renews this; after it, the page is gone.
const ABANDONED_MS = 30_000;
// Another page may still add to a stored drawing.
const FORGOTTEN_MS = 24 * 3600 * 1000;
const PRESENT_KEY = "digitsite.present";
const LEAVING_KEY = "digitsite.leaving.";

let latestMs = 0;

/** A name for an entry or an answer; it sorts after this page's earlier ones. */
function newKey(nowMs) {
  latestMs = Math.max(nowMs, latestMs + 1);
  const random = crypto.getRandomValues(new Uint32Array(3));
  return `${latestMs.toString(36)}-${[...random].map((one) => one.toString(36)).join("")}`;
}

export class Outbox extends EventTarget {
  #api;
  #storage;
  #clock;
  #locks;
  /** @type {Promise<import("./records.js").Records>} */
  #records;
  #isLasting = true;
  /** @type {Promise<unknown>} the change before the next one */
  #changes = Promise.resolve();
  /** @type {string | null} whose the next drawings are */
  #visitor;
  /** @type {string | null} the visitor whose cookie was just set */
  #newVisitor = null;
  /** @type {Set<string>} visitors that the caller is not */
  #strangers = new Set();
  #present = newSheet();
  /** @type {string | null} */
  #lastKeptId = null;
  /** @type {ApiError | null} */
  #problem = null;
  #isOff = false;
  #isSending = false;
  #isWorking = false;
  #isWanted = false;
  #hasLeft = false;
  #restTimer;
  #retry;

  /**
   * @param {{api: import("./api.js").ApiClient, visitor?: string | null,
   *   records: Promise<import("./records.js").Records>,
   *   storage?: {local: Storage | null, session: Storage | null},
   *   locks?: LockManager, clock?: typeof pageClock}} options
   */
  constructor({ api, records, visitor = null, storage = {}, locks, clock = pageClock }) {
    super();
    this.#api = api;
    this.#records = records;
    this.#visitor = visitor;
    this.#storage = storage;
    this.#locks = locks;
    this.#clock = clock;
    this.#retry = new Retry(() => this.#work(), clock);
  }

  /** Whether the ink on the pad is still to be stored. */
  get isUnkept() {
    return !this.#isOff && isUnkept(this.#present);
  }

  /**
   * @returns {string | null} the submission that holds the ink on the pad; if the
   *   pad is empty, the last one stored
   */
  get keptId() {
    if (this.#present.drawing === null) return this.#lastKeptId;
    return isKept(this.#present) ? this.#present.kept.id : null;
  }

  /** @returns {string | null} the entry of the ink on the pad, if it can be answered */
  get askKey() {
    if (this.#present.drawing === null) return null;
    if (isKept(this.#present)) return this.#present.kept.key;
    const isWaiting = this.isUnkept && this.#present.isDue && this.#problem?.isTemporary;
    return isWaiting ? this.#present.key : null;
  }

  /** Whether a drawing is being sent. */
  get isSending() {
    return this.#isSending;
  }

  /** @returns {ApiError | null} why storing has stopped, if it has */
  get problem() {
    return this.#problem;
  }

  /** Whether what waits outlives this page. */
  get isLasting() {
    return this.#isLasting;
  }

  /** Keep nothing: neither on the server nor here. What waits already goes on waiting. */
  get isOff() {
    return this.#isOff;
  }

  set isOff(isOff) {
    if (isOff === this.#isOff) return;
    this.hold();
    const { drawing } = this.#present;
    if (isOff) this.#write(this.#present, null);
    this.#present = newSheet();
    this.#isOff = isOff;
    this.inkChanged(drawing);
    if (!isOff) this.#work();
  }

  /** The pen is down: the drawing is not finished. */
  hold() {
    this.#clock.clearTimeout(this.#restTimer);
  }

  /** @param {Drawing | null} drawing the ink after a stroke, an undo or a redo */
  inkChanged(drawing) {
    this.hold();
    const sheet = this.#present;
    Object.assign(sheet, { drawing, read: null, isDue: false });
    if (!this.#problem?.isTemporary) this.#problem = null;
    if (this.isUnkept) {
      if (sheet.keys.get(sheet.key) !== inkOf(drawing)) this.#write(sheet, drawing);
      this.#restTimer = this.#clock.setTimeout(() => this.keepNow(), REST_MS);
    } else if (!this.#isOff) this.#write(sheet, null);
    this.#tell();
  }

  /** @param {PageReading} read what the page read in the present ink; the server counts it */
  pageRead(read) {
    this.#present.read = read;
  }

  /** Store the present ink without waiting. */
  keepNow() {
    this.hold();
    this.#markDue(this.#present);
    this.#work();
  }

  /** Begin a new sheet; the present one is stored if it is not yet. */
  newSheet() {
    this.hold();
    this.#markDue(this.#present);
    this.#present = newSheet();
    this.#tell();
    this.#work();
  }

  /**
   * Take an answer about a drawing of this page.
   *
   * @param {string} key of its entry
   * @param {Given} given
   */
  give(key, given) {
    const { kept } = this.#present;
    const answer = { key: newKey(this.#clock.now()), ...given };
    this.#change(async (all) => {
      const entry = (await all.get(key)) ?? (kept?.key === key && this.#storedEntry(kept));
      if (!entry) return;
      entry.answers.push(answer);
      await all.put({ ...entry, isAnswered: true });
    });
    return this.#work();
  }

  /** Retry at once after a failure. */
  retryNow() {
    this.#retry.reset();
    this.#markDue(this.#present);
    return this.#work();
  }

  /** The page is closing: write down and send what is left, without waiting. */
  leave() {
    this.hold();
    this.#retry.stop();
    this.#hasLeft = true;
    const sheet = this.#present;
    if (!this.isUnkept) return;
    const entry = { ...this.#entryOf(sheet), dueAt: 0, isSent: true, read: null };
    // The page may be gone before IndexedDB has taken it.
    save(this.#storage.local, LEAVING_KEY + entry.key, entry);
    this.#change(async (all) => {
      const here = await all.get(entry.key);
      if (here && here.id === null) await all.put({ ...here, dueAt: 0, isSent: true });
    });
    if (this.#visitor === null) return;
    this.#api.submit(entry.drawing, { key: entry.key, visitor: this.#visitor }).catch(() => {});
  }

  /** The page came back from the browser's cache. */
  comeBack() {
    this.#hasLeft = false;
    return this.retryNow();
  }

  /**
   * Send what earlier pages could not.
   *
   * @returns {Promise<Drawing | null>} the ink that was on this tab's pad
   */
  async restore() {
    const key = load(this.#storage.session, PRESENT_KEY);
    const left = takeAll(this.#storage.local, LEAVING_KEY);
    const limit = this.#clock.now() - FORGOTTEN_MS;
    const found = await this.#change(async (all) => {
      for (const entry of left) if (!(await all.get(entry.key))) await all.put(entry);
      const isOld = (one) => one.id !== null && one.storedAt < limit && !isOpen(one);
      for (let old; (old = await all.first(isOld)); ) await all.delete(old.key);
      return key === null ? undefined : all.get(key);
    });
    this.#work();
    // Drawings of pages that were killed become due by then.
    this.#clock.setTimeout(() => this.#work(), ABANDONED_MS);
    const isFree = this.#present.drawing === null && !this.#isOff;
    if (!isFree || !found || found.id !== null) return null;
    if (found.visitor !== null && found.visitor !== this.#visitor) return null;
    const { drawing, read } = found;
    const keys = new Map([[key, inkOf(drawing)]]);
    this.#present = { ...newSheet(), key, drawing, read, keys, last: key };
    this.#markDue(this.#present);
    this.#work();
    return drawing;
  }

  /** Make the changes one after the other; where they fail, go on in memory. */
  #change(work) {
    const done = this.#changes.then(async () => {
      const records = await this.#records;
      this.#isLasting = records.isLasting;
      try {
        return await records.change(work);
      } catch (error) {
        if (!records.isLasting) throw error;
        // Full, or closed by the browser. What is in there is sent by a later page.
        const copy = await this.#copied(records);
        this.#records = Promise.resolve(copy);
        this.#isLasting = false;
        return copy.change(work);
      }
    });
    this.#changes = done.catch(() => {});
    return done;
  }

  async #copied(records) {
    const entries = [];
    const sheet = this.#present;
    if (this.isUnkept) entries.push({ ...this.#entryOf(sheet), supersedes: null });
    const noted = (all) => all.first((one) => entries.push(one) && false);
    await records.change(noted).catch(() => {});
    const copy = new MemoryRecords();
    await copy.change((all) => Promise.all(entries.map((one) => all.put(one))));
    return copy;
  }

  #entryOf({ key, drawing, last }) {
    const dueAt = this.#clock.now() + ABANDONED_MS;
    const visitor = this.#visitor;
    return { ...NEW_ENTRY, key, visitor, drawing, dueAt, supersedes: last, answers: [] };
  }

  #storedEntry({ key, id, digit, number }) {
    const storedAt = this.#clock.now();
    const visitor = this.#visitor;
    return { ...NEW_ENTRY, key, visitor, id, digit, number, storedAt, answers: [] };
  }

  /** Put a sheet's new version in the place of the former one, if that is not sent yet. */
  #write(sheet, drawing) {
    sheet.key = drawing === null ? null : newKey(this.#clock.now());
    if (drawing !== null) sheet.keys.set(sheet.key, inkOf(drawing));
    const entry = drawing === null ? null : this.#entryOf(sheet);
    save(this.#storage.session, PRESENT_KEY, sheet.key);
    this.#change(async (all) => {
      const former = sheet.last === null ? undefined : await all.get(sheet.last);
      let supersedes = sheet.last;
      if (former && former.id === null && !former.isSent) {
        await all.delete(former.key);
        supersedes = former.supersedes;
      }
      if (entry !== null) await all.put({ ...entry, supersedes });
      sheet.last = entry === null ? supersedes : entry.key;
    });
  }

  #markDue(sheet) {
    const { key, read } = sheet;
    if (this.#isOff || key === null || !isUnkept(sheet)) return;
    sheet.isDue = true;
    this.#change(async (all) => {
      const entry = await all.get(key);
      if (!entry || entry.id !== null) return;
      await all.put({ ...entry, dueAt: 0, read: entry.isSent ? entry.read : read });
    });
  }

  /** Send what is due, in turn with the other pages. */
  async #work() {
    this.#isWanted = true;
    if (this.#isWorking || this.#hasLeft || this.#isOff) return;
    this.#isWorking = true;
    this.#retry.stop();
    try {
      while (this.#isWanted) {
        this.#isWanted = false;
        await this.#inTurn(() => this.#sendAll());
      }
    } catch (error) {
      this.#problem = error;
      this.#retry.after(error);
    } finally {
      this.#isWorking = false;
      this.#isSending = false;
      this.#tell();
    }
  }

  #inTurn(send) {
    return this.#locks ? this.#locks.request("digitsite.outbox", send) : send();
  }

  async #sendAll() {
    await this.#catchUp();
    while (!this.#isOff) {
      const now = this.#clock.now();
      const isNext = (one) =>
        !this.#strangers.has(one.visitor) && (one.id === null ? one.dueAt <= now : isOpen(one));
      const entry = await this.#change((all) => all.first(isNext));
      if (!entry) break;
      if (entry.id === null) await this.#store(entry);
      else if (entry.answers.length > 0) await this.#answer(entry);
      else await this.#deleteFormer(entry);
      this.#retry.reset();
      if (this.#problem?.isTemporary) this.#problem = null;
      this.#tell();
    }
    if (this.#problem?.isTemporary) this.#problem = null;
  }

  /** See whether another page has stored the present ink. */
  async #catchUp() {
    const { key } = this.#present;
    if (key === null || !isUnkept(this.#present)) return;
    const entry = await this.#change((all) => all.get(key));
    if (entry && entry.id !== null) this.#keptAs(entry);
  }

  async #store({ key, visitor: drawnBy }) {
    this.#isSending = true;
    this.#tell();
    try {
      const visitor = drawnBy ?? this.#visitor ?? (await this.#become());
      const entry = await this.#update(key, (here) => ({ ...here, isSent: true, visitor }));
      if (entry) await this.#submit(entry); // else it was replaced meanwhile
    } finally {
      this.#isSending = false;
    }
  }

  async #submit(entry) {
    const { key } = entry;
    try {
      const { drawing, read } = entry;
      const body = read ? { ...drawing, page_reading: read } : drawing;
      const submission = await this.#api.submit(body, { key, visitor: entry.visitor });
      const { id, prediction } = submission;
      const digit = prediction?.digit ?? null;
      const number = prediction ? numberIn(prediction) : null;
      const stored = await this.#update(key, (here) => ({
        ...here, id, digit, number, drawing: null, storedAt: this.#clock.now(),
      }));
      this.#keptAs(stored ?? { key, id, digit, number }, submission);
    } catch (error) {
      if (error.isTemporary) throw error;
      await this.#refused(entry, error);
    } finally {
      this.#newVisitor = null;
    }
  }

  /** Become a visitor before the first drawing is sent. */
  async #become() {
    const { visitor_id: visitor } = await this.#api.introduce();
    this.#visitor = visitor;
    this.#newVisitor = visitor;
    this.#fire("visitor", { visitor });
    return visitor;
  }

  async #refused(entry, error) {
    const { key, visitor } = entry;
    const isBlocked = visitor === this.#newVisitor && error.status === 409;
    if (error.code === "other_visitor" && !isBlocked) {
      this.#strangers.add(visitor);
      if (key === this.#present.key) this.#problem = error;
      return;
    }
    if (error.code === "lost_visitor" && !isBlocked) {
      // The browser was killed before it had written down its cookie, for example.
      if (visitor === this.#visitor) this.#visitor = null;
      await this.#update(key, (here) => ({ ...here, visitor: null }));
      return;
    }
    if (error.code === "idempotency_key_reused" && entry.read !== null) {
      // The leaving page has sent it without its reading.
      await this.#update(key, (here) => ({ ...here, read: null }));
      return;
    }
    await this.#change((all) => all.delete(key));
    // The cookie that was just set has not come back: it is blocked.
    if (isBlocked) this.isOff = true;
    else if (key === this.#present.key) {
      this.#present.refusedInk = inkOf(entry.drawing);
      this.#problem = error;
    }
  }

  #keptAs({ key, id, digit, number }, submission) {
    const ink = this.#present.keys.get(key);
    if (ink !== undefined) {
      this.#present.kept = { key, ink, id, digit, number };
      this.#lastKeptId = id;
    } else if (this.#present.drawing === null) this.#lastKeptId = id;
    this.#fire("stored", { key, id, digit, submission });
    // The ink was undone to what was stored before.
    const { drawing, key: presentKey } = this.#present;
    if (this.isUnkept && presentKey === null) this.inkChanged(drawing);
  }

  async #answer(entry) {
    const { key, id, visitor } = entry;
    const [answer] = entry.answers;
    let failure = null;
    try {
      const call = { key: answer.key, visitor };
      await this.#api.giveFeedback(id, asRead(answer, entry), call);
    } catch (error) {
      if (error.code === "other_visitor") this.#strangers.add(visitor);
      failure = error;
    }
    if (failure?.isTemporary || failure?.code === "other_visitor") {
      this.#fire("unanswered", { key, error: failure });
      if (failure.isTemporary) throw failure;
      return;
    }
    await this.#update(key, (here) => ({
      ...here, answers: here.answers.filter((one) => one.key !== answer.key),
    }));
    if (failure) this.#fire("unanswered", { key, error: failure });
    else this.#fire("answered", { key });
  }

  async #deleteFormer({ key, supersedes, visitor }) {
    const former = await this.#change((all) => all.get(supersedes));
    if (former?.id && !former.isAnswered) {
      try {
        await this.#api.delete(former.id, { visitor });
      } catch (error) {
        // If the server refuses, the former version stays in the history.
        if (error.isTemporary) throw error;
      }
    }
    await this.#update(key, (here) => ({ ...here, supersedes: null }));
  }

  #update(key, changed) {
    return this.#change(async (all) => {
      const here = await all.get(key);
      if (!here) return undefined;
      const entry = changed(here);
      await all.put(entry);
      return entry;
    });
  }

  #tell() {
    this.dispatchEvent(new Event("update"));
  }

  #fire(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** @type {Partial<Entry>} */
const NEW_ENTRY = {
  read: null,
  drawing: null,
  dueAt: 0,
  isSent: false,
  id: null,
  digit: null,
  number: null,
  storedAt: null,
  supersedes: null,
  isAnswered: false,
};

function newSheet() {
  return {
    drawing: null,
    key: null, // of the present ink's entry; null if there is none
    keys: new Map(), // the ink of each of its entries
    last: null, // key of its latest entry
    read: null,
    isDue: false,
    kept: null, // its latest stored version
    refusedInk: null,
  };
}

/** Whether something is still to be done about a stored entry. */
function isOpen({ answers, supersedes }) {
  return answers.length > 0 || supersedes !== null;
}

/** The server may have read something else than the visitor's page. */
function asRead({ verdict, digit = null, number = null }, read) {
  if (verdict !== "right" && verdict !== "wrong") return { verdict };
  if (digit === read.digit && number === (read.number ?? null)) return { verdict: "right" };
  return number === null ? { verdict: "wrong", digit } : { verdict: "wrong", number };
}

function inkOf(drawing) {
  return drawing.image ?? JSON.stringify(drawing.strokes);
}

function isKept({ drawing, kept }) {
  return drawing !== null && inkOf(drawing) === kept?.ink;
}

function isUnkept(sheet) {
  if (sheet.drawing === null) return false;
  return !isKept(sheet) && inkOf(sheet.drawing) !== sheet.refusedInk;
}

/** @returns {any} what `save` has stored; null if there is nothing, or no storage */
function load(storage, key) {
  try {
    return JSON.parse(storage.getItem(key));
  } catch {
    return null;
  }
}

function save(storage, key, value) {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage is off or full.
  }
}

function takeAll(storage, prefix) {
  const names = Object.keys(storage ?? {}).filter((name) => name.startsWith(prefix));
  return names.map((name) => {
    const value = load(storage, name);
    save(storage, name, null);
    return value;
  });
}
