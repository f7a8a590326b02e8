import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { pictureIn, shrunkSize } from "../../../static/recognizer/js/picture.js";

describe("shrunkSize", () => {
  it("brings a photo's longer side to 1,024 and keeps its shape", () => {
    assert.deepEqual(shrunkSize({ width: 4032, height: 3024 }), { width: 1024, height: 768 });
    assert.deepEqual(shrunkSize({ width: 3024, height: 4032 }), { width: 768, height: 1024 });
  });

  it("leaves a small picture as it is", () => {
    assert.deepEqual(shrunkSize({ width: 280, height: 100 }), { width: 280, height: 100 });
  });

  it("leaves a pixel of the thinnest", () => {
    assert.deepEqual(shrunkSize({ width: 9000, height: 1 }), { width: 1024, height: 1 });
  });
});

describe("pictureIn", () => {
  const file = (type) => ({ type });

  it("finds the first picture among what was dropped or pasted", () => {
    const files = [file("text/plain"), file("image/png"), file("image/jpeg")];

    assert.equal(pictureIn({ files }), files[1]);
  });

  it("gives another file where there is no picture, to say what is wrong with it", () => {
    const files = [file("text/plain")];

    assert.equal(pictureIn({ files }), files[0]);
  });

  it("finds none in nothing", () => {
    assert.equal(pictureIn({ files: [] }), null);
    assert.equal(pictureIn(null), null);
  });
});
