import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { Outbox } from "../../../static/recognizer/js/outbox.js";
import { ApiError } from "../../../static/recognizer/js/api.js";
import { MemoryRecords } from "../../../static/recognizer/js/records.js";

const REST_MS = 1200;
const ABANDONED_MS = 30_000;
const DAY_MS = 24 * 3600 * 1000;

function drawingOf(...strokes) {
  return { strokes, width: 280, height: 280, pen_width: 18 };
}
const ONE = drawingOf([[1, 1, 0]]);
const TWO = drawingOf([[1, 1, 0]], [[2, 2, 50]]);
const OTHER = drawingOf([[9, 9, 0]]);

const OFFLINE = new ApiError({ code: "network", message: "No connection.", status: 0 });
const BROKEN = new ApiError({ code: "http_500", message: "Broken.", status: 500 });
const REFUSED = new ApiError({ code: "invalid", message: "Not so.", status: 400 });

const OTHER_VISITOR = new ApiError({ code: "other_visitor", message: "Not you.", status: 409 });
const LOST_VISITOR = new ApiError({ code: "lost_visitor", message: "Lost.", status: 409 });
const REUSED = new ApiError({ code: "idempotency_key_reused", message: "Other.", status: 409 });

/** A server in memory, and the one browser that calls it. */
class FakeApi {
  stored = new Map();
  answers = [];
  sent = [];
  log = [];
  failure = null;
  losesAnswers = false;
  digit = 7;
  /** @type {string[]} who is calling */
  visitors = [];
  hasCookies = true;
  /** @type {Set<string>} visitors who have an account */
  users = new Set(["ada", "bob"]);
  #count = 0;
  #newcomers = 0;
  #done = new Map();

  async introduce() {
    this.log.push("introduce");
    if (this.failure) throw this.failure;
    if (this.visitors.length === 0) this.visitors = [`v-${(this.#newcomers += 1)}`];
    const [visitor] = this.visitors;
    if (!this.hasCookies) this.visitors = [];
    return { visitor_id: visitor };
  }

  async submit(drawing, once) {
    this.log.push("submit");
    this.sent.push(drawing);
    return this.#once(once, drawing, () => {
      this.#count += 1;
      const { page_reading: _, ...bare } = drawing;
      const prediction = { digit: this.digit };
      const submission = { id: `id-${this.#count}`, drawing: bare, prediction };
      this.stored.set(submission.id, { ...submission, visitor: once.visitor });
      return submission;
    });
  }

  async giveFeedback(id, feedback, once) {
    this.log.push(`answer ${id}`);
    return this.#once(once, { id, feedback }, () => this.answers.push([id, feedback]));
  }

  async delete(id, { visitor }) {
    this.log.push(`delete ${id}`);
    if (this.failure) throw this.failure;
    if (!this.visitors.includes(visitor)) throw OTHER_VISITOR;
    this.stored.delete(id);
  }

  #once({ key, visitor }, body, act) {
    if (this.failure) throw this.failure;
    if (!this.visitors.includes(visitor)) {
      throw this.users.has(visitor) ? OTHER_VISITOR : LOST_VISITOR;
    }
    const sent = JSON.stringify(body);
    const name = `${visitor} ${key}`;
    if (!this.#done.has(name)) this.#done.set(name, { sent, result: act() });
    const { sent: former, result } = this.#done.get(name);
    if (former !== sent) throw REUSED;
    if (this.losesAnswers) throw OFFLINE;
    return result;
  }

  get drawings() {
    return [...this.stored.values()].map((one) => one.drawing);
  }
}

class FakeClock {
  time = Date.now();
  now = () => this.time;
  #timers = new Map();
  #nextId = 1;

  setTimeout = (run, delay) => {
    this.#timers.set(this.#nextId, { run, at: this.time + delay });
    return this.#nextId++;
  };

  clearTimeout = (id) => this.#timers.delete(id);

  async pass(ms) {
    this.time += ms;
    for (const [id, timer] of [...this.#timers]) {
      if (timer.at <= this.time) {
        this.#timers.delete(id);
        timer.run();
      }
    }
    await settle();
  }
}

/** A Storage, whose names Object.keys lists as a browser's does. */
class FakeStorage {
  getItem(key) {
    return this[key] ?? null;
  }

