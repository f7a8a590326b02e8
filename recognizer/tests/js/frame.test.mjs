import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { frameOf } from "../../../static/recognizer/js/frame.js";

const near = (actual, expected, tolerance = 1e-6) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);

describe("frameOf", () => {
  it("gives a line of 200 with its pen the 20 pixels of the box", () => {
    const { size } = frameOf([[[140, 40, 0], [140, 240, 9]]], 18);

    near(size, (200 * 1.11 * 28) / 20);
  });

  it("puts the middle of even ink on the middle of the picture", () => {
    const square = [[[40, 40], [240, 40], [240, 240], [40, 240], [40, 40]]];
    const { x, y, size } = frameOf(square, 18);

    near(x + size / 2, 140, size / 28);
    near(y + size / 2, 140, size / 28);
  });

  it("follows the drawing when that moves or grows", () => {
    const seven = [[[60, 60], [200, 60], [110, 230]], [[90, 140], [170, 135]]];
    const moved = seven.map((stroke) => stroke.map(([x, y]) => [2 * x + 30, 2 * y - 10]));
    const [one, other] = [frameOf(seven, 18), frameOf(moved, 18)];

    near(other.size, 2 * one.size);
    near(other.x, 2 * one.x + 30, 1e-6);
    near(other.y, 2 * one.y - 10, 1e-6);
  });

  it("holds lopsided ink within the picture", () => {
    const lopsided = [[[10, 10], [10, 270]], [[10, 268], [12, 268]], [[10, 10], [200, 12]]];
    const { x, y, size } = frameOf(lopsided, 18);

    assert.ok(x <= 10 && y <= 10);
    assert.ok(x + size >= 200 && y + size >= 270);
  });

  it("takes a dot", () => {
    const { x, y, size } = frameOf([[[100, 100, 0]]], 18);

    near(size, (18 * 28) / 20);
    near(x + size / 2, 100, size / 20);
    near(y + size / 2, 100, size / 20);
  });
});
