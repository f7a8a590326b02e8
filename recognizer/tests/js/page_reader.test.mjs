import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { canReadHere, PageReader } from "../../../static/recognizer/js/page_reader.js";

const BUNDLE = { preprocessing: 2, calibration: {}, weights: { url: "/w", integrity: "sha256-" } };
const DRAWING = { strokes: [[[1, 1, 0]]], width: 280, height: 280, pen_width: 18 };
const SEVEN = {
  digit: 7,
  confidence: 0.9,
  probabilities: [0, 0.1, 0, 0, 0, 0, 0, 0.9, 0, 0],
  second: 1,
  digitness: 1,
  refusal: null,
  seen: "data:image/png;base64,",
};

/** A worker that answers a message when the test lets it. */
class FakeWorker {
  messages = [];
  isTerminated = false;
  postMessage = (message) => this.messages.push(message);
  terminate = () => (this.isTerminated = true);

  async answer(place, answer) {
    this.onmessage({ data: { id: this.messages.at(place).id, ...answer } });
    await settle();
  }
}

function settle() {
  return new Promise((resolve) => setImmediate(resolve));
}

function makeReader({ status = 200, bundle = BUNDLE, ...options } = {}) {
  const workers = [];
  const asked = [];
  const reader = new PageReader({
    bundleUrl: "/reader/MODEL/",
    workerUrl: "/worker.js",
    runtime: { library: "/litert.js" },
    makeWorker: () => {
      workers.push(new FakeWorker());
      return workers.at(-1);
    },
    fetch: async (url) => {
      asked.push(url);
      return { ok: status === 200, status, json: async () => bundle };
    },
    ...options,
  });
  return { reader, workers, asked };
}

async function makeReady(options) {
  const made = makeReader(options);
  const using = made.reader.use("aa");
  await settle();
  await made.workers[0].answer(0, { result: undefined });
  await using;
  return { ...made, worker: made.workers[0] };
}

describe("canReadHere", () => {
  const able = { navigator: {}, WebAssembly: {}, Worker: class {} };

  it("is false for those who save data, and without WebAssembly", () => {
    assert.equal(canReadHere(able), true);
    assert.equal(canReadHere({ ...able, navigator: { connection: { saveData: true } } }), false);
    assert.equal(canReadHere({ ...able, WebAssembly: undefined }), false);
    assert.equal(canReadHere({ ...able, Worker: undefined }), false);
  });
});

describe("Loading", () => {
  it("gives the worker the bundle and the runtime's addresses", async () => {
    const { reader, worker, asked } = await makeReady();

    assert.deepEqual(asked, ["/reader/aa/"]);
    assert.deepEqual(worker.messages[0].load, {
      runtime: { library: "/litert.js" },
      bundle: BUNDLE,
    });
    assert.equal(reader.model, "aa");
  });

  it("happens once for a model, and again for the next", async () => {
    const { reader, workers, worker, asked } = await makeReady();

    await reader.use("aa");
    const using = reader.use("bb");
    assert.equal(reader.model, null);
    await settle();
    await worker.answer(-1, { result: undefined });
    await using;

    assert.deepEqual(asked, ["/reader/aa/", "/reader/bb/"]);
    assert.equal(workers.length, 1);
    assert.equal(reader.model, "bb");
  });

  it("leaves reading to the server if it fails, and gives up after three times", async () => {
    const { reader, asked } = makeReader({ status: 404 });

    for (let i = 0; i < 5; i += 1) await reader.use("aa");

    assert.equal(reader.model, null);
    assert.equal(asked.length, 3);
  });

  it("fails if the worker does, such as at a digest that does not match", async () => {
    const { reader, workers } = makeReader();
    const using = reader.use("aa");
    await settle();

    await workers[0].answer(0, { error: "TypeError: Failed to fetch" });
    await using;

    assert.equal(reader.model, null);
    assert.equal(workers[0].isTerminated, true);
  });

  it("fails if the worker cannot start", async () => {
    const { reader, workers } = makeReader();
    const using = reader.use("aa");
    await settle();

    workers[0].onerror({});
    await using;

    assert.equal(reader.model, null);
  });
});

describe("Reading", () => {
  it("returns the worker's reading and its model", async () => {
    const { reader, worker } = await makeReady();

    const reading = reader.read(DRAWING);
    assert.equal(reader.isReading, true);
    await worker.answer(-1, { result: SEVEN });

    assert.deepEqual(worker.messages.at(-1).read, {
      strokes: DRAWING.strokes,
      penWidth: 18,
      why: false,
    });
    assert.deepEqual(await reading, { ...SEVEN, model: "aa" });
    assert.equal(reader.isReading, false);
  });

  it("names both digits if the model is unsure", async () => {
    const { reader, worker } = await makeReady();

    const reading = reader.read(DRAWING);
    await worker.answer(-1, { result: { ...SEVEN, digit: null, refusal: "unsure" } });

    assert.deepEqual((await reading).refusal, {
      code: "unsure",
      message: "This could be 7 or 1. Draw it a little more clearly.",
    });
  });

  it("of the ink that was read last is there at once, until a model is loaded", async () => {
    const { reader, worker } = await makeReady({ answerWithinMs: Infinity });
    const reading = reader.read(DRAWING);
    await worker.answer(-1, { result: SEVEN });

    const again = await reader.read(structuredClone(DRAWING));

    assert.deepEqual(again, await reading);
    assert.equal(worker.messages.filter(({ read }) => read).length, 1);
    reader.read(DRAWING, { why: true });
    reader.read({ ...DRAWING, strokes: [[[1, 1, 0], [2, 2, 9]]] });
    assert.equal(worker.messages.filter(({ read }) => read).length, 3);
    const using = reader.use("bb");
    await settle();
    await worker.answer(-1, { result: undefined });
    await using;
    reader.read(DRAWING);
    assert.equal(worker.messages.filter(({ read }) => read).length, 4);
  });

  it("is null once a newer one took over, or it was stopped", async () => {
    const { reader, worker } = await makeReady();

    const older = reader.read(DRAWING);
    const newer = reader.read(DRAWING);
    await worker.answer(-2, { result: SEVEN });
    await worker.answer(-1, { result: SEVEN });
    const stopped = reader.read({ ...DRAWING, strokes: [[[2, 2, 0]]] });
    reader.stopReading();
    await worker.answer(-1, { result: SEVEN });

    assert.equal(await older, null);
    assert.equal((await newer).digit, 7);
    assert.equal(await stopped, null);
  });

  it("fails if the worker does not answer, and may be loaded again", async () => {
    const { reader, workers } = await makeReady({ answerWithinMs: 5 });

    await assert.rejects(reader.read(DRAWING), /does not answer/);
    assert.equal(reader.model, null);
    assert.equal(workers[0].isTerminated, true);
    reader.use("aa");
    await settle();

    assert.equal(workers.length, 2);
  });
});