  setItem(key, value) {
    this[key] = String(value);
  }

  removeItem(key) {
    delete this[key];
  }
}

/** Let every promise that can go on go on. */
async function settle() {
  for (let i = 0; i < 100; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Locks as a browser has them, for the pages of one browser. */
class FakeLocks {
  #last = Promise.resolve();

  request(_, act) {
    const done = this.#last.then(act);
    this.#last = done.catch(() => {});
    return done;
  }
}

let api;
let clock;
let records;
let local;
let session;
let locks;
let outbox;

/** Open a page of the same browser; in the same tab, unless told otherwise. */
function openPage({ tab = session, visitor = api.visitors[0] ?? null } = {}) {
  const storage = { local, session: tab };
  const options = { api, storage, locks, clock, visitor };
  outbox = new Outbox({ ...options, records: Promise.resolve(records) });
  return outbox;
}

/** What waits in the browser. */
async function waiting() {
  const found = [];
  await records.change((all) => all.first((one) => found.push(one) && false));
  return found.filter((one) => one.id === null || one.answers.length > 0);
}

beforeEach(() => {
  api = new FakeApi();
  clock = new FakeClock();
  records = new MemoryRecords();
  locks = new FakeLocks();
  local = new FakeStorage();
  session = new FakeStorage();
  openPage();
});

describe("A finished drawing", () => {
  it("is stored once the pen has rested", async () => {
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS - 1);
    assert.equal(api.stored.size, 0);
    assert.equal(outbox.isUnkept, true);

    await clock.pass(1);
    assert.deepEqual(api.drawings, [ONE]);
    assert.equal(outbox.isUnkept, false);
    assert.equal(outbox.keptId, "id-1");
  });

  it("is sent with what the page read in it, and told of when it is stored", async () => {
    const read = { digit: 7, refusal: null, model: "aa" };
    const stored = [];
    outbox.addEventListener("stored", ({ detail }) => stored.push([detail.id, outbox.keptId]));
    outbox.inkChanged(ONE);
    outbox.pageRead(read);
    await clock.pass(REST_MS);
    outbox.inkChanged(TWO); // which the page has not read yet
    outbox.keepNow();
    await settle();

    assert.deepEqual(stored, [["id-1", "id-1"], ["id-2", "id-2"]]);
    assert.deepEqual(api.sent, [{ ...ONE, page_reading: read }, TWO]);
  });

  it("waits while the pen is down", async () => {
    outbox.inkChanged(ONE);
    await clock.pass(1000);
    outbox.hold();
    await clock.pass(5000);
    assert.equal(api.stored.size, 0);

    outbox.inkChanged(TWO);
    await clock.pass(REST_MS);
    assert.deepEqual(api.drawings, [TWO]);
  });

  it("is stored at once when asked, and only once", async () => {
    outbox.inkChanged(ONE);
    outbox.keepNow();
    outbox.keepNow();
    await settle();
    await clock.pass(REST_MS);

    assert.deepEqual(api.log, ["introduce", "submit"]);
  });

  it("is stored at once when a new one begins, and stays stored", async () => {
    outbox.inkChanged(ONE);
    outbox.newSheet();
    await settle();
    assert.deepEqual(api.drawings, [ONE]);
    assert.equal(outbox.keptId, "id-1");

    outbox.inkChanged(OTHER);
    assert.equal(outbox.keptId, null);
    await clock.pass(REST_MS);
    assert.deepEqual(api.drawings, [ONE, OTHER]);
  });

  it("is not stored again by a new sheet when it is kept", async () => {
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    outbox.newSheet();
    await settle();

    assert.deepEqual(api.log, ["introduce", "submit"]);
  });

  it("leaves nothing waiting once it is kept", async () => {
    outbox.inkChanged(ONE);
    await settle();
    assert.equal((await waiting()).length, 1);

    await clock.pass(REST_MS);
    assert.deepEqual(await waiting(), []);
  });
});

describe("A kept drawing that goes on", () => {
  beforeEach(async () => {
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    api.log.length = 0;
  });

  it("is stored anew, then the former one is deleted", async () => {
    outbox.inkChanged(TWO);
    assert.equal(outbox.keptId, null);
    await clock.pass(REST_MS);

    assert.deepEqual(api.log, ["submit", "delete id-1"]);
    assert.deepEqual(api.drawings, [TWO]);
    assert.equal(outbox.keptId, "id-2");
  });

  it("keeps the former one while the new one can not be stored", async () => {
    api.failure = BROKEN;
    outbox.inkChanged(TWO);
    await clock.pass(REST_MS);

    assert.deepEqual(api.drawings, [ONE]);
  });

  it("is kept again without a call when the ink returns to what is stored", async () => {
    outbox.inkChanged(TWO);
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);

    assert.deepEqual(api.log, []);
    assert.equal(outbox.keptId, "id-1");
  });

  it("stays stored when all its ink is undone", async () => {
    outbox.inkChanged(null);
    await clock.pass(REST_MS);

    assert.deepEqual(api.drawings, [ONE]);
    assert.equal(outbox.isUnkept, false);
  });

  it("ends as its last ink when drawn on while it is being stored", async () => {
    outbox.inkChanged(TWO);
    outbox.keepNow();
    const three = drawingOf(...TWO.strokes, [[3, 3, 90]]);
    outbox.inkChanged(three);
    await settle();
    assert.equal(outbox.isUnkept, true);

    await clock.pass(REST_MS);
    assert.deepEqual(api.drawings, [three]);
  });

  it("that returns to stored ink while newer ink is on its way ends as that ink", async () => {
    outbox.inkChanged(TWO);
    outbox.keepNow();
    outbox.inkChanged(ONE);
    await settle();
    await clock.pass(REST_MS);

    assert.deepEqual(api.drawings, [ONE]);
  });
});

describe("A failing server", () => {
  it("is asked again, each time later, until it takes the drawing", async () => {
    api.failure = BROKEN;
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    assert.equal(outbox.problem, BROKEN);
    assert.equal(outbox.isUnkept, true);

    await clock.pass(1000);
    const tries = api.log.length;
    await clock.pass(1000);
    assert.equal(api.log.length, tries, "the second pause is longer");
    api.failure = null;
    await clock.pass(1000);

    assert.equal(outbox.problem, null);
    assert.deepEqual(api.drawings, [ONE]);
  });

  it("is left alone as long as it asks for", async () => {
    const facts = { code: "throttled", message: "Slow down.", status: 429 };
    api.failure = new ApiError({ ...facts, retryAfterMs: 20_000 });
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    await clock.pass(19_000);
    assert.equal(api.log.length, 1); // to become a visitor

    api.failure = null;
    await clock.pass(1000);
    assert.deepEqual(api.drawings, [ONE]);
  });

  it("is asked at once when the visitor says so", async () => {
    api.failure = OFFLINE;
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    api.failure = null;
    outbox.retryNow();
    await settle();

    assert.deepEqual(api.drawings, [ONE]);
  });

  it("loses no drawing put away meanwhile, and gets them in order", async () => {
    api.failure = OFFLINE;
    outbox.inkChanged(ONE);
    outbox.newSheet();
    outbox.inkChanged(OTHER);
    outbox.newSheet();
    await settle();
    api.failure = null;
    outbox.retryNow();
    await settle();

    assert.deepEqual(api.drawings, [ONE, OTHER]);
    assert.deepEqual(await waiting(), []);
  });

  it("does not get a drawing twice when only its answer was lost", async () => {
    api.losesAnswers = true;
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    api.losesAnswers = false;
    outbox.retryNow();
    await settle();

    assert.deepEqual(api.drawings, [ONE]);
    assert.equal(outbox.keptId, "id-1");
  });

  it("has the half-known former drawing deleted when ink was added since", async () => {
    api.losesAnswers = true;
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    api.losesAnswers = false;
    outbox.inkChanged(TWO);
    await clock.pass(REST_MS);

    assert.deepEqual(api.drawings, [TWO]);
  });

  it("that refuses a drawing is not asked again until the ink changes", async () => {
    await api.introduce();
    openPage();
    api.failure = REFUSED;
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    await clock.pass(60_000);
    assert.equal(api.sent.length, 1);
    assert.equal(outbox.problem.message, "Not so.");

    api.failure = null;
    outbox.inkChanged(TWO);
    assert.equal(outbox.problem, null);
    await clock.pass(REST_MS);
    assert.deepEqual(api.drawings, [TWO]);
  });
});

describe("A reload", () => {
  it("takes up the ink that could not be stored, and stores it", async () => {
    api.failure = OFFLINE;
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    outbox.leave();
    api.failure = null;
    const ink = await openPage().restore();
    await settle();

    assert.deepEqual(ink, ONE);
    assert.deepEqual(api.drawings, [ONE]);
    assert.equal(outbox.keptId, "id-1");
  });

  it("does not store again what the leaving page had sent", async () => {
    await api.introduce();
    openPage();
    outbox.inkChanged(ONE);
    outbox.pageRead({ digit: 7, refusal: null, model: "aa" });
    outbox.keepNow();
    outbox.leave();
    await settle();
    assert.deepEqual(api.drawings, [ONE]);
    await openPage().restore();
    await settle();

    assert.deepEqual(api.drawings, [ONE]);
    assert.deepEqual(await waiting(), []);
  });

  it("does not store again the ink that it has put on the pad", async () => {
    api.failure = OFFLINE;
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    api.losesAnswers = true;
    api.failure = null;
    outbox.inkChanged(await openPage().restore()); // as the pad tells it
    await settle();
    api.losesAnswers = false;
    await clock.pass(REST_MS);

    assert.equal(outbox.keptId, "id-1");
    assert.equal(api.stored.size, 1);
  });

  it("keeps ink that the page could only write down in haste", async () => {
    records.change = () => new Promise(() => {}); // the page is gone before it is done
    outbox.inkChanged(ONE);
    outbox.leave();
    records = new MemoryRecords();
    await openPage().restore();
    await settle();

    assert.deepEqual(api.drawings, [ONE]);
  });

  it("still deletes the superseded drawing of the page before", async () => {
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    outbox.inkChanged(TWO);
    outbox.leave();
    await settle();
    assert.deepEqual(api.drawings, [ONE, TWO]);
    await openPage().restore();
    await settle();

    assert.deepEqual(api.drawings, [TWO]);
  });

  it("takes up drawings put away as well, without showing them", async () => {
    api.failure = OFFLINE;
    outbox.inkChanged(ONE);
    outbox.newSheet();
    await settle();
    api.failure = null;
    const ink = await openPage({ tab: new FakeStorage() }).restore();
    await settle();

    assert.equal(ink, null);
    assert.deepEqual(api.drawings, [ONE]);
  });

  it("finds an empty pad when all was kept", async () => {
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);

    assert.equal(await openPage().restore(), null);
  });

  it("forgets what was stored long ago", async () => {
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    await clock.pass(DAY_MS + 1);
    await openPage().restore();

    assert.equal(await records.change((all) => all.first(() => true)), undefined);
  });
});

