/**
 * Records that outlive the page: in IndexedDB, or in memory where the browser has none or
 * refuses it. No DOM.
 *
 * @typedef {{key: string}} Entry
 * @typedef {Object} Transaction all of it happens, or nothing
 * @property {(key: string) => Promise<Entry | undefined>} get
 * @property {(isWanted: (entry: Entry) => boolean) => Promise<Entry | undefined>} first
 *   the one with the smallest key
 * @property {(entry: Entry) => Promise<void>} put
 * @property {(key: string) => Promise<void>} delete
 * @typedef {{isLasting: boolean,
 *   change: <T>(work: (all: Transaction) => Promise<T>) => Promise<T>}} Records
 */
const NAME = "digitsite";
const STORE = "outbox";

/** @returns {Promise<Records>} in IndexedDB, else in memory */
export async function openRecords(factory = factoryHere()) {
  try {
    return new DeviceRecords(await opened(factory));
  } catch {
    return new MemoryRecords();
  }
}

function factoryHere() {
  try {
    return globalThis.indexedDB;
  } catch {
    return undefined; // Cookies and storage are blocked.
  }
}

function opened(factory) {
  const request = factory.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "key" });
  return answered(request);
}

/** @returns {Promise<any>} the result of a request of IndexedDB */
function answered(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("Another page uses an older database."));
  });
}

class DeviceRecords {
  isLasting = true;
  #database;

  constructor(database) {
    database.onversionchange = () => database.close();
    this.#database = database;
  }

  /** @throws {Error} nothing was changed: the quota is used up, or the database is gone */
  change(work) {
    return new Promise((resolve, reject) => {
      const options = { durability: "strict" }; // it outlives a power failure
      const transaction = this.#database.transaction(STORE, "readwrite", options);
      const store = transaction.objectStore(STORE);
      let result;
      transaction.oncomplete = () => resolve(result);
      transaction.onabort = () => reject(transaction.error ?? new Error("Aborted."));
      const all = {
        get: (key) => answered(store.get(key)),
        first: (isWanted) => firstIn(store, isWanted),
        put: (entry) => answered(store.put(entry)),
        delete: (key) => answered(store.delete(key)),
      };
      work(all).then(
        (done) => {
          result = done;
        },
        (error) => {
          reject(error);
          abort(transaction);
        },
      );
    });
  }
}

function abort(transaction) {
  try {
    transaction.abort();
  } catch {
    // A failed request has aborted it.
  }
}

/** Look at one entry at a time: pictures are large. */
function firstIn(store, isWanted) {
  return new Promise((resolve, reject) => {
    const request = store.openCursor();
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const cursor = request.result;
      if (cursor === null || isWanted(cursor.value)) resolve(cursor?.value);
      else cursor.continue();
    };
  });
}

/** The same in memory. A failed change is not undone. */
export class MemoryRecords {
  isLasting = false;
  #entries = new Map();
  #last = Promise.resolve();

  change(work) {
    const entries = this.#entries;
    const sorted = () => [...entries.keys()].sort().map((key) => entries.get(key));
    const all = {
      get: async (key) => structuredClone(entries.get(key)),
      first: async (isWanted) => structuredClone(sorted().find(isWanted)),
      put: async (entry) => entries.set(entry.key, structuredClone(entry)),
      delete: async (key) => entries.delete(key),
    };
    const done = this.#last.then(() => work(all));
    this.#last = done.catch(() => {});
    return done;
  }
}
