import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ApiClient, ApiError } from "../../../static/recognizer/js/api.js";

const DRAWING = { strokes: [[[1, 2, 0]]], width: 280, height: 280, pen_width: 18 };
const ONCE = { key: "k-1", visitor: "v" };

function json(body, { status = 200, headers = {} } = {}) {
  return new Response(JSON.stringify(body), { status, headers });
}

function readingOf(digit) {
  return json({ model: "m", readings: [{ digit }] });
}

/** A fetch whose calls are answered by hand; it obeys the abort signal. */
function fakeFetch({ isDeaf = false } = {}) {
  const calls = [];
  const fetch = (url, options) =>
    new Promise((resolve, reject) => {
      calls.push({ url, options, resolve, reject });
      if (isDeaf) return;
      const abort = () => reject(new DOMException("Aborted", "AbortError"));
      options.signal.addEventListener("abort", abort);
    });
  return { fetch, calls };
}

function makeReader(overrides) {
  return new ApiClient({
    readingsUrl: "/api/v1/readings/",
    submissionsUrl: "/api/v1/submissions/",
    meUrl: "/api/v1/me/",
    ...overrides,
  });
}

function answering(response) {
  return makeReader({ fetch: async () => response });
}

describe("ApiClient.read", () => {
  it("posts the drawing and asks for the picture the model saw", async () => {
    const { fetch, calls } = fakeFetch();
    const reading = makeReader({ fetch }).read(DRAWING);
    calls[0].resolve(readingOf(7));

    assert.equal((await reading).digit, 7);
    assert.equal(calls[0].url, "/api/v1/readings/?include=seen");
    assert.equal(calls[0].options.method, "POST");
    assert.deepEqual(JSON.parse(calls[0].options.body), { drawings: [DRAWING] });
  });

  it("aborts the former request when a newer one starts", async () => {
    const { fetch, calls } = fakeFetch();
    const api = makeReader({ fetch });
    const former = api.read(DRAWING);
    const newer = api.read(DRAWING);
    calls[1].resolve(readingOf(2));

    assert.equal(calls[0].options.signal.aborted, true);
    assert.equal(calls[1].options.signal.aborted, false);
    assert.equal(await former, null);
    assert.equal((await newer).digit, 2);
  });

  it("never gives an older answer after a newer one, even unabortable", async () => {
    const { fetch, calls } = fakeFetch({ isDeaf: true });
    const api = makeReader({ fetch });
    const older = api.read(DRAWING);
    const newer = api.read(DRAWING);
    calls[1].resolve(readingOf(2));
    calls[0].resolve(readingOf(1));

    assert.equal((await newer).digit, 2);
    assert.equal(await older, null);
  });

  it("hides the failure of a superseded request", async () => {
    const { fetch, calls } = fakeFetch({ isDeaf: true });
    const api = makeReader({ fetch });
    const older = api.read(DRAWING);
    const newer = api.read(DRAWING);
    calls[0].reject(new TypeError("Failed to fetch"));
    calls[1].resolve(readingOf(2));

    assert.equal(await older, null);
    assert.equal((await newer).digit, 2);
  });

  it("tells whether a reading is under way", async () => {
    const { fetch, calls } = fakeFetch();
    const api = makeReader({ fetch });
    assert.equal(api.isReading, false);

    const reading = api.read(DRAWING);
    assert.equal(api.isReading, true);
    calls[0].resolve(readingOf(1));
    await reading;
    assert.equal(api.isReading, false);
  });

  it("resolves to null when it is stopped", async () => {
    const { fetch } = fakeFetch();
    const api = makeReader({ fetch });
    const reading = api.read(DRAWING);
    api.stopReading();

    assert.equal(await reading, null);
    assert.equal(api.isReading, false);
  });

  it("throws the error of a single drawing", async () => {
    const error = { code: "invalid", message: "No strokes.", fields: { strokes: "empty" } };
    const api = answering(json({ model: "m", readings: [{ error }] }));

    await assert.rejects(api.read(DRAWING), (caught) => {
      assert.ok(caught instanceof ApiError);
      assert.deepEqual(
        [caught.code, caught.message, caught.fields, caught.isTemporary],
        ["invalid", "No strokes.", { strokes: "empty" }, false],
      );
      return true;
    });
  });
});