describe("Another page of the browser", () => {
  it("does not take a drawing from under the pen, but once its page is dead", async () => {
    outbox.inkChanged(ONE);
    await settle();
    outbox.hold(); // and nothing more is heard of this page
    await openPage({ tab: new FakeStorage() }).restore();
    await settle();
    assert.deepEqual(api.drawings, []);

    await clock.pass(ABANDONED_MS);
    assert.deepEqual(api.drawings, [ONE]);
  });

  it("takes turns, so that a newcomer has one owner and each drawing is stored once", async () => {
    const pages = [openPage(), openPage({ tab: new FakeStorage() })];
    api.failure = OFFLINE;
    pages[0].inkChanged(ONE);
    pages[1].inkChanged(OTHER);
    await clock.pass(REST_MS);
    api.failure = null;
    for (const page of pages) page.retryNow();
    await settle();

    assert.deepEqual(api.drawings, [ONE, OTHER]);
    assert.deepEqual(pages.map((page) => page.keptId), ["id-1", "id-2"]);
    assert.deepEqual(new Set([...api.stored.values()].map((one) => one.visitor)), new Set(["v-1"]));
    assert.deepEqual(pages.map((page) => page.problem), [null, null]);
  });
});

describe("A drawing's owner", () => {
  it("is its visitor, also after somebody else has signed in", async () => {
    api.visitors = ["ada"];
    openPage();
    api.failure = OFFLINE;
    outbox.inkChanged(ONE);
    outbox.newSheet();
    await settle();
    api.failure = null;
    api.visitors = ["bob"];
    const page = openPage({ tab: new FakeStorage() });
    page.inkChanged(OTHER);
    await page.restore();
    await clock.pass(REST_MS);

    assert.deepEqual([...api.stored.values()].map((one) => [one.visitor, one.drawing]), [["bob", OTHER]]);
    assert.equal(page.problem, null);
    api.visitors = ["ada"];
    await openPage().restore();
    await settle();
    assert.deepEqual(api.drawings, [OTHER, ONE]);
  });

  it("is told when it is no longer the page's visitor", async () => {
    api.visitors = ["ada"];
    openPage();
    api.visitors = [];
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);

    assert.equal(outbox.problem.code, "other_visitor");
    assert.equal((await waiting()).length, 1);
  });

  it("of ink on the pad is not the one who signs in meanwhile", async () => {
    api.visitors = ["ada"];
    openPage();
    api.failure = OFFLINE;
    outbox.inkChanged(ONE);
    await settle();
    api.visitors = ["bob"];

    assert.equal(await openPage().restore(), null);
  });
});

