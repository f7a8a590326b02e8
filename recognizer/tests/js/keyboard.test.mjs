import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { KeyboardPen } from "../../../static/recognizer/js/keyboard.js";

/** A pad that writes down what is drawn on it. */
class Sheet {
  width = 280;
  strokes = [];
  cursor = undefined;
  beginStroke(place, time, pointer) {
    this.strokes.push({ points: [place], pointer, isOpen: true });
  }
  extendStroke(place) {
    this.strokes.at(-1).points.push(place);
  }
  finish() {
    this.strokes.at(-1).isOpen = false;
  }
  showCursor(cursor) {
    this.cursor = cursor;
  }
}

function pressed(...keys) {
  const sheet = new Sheet();
  const pen = new KeyboardPen(sheet, () => 0);
  for (const key of keys) {
    const [name, shift] = key.split("+").reverse();
    pen.press({ key: name, shiftKey: shift === "Shift" });
  }
  return { sheet, pen };
}

describe("KeyboardPen", () => {
  it("moves by a square, with Shift by a quarter, and leaves no ink while it is up", () => {
    const { sheet, pen } = pressed("ArrowRight", "ArrowDown", "Shift+ArrowDown");

    assert.deepEqual(pen.place, { column: 8, row: 4.25 });
    assert.deepEqual(sheet.strokes, []);
    assert.deepEqual(sheet.cursor, { x: 160, y: 85, isDown: false });
  });

  it("draws a straight line from place to place", () => {
    const { sheet } = pressed(" ", "ArrowDown", "ArrowDown", " ");

    const [stroke] = sheet.strokes;
    assert.deepEqual(stroke.points, [[140, 60], [140, 70], [140, 90], [140, 100]]);
    assert.equal(stroke.pointer, "keyboard");
    assert.equal(stroke.isOpen, false);
  });

  it("makes a slope of steps right and down in turn", () => {
    const steps = ["ArrowRight", "ArrowDown"];
    const { sheet } = pressed(" ", ...steps, ...steps, ...steps, " ");

    const inner = sheet.strokes[0].points.slice(1, -1);
    for (const [i, [x, y]] of inner.entries()) {
      assert.deepEqual([x, y], [150 + 10 * i, 60 + 10 * i]);
    }
  });

  it("goes aslant by Home, End and the page keys", () => {
    for (const [key, column, row] of [
      ["Home", 6, 2], ["PageUp", 8, 2], ["End", 6, 4], ["PageDown", 8, 4],
    ]) {
      assert.deepEqual(pressed(key).pen.place, { column, row });
    }
  });

  it("stays on the sheet", () => {
    const { pen } = pressed(...Array(30).fill("ArrowLeft"), ...Array(30).fill("ArrowUp"));

    assert.deepEqual(pen.place, { column: 0, row: 0 });
  });

  it("leaves other keys alone", () => {
    const { pen } = pressed();

    assert.equal(pen.press({ key: "a", shiftKey: false }), false);
    assert.equal(pen.press({ key: " ", shiftKey: false }), true);
  });

  it("lifts and hides when the keyboard is used elsewhere", () => {
    const { sheet, pen } = pressed(" ", "ArrowDown");
    pen.leave();

    assert.equal(pen.isDown, false);
    assert.equal(sheet.strokes[0].isOpen, false);
    assert.equal(sheet.cursor, null);
  });

  it("starts a new stroke after others have ended its own", () => {
    const { sheet, pen } = pressed(" ", "ArrowDown");
    pen.ended();
    pen.press({ key: " ", shiftKey: false });

    assert.equal(sheet.strokes.length, 2);
  });
});
