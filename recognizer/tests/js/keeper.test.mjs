import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { Keeper } from "../../../static/recognizer/js/keeper.js";
import { ApiError } from "../../../static/recognizer/js/reader.js";

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

/** A server in memory with the reader's three calls. */
class FakeReader {
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

  async findKept(drawing) {
    this.log.push("find");
    if (this.failure ?? this.findFailure) throw this.failure ?? this.findFailure;
    const ink = JSON.stringify(drawing.strokes);
    const all = [...this.stored.values()];
    return all.find((one) => JSON.stringify(one.drawing.strokes) === ink) ?? null;
  }

  async discard(id) {
    this.log.push(`discard ${id}`);
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

let reader;
let clock;
let storage;
let keeper;

function openPage() {
  clock = new FakeClock();
  keeper = new Keeper({ reader, storage, clock });
  return keeper;
}

beforeEach(() => {
  reader = new FakeReader();
  storage = fakeStorage();
  openPage();
});

describe("A finished drawing", () => {
  it("is stored once the pen has rested", async () => {
    keeper.inkChanged(ONE);
    await clock.pass(REST_MS - 1);
    assert.equal(reader.stored.size, 0);
    assert.equal(keeper.isUnkept, true);

    await clock.pass(1);
    assert.deepEqual(reader.drawings, [ONE]);
    assert.equal(keeper.isUnkept, false);
    assert.equal(keeper.keptId, "id-1");
  });

  it("waits while the pen is down", async () => {
    keeper.inkChanged(ONE);
    await clock.pass(1000);
    keeper.hold();
    await clock.pass(5000);
    assert.equal(reader.stored.size, 0);

    keeper.inkChanged(TWO);
    await clock.pass(REST_MS);
    assert.deepEqual(reader.drawings, [TWO]);
  });

  it("is stored at once when asked, and only once", async () => {
    keeper.inkChanged(ONE);
    keeper.keepNow();
    keeper.keepNow();
    await settle();
    await clock.pass(REST_MS);

    assert.deepEqual(reader.log, ["submit"]);
  });

  it("is stored at once when a new one begins, and stays stored", async () => {
    keeper.inkChanged(ONE);
    keeper.newSheet();
    await settle();
    assert.deepEqual(reader.drawings, [ONE]);
    assert.equal(keeper.keptId, "id-1");

    keeper.inkChanged(OTHER);
    assert.equal(keeper.keptId, null);
    await clock.pass(REST_MS);
    assert.deepEqual(reader.drawings, [ONE, OTHER]);
  });

  it("is not stored again by a new sheet when it is kept", async () => {
    keeper.inkChanged(ONE);
    await clock.pass(REST_MS);
    keeper.newSheet();
    await settle();

    assert.deepEqual(reader.log, ["submit"]);
  });

  it("leaves nothing in the tab's storage once it is kept", async () => {
    keeper.inkChanged(ONE);
    assert.equal(storage.size, 1);

    await clock.pass(REST_MS);
    assert.equal(storage.size, 0);
  });
});

describe("A kept drawing that goes on", () => {
  beforeEach(async () => {
    keeper.inkChanged(ONE);
    await clock.pass(REST_MS);
    reader.log.length = 0;
  });

  it("is stored anew, then the former one is deleted", async () => {
    keeper.inkChanged(TWO);
    assert.equal(keeper.keptId, null);
    await clock.pass(REST_MS);

    assert.deepEqual(reader.log, ["submit", "discard id-1"]);
    assert.deepEqual(reader.drawings, [TWO]);
    assert.equal(keeper.keptId, "id-2");
  });

  it("keeps the former one while the new one can not be stored", async () => {
    reader.failure = BROKEN;
    keeper.inkChanged(TWO);
    await clock.pass(REST_MS);

    assert.deepEqual(reader.drawings, [ONE]);
  });

  it("is kept again without a call when the ink returns to what is stored", async () => {
    keeper.inkChanged(TWO);
    keeper.inkChanged(ONE);
    await clock.pass(REST_MS);

    assert.deepEqual(reader.log, []);
    assert.equal(keeper.keptId, "id-1");
  });

  it("stays stored when all its ink is undone", async () => {
    keeper.inkChanged(null);
    await clock.pass(REST_MS);

    assert.deepEqual(reader.drawings, [ONE]);
    assert.equal(keeper.isUnkept, false);
  });

  it("ends as its last ink when drawn on while it is being stored", async () => {
    keeper.inkChanged(TWO);
    keeper.keepNow();
    const three = drawingOf(...TWO.strokes, [[3, 3, 90]]);
    keeper.inkChanged(three);
    await settle();
    assert.equal(keeper.isUnkept, true);

    await clock.pass(REST_MS);
    assert.deepEqual(reader.drawings, [three]);
  });
});

describe("A failing server", () => {
  it("is asked again, each time later, until it takes the drawing", async () => {
    reader.failure = BROKEN;
    keeper.inkChanged(ONE);
    await clock.pass(REST_MS);
    assert.equal(keeper.problem, BROKEN);
    assert.equal(keeper.isUnkept, true);

    await clock.pass(1000);
    const tries = reader.log.length;
    await clock.pass(1000);
    assert.equal(reader.log.length, tries, "the second pause is longer");
    reader.failure = null;
    await clock.pass(1000);

    assert.equal(keeper.problem, null);
    assert.deepEqual(reader.drawings, [ONE]);
  });

  it("is left alone as long as it asks for", async () => {
    const facts = { code: "throttled", message: "Slow down.", status: 429 };
    reader.failure = new ApiError({ ...facts, retryAfterMs: 20_000 });
    keeper.inkChanged(ONE);
    await clock.pass(REST_MS);
    await clock.pass(19_000);
    assert.equal(reader.log.length, 1);

    reader.failure = null;
    await clock.pass(1000);
    assert.deepEqual(reader.drawings, [ONE]);
  });

  it("is asked at once when the visitor says so", async () => {
    reader.failure = OFFLINE;
    keeper.inkChanged(ONE);
    await clock.pass(REST_MS);
    reader.failure = null;
    keeper.retryNow();
    await settle();

    assert.deepEqual(reader.drawings, [ONE]);
  });

  it("loses no drawing put away meanwhile, and gets them in order", async () => {
    reader.failure = OFFLINE;
    keeper.inkChanged(ONE);
    keeper.newSheet();
    keeper.inkChanged(OTHER);
    keeper.newSheet();
    await settle();
    reader.failure = null;
    keeper.retryNow();
    await settle();

    assert.deepEqual(reader.drawings, [ONE, OTHER]);
    assert.equal(storage.size, 0);
  });

  it("does not get a drawing twice when only its answer was lost", async () => {
    reader.losesAnswers = true;
    keeper.inkChanged(ONE);
    await clock.pass(REST_MS);
    reader.losesAnswers = false;
    keeper.retryNow();
    await settle();

    assert.deepEqual(reader.drawings, [ONE]);
    assert.equal(keeper.keptId, "id-1");
  });

  it("has the half-known former drawing deleted when ink was added since", async () => {
    reader.losesAnswers = true;
    keeper.inkChanged(ONE);
    await clock.pass(REST_MS);
    reader.losesAnswers = false;
    keeper.inkChanged(TWO);
    await clock.pass(REST_MS);

    assert.deepEqual(reader.drawings, [TWO]);
  });

  it("that will not say what it has gets the drawing rather twice than never", async () => {
    reader.failure = OFFLINE;
    keeper.inkChanged(ONE);
    await clock.pass(REST_MS);
    reader.failure = null;
    reader.findFailure = REFUSED;
    keeper.retryNow();
    await settle();

    assert.deepEqual(reader.drawings, [ONE]);
    assert.equal(keeper.problem, null);
  });

  it("that refuses a drawing is not asked again until the ink changes", async () => {
    reader.failure = REFUSED;
    keeper.inkChanged(ONE);
    await clock.pass(REST_MS);
    await clock.pass(60_000);
    assert.equal(reader.log.length, 1);
    assert.equal(keeper.problem.message, "Not so.");

    reader.failure = null;
    keeper.inkChanged(TWO);
    assert.equal(keeper.problem, null);
    await clock.pass(REST_MS);
    assert.deepEqual(reader.drawings, [TWO]);
  });
});

describe("A reload", () => {
  it("takes up the ink that could not be stored, and stores it", async () => {
    reader.failure = OFFLINE;
    keeper.inkChanged(ONE);
    await clock.pass(REST_MS);
    keeper.leave();
    reader.failure = null;
    const ink = openPage().restore();
    await clock.pass(LOOK_AFTER_MS);

    assert.deepEqual(ink, ONE);
    assert.deepEqual(reader.drawings, [ONE]);
    assert.equal(keeper.keptId, "id-1");
  });

  it("does not store again what the leaving page had sent", async () => {
    keeper.inkChanged(ONE);
    keeper.leave();
    await settle();
    assert.deepEqual(reader.drawings, [ONE]);
    openPage().restore();
    await clock.pass(LOOK_AFTER_MS);

    assert.deepEqual(reader.drawings, [ONE]);
    assert.equal(keeper.keptId, "id-1");
  });

  it("does not look before what the leaving page sent has arrived", async () => {
    keeper.inkChanged(ONE);
    keeper.leave();
    openPage().restore();
    await clock.pass(LOOK_AFTER_MS - 1);
    assert.deepEqual(reader.log, ["submit"]);

    await clock.pass(1);
    assert.deepEqual(reader.log, ["submit", "find"]);
  });

  it("still deletes the superseded drawing of the page before", async () => {
    keeper.inkChanged(ONE);
    await clock.pass(REST_MS);
    keeper.inkChanged(TWO);
    keeper.leave();
    await settle();
    assert.deepEqual(reader.drawings, [ONE, TWO]);
    openPage().restore();
    await clock.pass(LOOK_AFTER_MS);

    assert.deepEqual(reader.drawings, [TWO]);
  });

  it("takes up drawings put away as well, without showing them", async () => {
    reader.failure = OFFLINE;
    keeper.inkChanged(ONE);
    keeper.newSheet();
    await settle();
    reader.failure = null;
    const ink = openPage().restore();
    await clock.pass(LOOK_AFTER_MS);

    assert.equal(ink, null);
    assert.deepEqual(reader.drawings, [ONE]);
  });

  it("finds an empty pad when all was kept", async () => {
    keeper.inkChanged(ONE);
    await clock.pass(REST_MS);

    assert.equal(openPage().restore(), null);
  });
});

describe("Leaving the page", () => {
  it("sends nothing that is kept already", async () => {
    keeper.inkChanged(ONE);
    await clock.pass(REST_MS);
    keeper.leave();

    assert.deepEqual(reader.log, ["submit"]);
  });

  it("does not send twice what is on its way", async () => {
    keeper.inkChanged(ONE);
    keeper.keepNow();
    keeper.leave();
    await settle();

    assert.deepEqual(reader.log, ["submit"]);
  });

  it("and coming back goes on with what was sent", async () => {
    keeper.inkChanged(ONE);
    keeper.leave();
    keeper.keepNow();
    await settle();
    assert.deepEqual(reader.log, ["submit"]);

    keeper.comeBack();
    await settle();
    assert.equal(keeper.keptId, "id-1");
    assert.deepEqual(reader.drawings, [ONE]);
  });
});

it("A browser without storage keeps drawings all the same", async () => {
  keeper = new Keeper({ reader, storage: null, clock });
  assert.equal(keeper.restore(), null);
  keeper.inkChanged(ONE);
  await clock.pass(REST_MS);

  assert.deepEqual(reader.drawings, [ONE]);
});

describe("An answered drawing", () => {
  it("stays when more is drawn on its sheet, which is kept as another", async () => {
    keeper.inkChanged(ONE);
    await clock.pass(REST_MS);
    keeper.keepForGood("id-1");
    keeper.inkChanged(TWO);
    await clock.pass(REST_MS);

    assert.deepEqual(reader.drawings, [ONE, TWO]);
  });
});

describe("A picture", () => {
  const PICTURE = { image: "data:image/png;base64,AAAA" };

  it("is stored like strokes", async () => {
    keeper.inkChanged(PICTURE);
    keeper.keepNow();
    await settle();

    assert.deepEqual(reader.drawings, [PICTURE]);
    assert.equal(keeper.keptId, "id-1");
  });

  it("waits in storage while the server is away, and a reload takes it up", async () => {
    reader.failure = OFFLINE;
    keeper.inkChanged(PICTURE);
    keeper.keepNow();
    await settle();
    assert.equal(storage.size, 1);

    reader.failure = null;
    openPage();
    assert.deepEqual(keeper.restore(), PICTURE);
    await clock.pass(LOOK_AFTER_MS);
    assert.deepEqual(reader.drawings, [PICTURE]);
    assert.equal(storage.size, 0);
  });
});
