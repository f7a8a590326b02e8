import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { FeedbackOutbox } from "../../../static/recognizer/js/feedback_outbox.js";
import { ApiError } from "../../../static/recognizer/js/api.js";

const OFFLINE = new ApiError({ code: "network", message: "No connection.", status: 0 });
const GONE = new ApiError({ code: "not_found", message: "Gone.", status: 404 });

let api;
let timers;
let storage;
let feedbackOutbox;
let heard;

function openPage() {
  timers = [];
  const clock = { setTimeout: (run, ms) => timers.push({ run, ms }), clearTimeout: () => {} };
  feedbackOutbox = new FeedbackOutbox({ api, storage, clock });
  heard = [];
  for (const name of ["given", "failed"]) {
    feedbackOutbox.addEventListener(name, ({ detail }) => heard.push([name, detail]));
  }
  return feedbackOutbox;
}

beforeEach(() => {
  api = {
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

describe("FeedbackOutbox", () => {
  it("sends an answer and tells so", async () => {
    await feedbackOutbox.give({ id: "a", verdict: "wrong", digit: 1 });

    assert.deepEqual(api.stored, [["a", { verdict: "wrong", digit: 1 }]]);
    assert.deepEqual(heard, [["given", { id: "a", verdict: "wrong", digit: 1 }]]);
    assert.equal(feedbackOutbox.isWaiting, false);
  });

  it("keeps what cannot be sent and sends it later, in order", async () => {
    api.failure = OFFLINE;
    await feedbackOutbox.give({ id: "a", verdict: "right" });
    await feedbackOutbox.give({ id: "b", verdict: "not_a_digit" });
    assert.equal(feedbackOutbox.isWaiting, true);
    assert.deepEqual(timers.map(({ ms }) => ms), [1000, 2000]);

    api.failure = null;
    await timers.at(-1).run();
    assert.deepEqual(api.stored.map(([id]) => id), ["a", "b"]);
    assert.equal(feedbackOutbox.isWaiting, false);
  });

  it("takes up again after a reload what the page before could not send", async () => {
    api.failure = OFFLINE;
    await feedbackOutbox.give({ id: "a", verdict: "right" });
    api.failure = null;
    await openPage().restore();

    assert.deepEqual(api.stored, [["a", { verdict: "right" }]]);
    await openPage().restore();
    assert.equal(api.stored.length, 1);
  });

  it("drops what the server will never take, says so, and goes on", async () => {
    api.failure = GONE;
    await feedbackOutbox.give({ id: "a", verdict: "right" });
    assert.equal(feedbackOutbox.isWaiting, false);
    assert.equal(heard[0][0], "failed");
    assert.equal(heard[0][1].isWaiting, false);

    api.failure = null;
    await feedbackOutbox.give({ id: "b", verdict: "right" });
    assert.deepEqual(api.stored.map(([id]) => id), ["b"]);
  });

  it("works without storage", async () => {
    const bare = new FeedbackOutbox({ api, storage: null });
    await bare.restore();
    await bare.give({ id: "a", verdict: "right" });

    assert.equal(api.stored.length, 1);
  });
});
