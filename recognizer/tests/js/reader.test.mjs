import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inflateSync } from "node:zlib";

import { refusalOf, softmax } from "../../../static/recognizer/js/reader/calibrate.js";
import { isMark } from "../../../static/recognizer/js/reader/marks.js";
import { greyPng, rgbaPng } from "../../../static/recognizer/js/reader/png.js";
import { BOX_PX, normalize, SIDE_PX } from "../../../static/recognizer/js/reader/preprocess.js";
import { rasterise, RASTER_PX } from "../../../static/recognizer/js/reader/rasterise.js";
import { Recogniser } from "../../../static/recognizer/js/reader/recogniser.js";

const SEVEN = [[[70, 70], [130, 68], [205, 66], [170, 140], [125, 225]]];
const TICK = [[[60, 140], [110, 220], [230, 60]]];
const CALIBRATION = {
  temperature: 1,
  several_above: 0.5,
  digitness_below: 0.1,
  confidence_below: 0.7,
};

// The Python tests compare framing and marks with the server's, bit by bit.
describe("Framing", () => {
  it("draws with a pen that follows the drawing's size", () => {
    const { width, height, data } = rasterise(SEVEN, 18);

    assert.ok(Math.abs(Math.max(width, height) - RASTER_PX) <= 2);
    assert.deepEqual([...new Set(data)].sort(), [0, 255]);
  });

  it("fits the ink into the box", () => {
    const image = normalize(rasterise(SEVEN, 18));
    const rows = [...Array(SIDE_PX).keys()].filter((y) =>
      image.subarray(y * SIDE_PX, (y + 1) * SIDE_PX).some((level) => level > 0),
    );

    assert.equal(rows.at(-1) - rows[0] + 1, BOX_PX);
  });
});

describe("Marks", () => {
  it("are dots and ticks, and no sevens", () => {
    assert.equal(isMark(normalize(rasterise([[[9, 9]]], 18))), true);
    assert.equal(isMark(normalize(rasterise(TICK, 18))), true);
    assert.equal(isMark(normalize(rasterise(SEVEN, 18))), false);
  });
});

describe("Refusals", () => {
  it("come in the server's order", () => {
    const sure = [0.9, 0.1];

    assert.equal(refusalOf(sure, [0, 1, 0], CALIBRATION), "several");
    assert.equal(refusalOf(sure, [0, 0, 1], CALIBRATION), "not_a_digit");
    assert.equal(refusalOf([0.5, 0.5], [1, 0, 0], CALIBRATION), "unsure");
    assert.equal(refusalOf(sure, [1, 0, 0], CALIBRATION), null);
  });

  it("do not depend on how large logits are", () => {
    assert.deepEqual(softmax([1000, 1000]), [0.5, 0.5]);
  });
});

describe("Recogniser", () => {
  /** A network that sees a 7 by its ink on the left, and a 1 by its ink on the right. */
  async function network(image) {
    const logits = new Float32Array(13);
    image.forEach((level, place) => {
      logits[place % SIDE_PX < SIDE_PX / 2 ? 7 : 1] += level;
    });
    logits[10] = 9;
    return logits;
  }
  const leftHeavy = new Float32Array(SIDE_PX * SIDE_PX);
  for (const place of [283, 284, 311, 312, 340]) leftHeavy[place] = 1;
  leftHeavy[300] = 1;

  it("reads what the network says", async () => {
    const reading = await new Recogniser(network, CALIBRATION).read(leftHeavy);

    assert.deepEqual([reading.digit, reading.second, reading.refusal], [7, 1, null]);
    assert.equal(reading.confidence, Math.max(...reading.probabilities));
  });

  it("refuses what has no ink", async () => {
    const { refusal, second, image } = await new Recogniser(network, CALIBRATION).read(null);

    assert.deepEqual([refusal, second, image], ["blank", null, null]);
  });

  it("finds the ink for and against a digit", async () => {
    const weight = await new Recogniser(network, CALIBRATION).explain(leftHeavy, async () => true);

    assert.ok(weight[283] > 0 && weight[300] < 0);
    assert.equal(weight[0], 0);
    assert.equal(Math.max(...weight.map(Math.abs)), 1);
  });

  it("stops explaining what nobody wants any more", async () => {
    assert.equal(
      await new Recogniser(network, CALIBRATION).explain(leftHeavy, async () => false),
      null,
    );
  });
});

describe("PNG", () => {
  /** @returns {Buffer} the rows of a picture, each after its filter */
  function rowsOf(url) {
    const file = Buffer.from(url.split(",")[1], "base64");
    const start = file.indexOf("IDAT") + 4;
    return inflateSync(file.subarray(start, start + file.readUInt32BE(start - 8)));
  }

  it("holds grey levels as they are", () => {
    assert.deepEqual([...rowsOf(greyPng([1, 2, 3, 255]))], [0, 1, 2, 0, 3, 255]);
  });

  it("holds colours with their opacity", () => {
    assert.deepEqual([...rowsOf(rgbaPng([9, 8, 7, 6]))], [0, 9, 8, 7, 6]);
  });
});
