import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  drawn,
  frameAround,
  gripAt,
  isSame,
  nudged,
  pixelsIn,
  pulled,
  turned,
} from "../../../static/recognizer/js/crop.js";

const LANDSCAPE = { width: 4000, height: 2000 };
const BOUNDS = frameAround(LANDSCAPE);
const FRAME = { x: [40, 120], y: [100, 180] };

describe("frameAround", () => {
  it("puts a picture whole and centred on the sheet, a small one enlarged", () => {
    assert.deepEqual(BOUNDS, { x: [0, 280], y: [70, 210] });
    assert.deepEqual(frameAround({ width: 10, height: 20 }), { x: [70, 210], y: [0, 280] });
  });
});

describe("turned", () => {
  it("follows the picture clockwise", () => {
    assert.deepEqual(turned(BOUNDS), frameAround({ width: 2000, height: 4000 }));
    assert.deepEqual(turned(FRAME), { x: [100, 180], y: [40, 120] });
  });

  it("comes back after four quarters", () => {
    const lopsided = { x: [10, 30], y: [80, 200] };

    assert.deepEqual(turned(turned(turned(turned(lopsided)))), lopsided);
  });
});

describe("gripAt", () => {
  it("finds corners, sides and the middle", () => {
    assert.deepEqual(gripAt(FRAME, [38, 103], 10), { x: "start", y: "start" });
    assert.deepEqual(gripAt(FRAME, [125, 140], 10), { x: "end", y: "middle" });
    assert.deepEqual(gripAt(FRAME, [80, 175], 10), { x: "middle", y: "end" });
    assert.deepEqual(gripAt(FRAME, [80, 140], 10), { x: "middle", y: "middle" });
  });

  it("finds none beyond reach", () => {
    assert.equal(gripAt(FRAME, [80, 195], 10), null);
  });

  it("leaves a middle to a frame smaller than the reach", () => {
    const small = { x: [100, 118], y: [100, 118] };

    assert.deepEqual(gripAt(small, [109, 109], 24), { x: "middle", y: "middle" });
    assert.deepEqual(gripAt(small, [80, 80], 24), { x: "start", y: "start" });
  });
});

describe("pulled", () => {
  const pull = (grip, way) => pulled(FRAME, grip, way, BOUNDS);

  it("moves only the sides that are held", () => {
    const corner = pull({ x: "start", y: "end" }, [-10, 5]);
    assert.deepEqual(corner, { x: [30, 120], y: [100, 185] });
    const side = pull({ x: "end", y: "middle" }, [7, 50]);
    assert.deepEqual(side, { x: [40, 127], y: [100, 180] });
  });

  it("moves the whole frame by its middle", () => {
    const moved = pull({ x: "middle", y: "middle" }, [10, -20]);
    assert.deepEqual(moved, { x: [50, 130], y: [80, 160] });
  });

  it("stays in the picture and keeps its size when moved", () => {
    assert.deepEqual(pull({ x: "start", y: "start" }, [-99, -99]), { x: [0, 120], y: [70, 180] });
    const moved = pull({ x: "middle", y: "middle" }, [999, 999]);
    assert.deepEqual(moved, { x: [200, 280], y: [130, 210] });
  });

  it("keeps a smallest size, and never crosses the other side", () => {
    assert.deepEqual(pull({ x: "start", y: "middle" }, [200, 0]).x, [104, 120]);
    assert.deepEqual(pull({ x: "end", y: "middle" }, [-200, 0]).x, [40, 56]);
  });

  it("leaves a picture thinner than that as it is", () => {
    const thin = frameAround({ width: 9000, height: 1 });

    assert.deepEqual(pulled(thin, { x: "middle", y: "end" }, [0, -50], thin), thin);
  });
});

describe("drawn", () => {
  it("spans two corners in any order", () => {
    const frame = { x: [20, 90], y: [80, 140] };

    assert.deepEqual(drawn([20, 80], [90, 140], BOUNDS), frame);
    assert.deepEqual(drawn([90, 140], [20, 80], BOUNDS), frame);
  });

  it("stays in the picture", () => {
    assert.deepEqual(drawn([200, 10], [280, 280], BOUNDS), { x: [200, 280], y: [70, 210] });
    assert.deepEqual(drawn([10, 0], [60, 20], BOUNDS), { x: [10, 60], y: [70, 86] });
  });

  it("is none for a tap", () => {
    assert.equal(drawn([50, 100], [55, 104], BOUNDS), null);
  });
});

describe("nudged", () => {
  it("moves by arrow keys and resizes with Shift", () => {
    const press = (key, shiftKey) => nudged(FRAME, { key, shiftKey }, BOUNDS);

    assert.deepEqual(press("ArrowLeft", false), { x: [35, 115], y: [100, 180] });
    assert.deepEqual(press("ArrowLeft", true), { x: [40, 115], y: [100, 180] });
    assert.deepEqual(press("ArrowDown", true), { x: [40, 120], y: [100, 185] });
    assert.equal(press("a", false), null);
  });
});

describe("pixelsIn", () => {
  it("is all of the picture for the frame around it", () => {
    for (const size of [LANDSCAPE, { width: 333, height: 1001 }, { width: 9000, height: 1 }]) {
      assert.deepEqual(pixelsIn(frameAround(size), size), { x: 0, y: 0, ...size });
    }
  });

  it("scales a frame to the picture's pixels", () => {
    const half = { x: [140, 280], y: [70, 140] };

    assert.deepEqual(pixelsIn(half, LANDSCAPE), { x: 2000, y: 0, width: 2000, height: 1000 });
  });

  it("has a pixel at least", () => {
    const size = { width: 4, height: 4 };

    assert.deepEqual(pixelsIn({ x: [270, 280], y: [0, 16] }, size), { x: 3, y: 0, width: 1, height: 1 });
  });
});

describe("isSame", () => {
  it("compares all four sides", () => {
    assert.ok(isSame(FRAME, { x: [40, 120], y: [100, 180] }));
    assert.ok(!isSame(FRAME, { x: [40, 120], y: [100, 181] }));
  });
});