describe("A browser that has lost its cookie", () => {
  it("sends what waits as its new visitor's", async () => {
    api.losesAnswers = true;
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    api.losesAnswers = false;
    api.visitors = [];
    await openPage().restore();
    await settle();

    assert.deepEqual([...api.stored.values()].map((one) => one.visitor), ["v-1", "v-2"]);
    assert.deepEqual(await waiting(), []);
  });
});

describe("A browser that blocks cookies", () => {
  it("keeps nothing, and says so", async () => {
    api.hasCookies = false;
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);

    assert.equal(outbox.isOff, true);
    assert.equal(outbox.isUnkept, false);
    assert.deepEqual(await waiting(), []);
    assert.equal(api.stored.size, 0);
  });
});

describe("An outbox that is off", () => {
  it("sends and writes down nothing", async () => {
    outbox.isOff = true;
    outbox.inkChanged(ONE);
    outbox.keepNow();
    outbox.newSheet();
    outbox.inkChanged(TWO);
    outbox.leave();
    await clock.pass(REST_MS);

    assert.deepEqual(api.log, []);
    assert.deepEqual(await waiting(), []);
    assert.deepEqual(Object.keys(local), []);
  });

  it("drops the ink on the pad when it is turned off, and takes it when turned on", async () => {
    outbox.inkChanged(ONE);
    outbox.isOff = true;
    await clock.pass(REST_MS);
    assert.deepEqual(await waiting(), []);

    outbox.isOff = false;
    await clock.pass(REST_MS);
    assert.deepEqual(api.drawings, [ONE]);
  });
});

