import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { Corrections } from "../../../static/recognizer/js/corrections.js";
import { ApiError } from "../../../static/recognizer/js/reader.js";

const OFFLINE = new ApiError({ code: "network", message: "No connection.", status: 0 });
const GONE = new ApiError({ code: "not_found", message: "Gone.", status: 404 });

let reader;
let timers;
let storage;
let corrections;
let heard;

function openPage() {
  timers = [];
  const clock = { setTimeout: (run, ms) => timers.push({ run, ms }), clearTimeout: () => {} };
  corrections = new Corrections({ reader, storage, clock });
  heard = [];
  for (const name of ["given", "failed"]) {
    corrections.addEventListener(name, ({ detail }) => heard.push([name, detail]));
  }
  return corrections;
}

beforeEach(() => {
  reader = {
    failure: null,
    stored: [],
    async giveFeedback(id, given) {
      if (this.failure) throw this.failure;
      this.stored.push([id, given]);
    },
  };
  const items = new Map();
  storage = {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
  };
  openPage();
});

describe("Corrections", () => {
  it("sends an answer and tells so", async () => {
    await corrections.give({ id: "a", verdict: "wrong", digit: 1 });

    assert.deepEqual(reader.stored, [["a", { verdict: "wrong", digit: 1 }]]);
    assert.deepEqual(heard, [["given", { id: "a", verdict: "wrong", digit: 1 }]]);
    assert.equal(corrections.isWaiting, false);
  });

  it("keeps what cannot be sent and sends it later, in order", async () => {
    reader.failure = OFFLINE;
    await corrections.give({ id: "a", verdict: "right" });
    await corrections.give({ id: "b", verdict: "not_a_digit" });
    assert.equal(corrections.isWaiting, true);
    assert.deepEqual(timers.map(({ ms }) => ms), [1000, 2000]);

    reader.failure = null;
    await timers.at(-1).run();
    assert.deepEqual(reader.stored.map(([id]) => id), ["a", "b"]);
    assert.equal(corrections.isWaiting, false);
  });

  it("takes up again after a reload what the page before could not send", async () => {
    reader.failure = OFFLINE;
    await corrections.give({ id: "a", verdict: "right" });
    reader.failure = null;
    await openPage().restore();

    assert.deepEqual(reader.stored, [["a", { verdict: "right" }]]);
    await openPage().restore();
    assert.equal(reader.stored.length, 1);
  });

  it("drops what the server will never take, says so, and goes on", async () => {
    reader.failure = GONE;
    await corrections.give({ id: "a", verdict: "right" });
    assert.equal(corrections.isWaiting, false);
    assert.equal(heard[0][0], "failed");
    assert.equal(heard[0][1].isWaiting, false);

    reader.failure = null;
    await corrections.give({ id: "b", verdict: "right" });
    assert.deepEqual(reader.stored.map(([id]) => id), ["b"]);
  });

  it("works without storage", async () => {
    const bare = new Corrections({ reader, storage: null });
    await bare.restore();
    await bare.give({ id: "a", verdict: "right" });

    assert.equal(reader.stored.length, 1);
  });
});
