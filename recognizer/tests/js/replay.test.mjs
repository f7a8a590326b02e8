import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { LONGEST_PAUSE_MS, pathOf, Replay } from "../../../static/recognizer/js/replay.js";

const HOOK = [
  [[0, 0, 0], [100, 0, 200], [100, 100, 400]],
  [[20, 50, 600], [80, 50, 700]],
];

describe("Replay", () => {
  it("has nothing but the first point at its beginning, and all ink at its end", () => {
    const replay = new Replay(HOOK);

    assert.deepEqual(replay.inkAt(0), [[[0, 0], [0, 0]], []]);
    assert.deepEqual(
      replay.inkAt(replay.duration),
      HOOK.map((stroke) => stroke.map(([x, y]) => [x, y])),
    );
  });

  it("keeps the pace of the hand", () => {
    const replay = new Replay(HOOK);

    assert.equal(replay.duration, 700);
    assert.deepEqual(replay.ends, [400, 700]);
    assert.deepEqual(replay.inkAt(100)[0].at(-1), [50, 0]);
    assert.deepEqual(replay.inkAt(300)[0].at(-1), [100, 50]);
    assert.deepEqual(replay.inkAt(500)[1], []);
  });

  it("shortens long pauses, between strokes and within one", () => {
    const thinker = new Replay([
      [[0, 0, 0], [1, 0, 100], [2, 0, 60_000]],
      [[5, 5, 3_600_000], [6, 6, 3_600_100]],
    ]);

    assert.equal(thinker.duration, 100 + LONGEST_PAUSE_MS + LONGEST_PAUSE_MS + 100);
  });

  it("moves at a calm speed where no times were sent", () => {
    const untimed = new Replay([[[0, 0], [280, 0]], [[0, 0], [0, 140]]], 280);

    assert.deepEqual(untimed.ends, [625, 625 + 250 + 312.5]);
    assert.deepEqual(untimed.inkAt(312.5)[0].at(-1), [140, 0]);
  });

  it("moves at a calm speed where all times are the same", () => {
    const still = new Replay([[[0, 0, 0], [280, 0, 0]]], 280);

    assert.equal(still.duration, 625);
  });

  it("never goes back, even where the times that were sent do", () => {
    const replay = new Replay([[[0, 0, 500], [10, 0, 400], [20, 0, 900]]]);
    const lengths = [0, 100, 200, 300, 400, 500].map((t) => replay.inkAt(t)[0].length);

    assert.deepEqual(lengths, lengths.toSorted((a, b) => a - b));
    assert.equal(replay.duration, 500);
  });

  it("shows a dot for a moment", () => {
    const dot = new Replay([[[5, 5, 0]]]);

    assert.ok(dot.duration > 0);
    assert.deepEqual(dot.inkAt(dot.duration)[0].at(-1), [5, 5]);
  });

  it("steps from stroke to stroke", () => {
    const replay = new Replay(HOOK);

    assert.equal(replay.nextEnd(0), 400);
    assert.equal(replay.nextEnd(400), 700);
    assert.equal(replay.nextEnd(700), 700);
  });

  it("ends within a bounded time, however long it took", () => {
    const points = Array.from({ length: 100 }, (_, i) => [i, i, i * 100_000]);

    assert.ok(new Replay([points]).duration <= 100 * LONGEST_PAUSE_MS);
  });
});

describe("pathOf", () => {
  it("writes lines, a dot, and nothing", () => {
    assert.equal(pathOf([[1, 2], [3, 4], [5, 6]]), "M1 2L3 4 5 6");
    assert.equal(pathOf([[1, 2]]), "M1 2h0");
    assert.equal(pathOf([]), "");
  });
});
