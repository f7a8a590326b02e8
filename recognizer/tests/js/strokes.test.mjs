import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  CANVAS_PX,
  MAX_POINTS,
  MAX_STROKES,
  PEN_WIDTH_PX,
  Strokes,
  toCanvasPoint,
} from "../../../static/recognizer/js/strokes.js";

/** Draw one stroke through the places, 10 ms apart. */
function drawStroke(strokes, places, startMs = 0) {
  strokes.begin(places[0], startMs, "mouse");
  places.slice(1).forEach((place, i) => strokes.extend(place, startMs + 10 * (i + 1)));
  strokes.end();
}

describe("toCanvasPoint", () => {
  const rect = { left: 100, top: 50, width: 560, height: 560 };

  it("maps the element's corners to the canvas corners", () => {
    assert.deepEqual(toCanvasPoint(100, 50, rect), [0, 0]);
    assert.deepEqual(toCanvasPoint(660, 610, rect), [CANVAS_PX, CANVAS_PX]);
  });

  it("gives the same place whatever the element's size", () => {
    const small = { left: 0, top: 0, width: 140, height: 140 };
    assert.deepEqual(toCanvasPoint(35, 70, small), toCanvasPoint(240, 330, rect));
  });

  it("rounds to a tenth of a pixel", () => {
    assert.deepEqual(toCanvasPoint(100.33, 50, rect), [0.2, 0]);
  });

  it("maps a wide element to a wide canvas of the same height", () => {
    const wide = { left: 0, top: 0, width: 600, height: 200 };
    assert.deepEqual(toCanvasPoint(600, 100, wide, 840), [840, CANVAS_PX / 2]);
    assert.deepEqual(toCanvasPoint(900, 100, wide, 840), [840, CANVAS_PX / 2]);
  });

  it("holds a pointer outside at the edge, where its ink is seen", () => {
    assert.deepEqual(toCanvasPoint(-500, 9000, rect), [0, CANVAS_PX]);
  });
});