describe("ApiClient errors", () => {
  it("carry the API's code, message and fields", async () => {
    const body = { error: { code: "invalid", message: "Too wide.", fields: { width: ["x"] } } };

    await assert.rejects(answering(json(body, { status: 400 })).submit(DRAWING, ONCE), {
      name: "ApiError",
      code: "invalid",
      message: "Too wide.",
      status: 400,
      fields: { width: ["x"] },
      isTemporary: false,
      isNetworkFailure: false,
    });
  });

  it("tell a lost connection from an answer", async () => {
    const fetch = async () => {
      throw new TypeError("Failed to fetch");
    };

    await assert.rejects(makeReader({ fetch }).submit(DRAWING, ONCE), {
      code: "network",
      status: 0,
      isNetworkFailure: true,
      isTemporary: true,
    });
  });

  it("count an answer that never comes as a lost connection", async () => {
    const { fetch } = fakeFetch();
    const api = makeReader({ fetch, timeoutMs: 5 });

    await assert.rejects(api.submit(DRAWING, ONCE), { code: "network" });
    await assert.rejects(api.read(DRAWING), { code: "network" });
  });

  it("survive a proxy's page instead of JSON", async () => {
    const page = new Response("<h1>Bad gateway</h1>", { status: 502 });

    await assert.rejects(answering(page).submit(DRAWING, ONCE), {
      code: "http_502",
      status: 502,
      isTemporary: true,
      isNetworkFailure: false,
    });
  });

  it("know how long a throttle lasts", async () => {
    const body = { error: { code: "throttled", message: "Slow down." } };
    const answer = json(body, { status: 429, headers: { "Retry-After": "3" } });

    await assert.rejects(answering(answer).submit(DRAWING, ONCE), {
      isTemporary: true,
      retryAfterMs: 3000,
    });
  });
});

describe("ApiClient.submit", () => {
  it("posts the bare drawing so that it outlives the page", async () => {
    const { fetch, calls } = fakeFetch();
    const submission = makeReader({ fetch }).submit(DRAWING, ONCE);
    calls[0].resolve(json({ id: "a" }, { status: 201 }));

    assert.deepEqual(await submission, { id: "a" });
    assert.equal(calls[0].url, "/api/v1/submissions/");
    assert.deepEqual(JSON.parse(calls[0].options.body), DRAWING);
    assert.equal(calls[0].options.keepalive, true);
    assert.equal(calls[0].options.headers["Idempotency-Key"], "k-1");
    assert.equal(calls[0].options.headers["Visitor-Id"], "v");
  });

  it("gives up keepalive where browsers would refuse it", async () => {
    const { fetch, calls } = fakeFetch();
    const stroke = Array.from({ length: 9000 }, (_, i) => [i, i, i]);
    const submission = makeReader({ fetch }).submit({ ...DRAWING, strokes: [stroke] }, ONCE);
    calls[0].resolve(json({ id: "a" }, { status: 201 }));
    await submission;

    assert.equal(calls[0].options.keepalive, false);
  });

  it("sends the CSRF token when there is one, and none otherwise", async () => {
    const { fetch, calls } = fakeFetch();
    const signedIn = makeReader({ fetch, csrfToken: () => "secret" }).submit(DRAWING, ONCE);
    const anonymous = makeReader({ fetch }).submit(DRAWING, ONCE);
    for (const call of calls) call.resolve(json({ id: "a" }, { status: 201 }));
    await Promise.all([signedIn, anonymous]);

    assert.equal(calls[0].options.headers["X-CSRFToken"], "secret");
    assert.equal("X-CSRFToken" in calls[1].options.headers, false);
  });
});

describe("ApiClient.read with why", () => {
  it("asks for the explanation as well", async () => {
    const { fetch, calls } = fakeFetch();
    const reading = makeReader({ fetch }).read(DRAWING, { why: true });
    calls[0].resolve(readingOf(7));
    await reading;

    assert.equal(calls[0].url, "/api/v1/readings/?include=seen,why");
  });
});

describe("ApiClient.delete", () => {
  it("deletes by address", async () => {
    const { fetch, calls } = fakeFetch();
    const done = makeReader({ fetch }).delete("some-id", { visitor: "v" });
    calls[0].resolve(new Response(null, { status: 204 }));
    await done;

    assert.equal(calls[0].url, "/api/v1/submissions/some-id/");
    assert.equal(calls[0].options.method, "DELETE");
  });

  it("takes one already gone for deleted", async () => {
    const gone = json({ error: { code: "not_found", message: "Gone." } }, { status: 404 });
    await answering(gone).delete("some-id", { visitor: "v" });
  });

  it("throws what else went wrong", async () => {
    const broken = new Response("", { status: 500 });
    await assert.rejects(answering(broken).delete("some-id", { visitor: "v" }), { status: 500 });
  });
});
