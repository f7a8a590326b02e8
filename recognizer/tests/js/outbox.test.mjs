import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { Outbox } from "../../../static/recognizer/js/outbox.js";
import { ApiError } from "../../../static/recognizer/js/api.js";

const REST_MS = 1200;
const LOOK_AFTER_MS = 2000;

function drawingOf(...strokes) {
  return { strokes, width: 280, height: 280, pen_width: 18 };
}
const ONE = drawingOf([[1, 1, 0]]);
const TWO = drawingOf([[1, 1, 0]], [[2, 2, 50]]);
const OTHER = drawingOf([[9, 9, 0]]);

const OFFLINE = new ApiError({ code: "network", message: "No connection.", status: 0 });
const BROKEN = new ApiError({ code: "http_500", message: "Broken.", status: 500 });
const REFUSED = new ApiError({ code: "invalid", message: "Not so.", status: 400 });

/** A server in memory with the api's three calls. */
class FakeApi {
  stored = new Map();
  log = [];
  failure = null;
  findFailure = null;
  losesAnswers = false;
  #count = 0;

  async submit(drawing) {
    this.log.push("submit");
    if (this.failure) throw this.failure;
    this.#count += 1;
    const submission = { id: `id-${this.#count}`, drawing };
    this.stored.set(submission.id, submission);
    if (this.losesAnswers) throw OFFLINE;
    return submission;
  }

  async findStored(drawing) {
    this.log.push("find");
    if (this.failure ?? this.findFailure) throw this.failure ?? this.findFailure;
    const ink = JSON.stringify(drawing.strokes);
    const all = [...this.stored.values()];
    return all.find((one) => JSON.stringify(one.drawing.strokes) === ink) ?? null;
  }

  async delete(id) {
    this.log.push(`delete ${id}`);
    if (this.failure) throw this.failure;
    this.stored.delete(id);
  }

  get drawings() {
    return [...this.stored.values()].map((one) => one.drawing);
  }
}

class FakeClock {
  now = 0;
  #timers = new Map();
  #nextId = 1;

  setTimeout = (run, delay) => {
    this.#timers.set(this.#nextId, { run, at: this.now + delay });
    return this.#nextId++;
  };

  clearTimeout = (id) => this.#timers.delete(id);

  async pass(ms) {
    this.now += ms;
    for (const [id, timer] of [...this.#timers]) {
      if (timer.at <= this.now) {
        this.#timers.delete(id);
        timer.run();
      }
    }
    await settle();
  }
}

function fakeStorage() {
  const items = new Map();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
    get size() {
      return items.size;
    },
  };
}

/** Let every promise that can go on go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

let api;
let clock;
let storage;
let outbox;

function openPage() {
  clock = new FakeClock();
  outbox = new Outbox({ api, storage, clock });
  return outbox;
}

beforeEach(() => {
  api = new FakeApi();
  storage = fakeStorage();
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

    assert.deepEqual(api.log, ["submit"]);
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

    assert.deepEqual(api.log, ["submit"]);
  });

  it("leaves nothing in the tab's storage once it is kept", async () => {
    outbox.inkChanged(ONE);
    assert.equal(storage.size, 1);

    await clock.pass(REST_MS);
    assert.equal(storage.size, 0);
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
    assert.equal(api.log.length, 1);

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
    assert.equal(storage.size, 0);
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

  it("that will not say what it has gets the drawing rather twice than never", async () => {
    api.failure = OFFLINE;
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    api.failure = null;
    api.findFailure = REFUSED;
    outbox.retryNow();
    await settle();

    assert.deepEqual(api.drawings, [ONE]);
    assert.equal(outbox.problem, null);
  });

  it("that refuses a drawing is not asked again until the ink changes", async () => {
    api.failure = REFUSED;
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    await clock.pass(60_000);
    assert.equal(api.log.length, 1);
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
    const ink = openPage().restore();
    await clock.pass(LOOK_AFTER_MS);

    assert.deepEqual(ink, ONE);
    assert.deepEqual(api.drawings, [ONE]);
    assert.equal(outbox.keptId, "id-1");
  });

  it("does not store again what the leaving page had sent", async () => {
    outbox.inkChanged(ONE);
    outbox.leave();
    await settle();
    assert.deepEqual(api.drawings, [ONE]);
    openPage().restore();
    await clock.pass(LOOK_AFTER_MS);

    assert.deepEqual(api.drawings, [ONE]);
    assert.equal(outbox.keptId, "id-1");
  });

  it("does not look before what the leaving page sent has arrived", async () => {
    outbox.inkChanged(ONE);
    outbox.leave();
    openPage().restore();
    await clock.pass(LOOK_AFTER_MS - 1);
    assert.deepEqual(api.log, ["submit"]);

    await clock.pass(1);
    assert.deepEqual(api.log, ["submit", "find"]);
  });

  it("still deletes the superseded drawing of the page before", async () => {
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    outbox.inkChanged(TWO);
    outbox.leave();
    await settle();
    assert.deepEqual(api.drawings, [ONE, TWO]);
    openPage().restore();
    await clock.pass(LOOK_AFTER_MS);

    assert.deepEqual(api.drawings, [TWO]);
  });

  it("takes up drawings put away as well, without showing them", async () => {
    api.failure = OFFLINE;
    outbox.inkChanged(ONE);
    outbox.newSheet();
    await settle();
    api.failure = null;
    const ink = openPage().restore();
    await clock.pass(LOOK_AFTER_MS);

    assert.equal(ink, null);
    assert.deepEqual(api.drawings, [ONE]);
  });

  it("finds an empty pad when all was kept", async () => {
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);

    assert.equal(openPage().restore(), null);
  });
});

describe("Leaving the page", () => {
  it("sends nothing that is kept already", async () => {
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    outbox.leave();

    assert.deepEqual(api.log, ["submit"]);
  });

  it("does not send twice what is on its way", async () => {
    outbox.inkChanged(ONE);
    outbox.keepNow();
    outbox.leave();
    await settle();

    assert.deepEqual(api.log, ["submit"]);
  });

  it("and coming back goes on with what was sent", async () => {
    outbox.inkChanged(ONE);
    outbox.leave();
    outbox.keepNow();
    await settle();
    assert.deepEqual(api.log, ["submit"]);

    outbox.comeBack();
    await settle();
    assert.equal(outbox.keptId, "id-1");
    assert.deepEqual(api.drawings, [ONE]);
  });
});

it("A browser without storage keeps drawings all the same", async () => {
  outbox = new Outbox({ api, storage: null, clock });
  assert.equal(outbox.restore(), null);
  outbox.inkChanged(ONE);
  await clock.pass(REST_MS);

  assert.deepEqual(api.drawings, [ONE]);
});

describe("An answered drawing", () => {
  it("stays when more is drawn on its sheet, which is kept as another", async () => {
    outbox.inkChanged(ONE);
    await clock.pass(REST_MS);
    outbox.keepForGood("id-1");
    outbox.inkChanged(TWO);
    await clock.pass(REST_MS);

    assert.deepEqual(api.drawings, [ONE, TWO]);
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
    assert.equal(storage.size, 1);

    api.failure = null;
    openPage();
    assert.deepEqual(outbox.restore(), PICTURE);
    await clock.pass(LOOK_AFTER_MS);
    assert.deepEqual(api.drawings, [PICTURE]);
    assert.equal(storage.size, 0);
  });
});