describe("A device that takes no more", () => {
  it("has the drawings in the page, which sends them", async () => {
    const full = { isLasting: true, change: async () => Promise.reject(new Error("full")) };
    outbox = new Outbox({ api, records: Promise.resolve(full), locks, clock });
    outbox.inkChanged(ONE);
    await settle();
    assert.equal(outbox.isLasting, false);

    await clock.pass(REST_MS);
    assert.deepEqual(api.drawings, [ONE]);
  });

  it("and fills up meanwhile still stores each drawing once", async () => {
    api.failure = OFFLINE;
    outbox.inkChanged(ONE);
    outbox.newSheet();
    await settle();
    const { change } = records;
    records.isLasting = true;
    records.change = (work) => change.call(records, async (all) => {
      const put = async () => Promise.reject(new Error("full"));
      return work({ ...all, put });
    });
    outbox.inkChanged(OTHER);
    api.failure = null;
    await clock.pass(REST_MS);
    records.change = change;
    await openPage({ tab: new FakeStorage() }).restore();
    await settle();

    assert.deepEqual(api.drawings, [ONE, OTHER]);
  });
});

describe("Leaving the page", () => {
  it("sends nothing that is kept already", async () => {
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    outbox.leave();

    assert.equal(api.sent.length, 1);
  });

  it("and coming back goes on with what was sent", async () => {
    await api.introduce();
    openPage();
    outbox.inkChanged(ONE);
    outbox.leave();
    outbox.keepNow();
    await settle();
    assert.equal(api.sent.length, 1);

    outbox.comeBack();
    await settle();
    assert.equal(outbox.keptId, "id-1");
    assert.deepEqual(api.drawings, [ONE]);
  });
});