describe("Strokes", () => {
  it("is blank and has no drawing before the first ink", () => {
    const strokes = new Strokes();

    assert.equal(strokes.isBlank, true);
    assert.equal(strokes.toDrawing(), null);
    assert.deepEqual([strokes.canUndo, strokes.canRedo, strokes.canClear], [false, false, false]);
  });

  it("serialises to the API's drawing", () => {
    const strokes = new Strokes();
    drawStroke(strokes, [[10, 20], [30, 40.5]], 5000);

    assert.deepEqual(strokes.toDrawing(), {
      strokes: [[[10, 20, 0], [30, 40.5, 10]]],
      width: 280,
      height: 280,
      pen_width: PEN_WIDTH_PX,
      pointer: "mouse",
    });
  });

  it("names only pointers that the API knows", () => {
    const strokes = new Strokes();
    strokes.begin([1, 1], 0, "vendor-wand");

    assert.equal("pointer" in strokes.toDrawing(), false);
  });

  it("counts time from the drawing's first point, over all strokes", () => {
    const strokes = new Strokes();
    drawStroke(strokes, [[1, 1], [2, 2]], 700);
    drawStroke(strokes, [[5, 5], [6, 6]], 1000.4);

    assert.deepEqual(
      strokes.toDrawing().strokes.flat().map(([, , t]) => t),
      [0, 10, 300, 310],
    );
  });

  it("never lets time run backwards", () => {
    const strokes = new Strokes();
    strokes.begin([1, 1], 100);
    strokes.extend([2, 2], 150);
    strokes.extend([3, 3], 148);

    assert.deepEqual(strokes.toDrawing().strokes[0].map(([, , t]) => t), [0, 50, 50]);
  });

  it("starts the clock anew when the first strokes were undone", () => {
    const strokes = new Strokes();
    drawStroke(strokes, [[1, 1]], 0);
    strokes.undo();
    drawStroke(strokes, [[2, 2]], 9000);

    assert.deepEqual(strokes.toDrawing().strokes, [[[2, 2, 0]]]);
  });

  it("keeps a tap as a stroke of one point", () => {
    const strokes = new Strokes();
    strokes.begin([7, 7], 0, "touch");
    strokes.extend([7, 7], 40);
    strokes.end();

    assert.deepEqual(strokes.toDrawing().strokes, [[[7, 7, 0]]]);
  });

  it("drops a place equal to the one before, but not one visited again", () => {
    const strokes = new Strokes();
    strokes.begin([0, 0], 0);

    assert.equal(strokes.extend([0, 0], 5), false);
    assert.equal(strokes.extend([1, 0], 10), true);
    assert.equal(strokes.extend([0, 0], 15), true);
    assert.equal(strokes.pointCount, 3);
  });

  it("adds nothing while the pen is up", () => {
    const strokes = new Strokes();
    drawStroke(strokes, [[0, 0]]);

    assert.equal(strokes.extend([9, 9], 50), false);
    assert.equal(strokes.pointCount, 1);
  });

  it("hands out copies: a drawing under way does not change what was sent", () => {
    const strokes = new Strokes();
    strokes.begin([0, 0], 0);
    const sent = strokes.toDrawing();
    strokes.extend([1, 1], 10);

    assert.equal(sent.strokes[0].length, 1);
  });

  it("undoes and redoes whole strokes, newest first", () => {
    const strokes = new Strokes();
    drawStroke(strokes, [[0, 0], [1, 1]]);
    drawStroke(strokes, [[5, 5]], 100);
    const whole = strokes.toDrawing();

    strokes.undo();
    assert.equal(strokes.toDrawing().strokes.length, 1);
    strokes.undo();
    assert.equal(strokes.isBlank, true);
    assert.equal(strokes.undo(), false);

    strokes.redo();
    strokes.redo();
    assert.deepEqual(strokes.toDrawing(), whole);
    assert.equal(strokes.redo(), false);
  });

  it("forgets what could be redone once new ink comes", () => {
    const strokes = new Strokes();
    drawStroke(strokes, [[0, 0]]);
    strokes.undo();
    drawStroke(strokes, [[9, 9]], 50);

    assert.equal(strokes.canRedo, false);
    assert.deepEqual(strokes.toDrawing().strokes, [[[9, 9, 0]]]);
  });

  it("clears to a blank sheet with nothing to undo or redo", () => {
    const strokes = new Strokes();
    drawStroke(strokes, [[0, 0]]);
    drawStroke(strokes, [[1, 1]], 100);
    strokes.undo();
    strokes.clear();

    assert.deepEqual([strokes.canUndo, strokes.canRedo, strokes.canClear], [false, false, false]);
    assert.equal(strokes.pointCount, 0);
  });

  it("goes on with a restored drawing, later than its last point", () => {
    const strokes = new Strokes();
    drawStroke(strokes, [[0, 0], [1, 1]]);
    const drawing = JSON.parse(JSON.stringify(strokes.toDrawing()));

    const restored = Strokes.fromDrawing(drawing);
    assert.deepEqual(restored.toDrawing(), drawing);
    assert.equal(restored.pointCount, 2);
    drawStroke(restored, [[5, 5]], 3);

    const [, [[, , t]]] = restored.toDrawing().strokes;
    assert.ok(t > 10, `t is ${t}`);
    assert.equal(restored.toDrawing().pointer, "mouse");
  });

  it("thins a drawing out at the point limit and keeps its ends and shape", () => {
    const strokes = new Strokes();
    drawStroke(strokes, [[200, 200]]);
    strokes.begin([0, 0], 0);
    const count = MAX_POINTS + 1234;
    for (let i = 1; i <= count; i += 1) strokes.extend([i / 100, 0], i);

    const [dot, line] = strokes.toDrawing().strokes;
    assert.ok(strokes.pointCount <= MAX_POINTS);
    assert.equal(dot.length + line.length, strokes.pointCount);
    assert.deepEqual(dot, [[200, 200, 0]]);
    assert.deepEqual(line[0].slice(0, 2), [0, 0]);
    assert.deepEqual(line.at(-1).slice(0, 2), [count / 100, 0]);
    const gaps = line.slice(1).map(([x], i) => x - line[i][0]);
    assert.ok(Math.max(...gaps) < 0.1, "no hole wider than a tenth of a pixel");
  });

  it("joins the nearest strokes at the stroke limit and loses no point", () => {
    const strokes = new Strokes();
    for (let i = 0; i < MAX_STROKES; i += 1) {
      const x = i === 42 ? (i - 1) * 10 + 1 : i * 10;
      drawStroke(strokes, [[x, 0]], i);
    }
    drawStroke(strokes, [[0, 50]], 5000);

    const drawing = strokes.toDrawing();
    assert.equal(drawing.strokes.length, MAX_STROKES);
    assert.equal(strokes.pointCount, MAX_STROKES + 1);
    assert.deepEqual(drawing.strokes[41].map(([x]) => x), [410, 411]);
    assert.deepEqual(drawing.strokes.at(-1)[0].slice(0, 2), [0, 50]);
  });

  it("takes an open stroke back for good, as a second finger asks", () => {
    const strokes = new Strokes();
    drawStroke(strokes, [[10, 20], [30, 40]]);
    strokes.begin([50, 50], 100, "touch");
    strokes.extend([60, 50], 110);
    strokes.drop();

    assert.equal(strokes.isOpen, false);
    assert.equal(strokes.canRedo, false);
    assert.equal(strokes.pointCount, 2);
    assert.equal(strokes.toDrawing().strokes.length, 1);
    strokes.drop(); // nothing is open now: the finished stroke stays
    assert.equal(strokes.toDrawing().strokes.length, 1);
  });

  it("knows how far the open stroke reaches", () => {
    const strokes = new Strokes();
    assert.equal(strokes.openExtent, 0);

    strokes.begin([50, 50], 0, "touch");
    strokes.extend([60, 50], 10);
    strokes.extend([60, 90], 20);
    assert.equal(strokes.openExtent, 40);

    strokes.end();
    assert.equal(strokes.openExtent, 0);
  });

  it("names the keyboard as its pointer", () => {
    const strokes = new Strokes();
    strokes.begin([50, 50], 0, "keyboard");

    assert.equal(strokes.toDrawing().pointer, "keyboard");
  });
});

describe("The canvas", () => {
  it("is sent as wide as it is, and restored", () => {
    const strokes = new Strokes();
    strokes.width = 840;
    drawStroke(strokes, [[600, 10], [610, 20]]);

    const sent = strokes.toDrawing();

    assert.deepEqual([sent.width, sent.height], [840, CANVAS_PX]);
    assert.equal(Strokes.fromDrawing(sent).width, 840);
  });

  it("stays as wide for a new drawing", () => {
    const strokes = new Strokes();
    strokes.width = 840;

    strokes.clear();

    assert.equal(strokes.width, 840);
  });

  it("must be as wide as all ink, undone or not", () => {
    const strokes = new Strokes();
    drawStroke(strokes, [[10, 10], [280, 20]]);
    assert.equal(strokes.fits(CANVAS_PX), true);

    drawStroke(strokes, [[10, 10], [281, 20]]);
    assert.equal(strokes.fits(CANVAS_PX), false);
    strokes.undo();

    assert.equal(strokes.fits(CANVAS_PX), false);
  });
});