it("A browser without storage keeps drawings all the same", async () => {
  const bare = { local: null, session: null };
  outbox = new Outbox({ api, storage: bare, records: Promise.resolve(records), clock });
  assert.equal(await outbox.restore(), null);
  outbox.inkChanged(ONE);
  await clock.pass(REST_MS);

  assert.deepEqual(api.drawings, [ONE]);
});

describe("An answer", () => {
  const heard = [];

  function listen() {
    heard.length = 0;
    for (const name of ["answered", "unanswered"]) {
      outbox.addEventListener(name, ({ detail }) => heard.push([name, detail.error?.code]));
    }
  }

  it("is sent, and keeps its drawing when more is drawn on the sheet", async () => {
    listen();
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    outbox.give(outbox.askKey, { verdict: "wrong", digit: 1 });
    await settle();
    outbox.inkChanged(TWO);
    await clock.pass(REST_MS);

    assert.deepEqual(api.answers, [["id-1", { verdict: "wrong", digit: 1 }]]);
    assert.deepEqual(heard, [["answered", undefined]]);
    assert.deepEqual(api.drawings, [ONE, TWO]);
  });

  it("waits for its drawing, and follows it in order", async () => {
    listen();
    api.failure = OFFLINE;
    outbox.inkChanged(ONE);
    assert.equal(outbox.askKey, null);
    await clock.pass(REST_MS);
    outbox.give(outbox.askKey, { verdict: "wrong", digit: 1 });
    outbox.give(outbox.askKey, { verdict: "withdrawn" });
    outbox.give(outbox.askKey, { verdict: "not_a_digit" });
    await settle();
    api.failure = null;
    await openPage({ tab: new FakeStorage() }).restore();
    await settle();

    assert.deepEqual(api.answers.map(([id, { verdict }]) => [id, verdict]), [
      ["id-1", "wrong"], ["id-1", "withdrawn"], ["id-1", "not_a_digit"],
    ]);
    assert.deepEqual(await waiting(), []);
  });

  it("is stored once although its own answer was lost", async () => {
    listen();
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    api.losesAnswers = true;
    outbox.give(outbox.askKey, { verdict: "right", digit: 7 });
    await settle();
    api.losesAnswers = false;
    await openPage().restore();
    await settle();

    assert.deepEqual(heard, [["unanswered", "network"]]);
    assert.deepEqual(api.answers, [["id-1", { verdict: "right" }]]);
  });

  it("is about what the visitor saw, if the server reads something else", async () => {
    api.digit = 1;
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    outbox.give(outbox.askKey, { verdict: "right", digit: 7 });
    outbox.give(outbox.askKey, { verdict: "wrong", digit: 1 });
    await settle();

    assert.deepEqual(api.answers.map(([, given]) => given), [
      { verdict: "wrong", digit: 7 }, { verdict: "right" },
    ]);
  });

  it("that the server will never take is dropped, and said so", async () => {
    listen();
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    api.failure = new ApiError({ code: "not_found", message: "Gone.", status: 404 });
    outbox.give(outbox.askKey, { verdict: "right", digit: 7 });
    await settle();

    assert.deepEqual(heard, [["unanswered", "not_found"]]);
    assert.deepEqual(await waiting(), []);
  });
});

describe("A picture", () => {
  const PICTURE = { image: "data:image/png;base64,AAAA" };

  it("is stored like strokes", async () => {
    outbox.inkChanged(PICTURE);
    outbox.keepNow();
    await settle();

    assert.deepEqual(api.drawings, [PICTURE]);
    assert.equal(outbox.keptId, "id-1");
  });

  it("waits in storage while the server is away, and a reload takes it up", async () => {
    api.failure = OFFLINE;
    outbox.inkChanged(PICTURE);
    outbox.keepNow();
    await settle();
    assert.equal((await waiting()).length, 1);

    api.failure = null;
    assert.deepEqual(await openPage().restore(), PICTURE);
    await settle();
    assert.deepEqual(api.drawings, [PICTURE]);
    assert.deepEqual(await waiting(), []);
  });
});
