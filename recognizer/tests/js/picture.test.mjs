import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  backdropOf,
  pictureIn,
  shrunkSize,
  turnedSize,
  wordsForUnreadable,
} from "../../../static/recognizer/js/picture.js";

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

describe("turnedSize", () => {
  it("swaps the sides for each quarter", () => {
    const size = { width: 3, height: 2 };

    const sizes = [0, 1, 2, 3].map((turns) => turnedSize(size, turns));

    const swapped = { width: 2, height: 3 };
    assert.deepEqual(sizes, [size, swapped, size, swapped]);
  });
});

describe("backdropOf", () => {
  const nothing = [0, 0, 0, 0];
  const [black, white] = [[0, 0, 0, 255], [255, 255, 255, 255]];

  it("is white behind dark ink and behind a light picture", () => {
    assert.equal(backdropOf([...nothing, ...nothing, ...black]), "#fff");
    assert.equal(backdropOf([...white, ...white, ...nothing]), "#fff");
    assert.equal(backdropOf(nothing), "#fff");
  });

  it("is black behind light ink on nothing", () => {
    assert.equal(backdropOf([...nothing, ...nothing, ...white]), "#000");
  });
});

describe("wordsForUnreadable", () => {
  it("names a PDF and an iPhone's photo by their first bytes", () => {
    assert.match(wordsForUnreadable("%PDF-1.7\n%\xe2"), /PDF.*screenshot/);
    for (const brand of ["heic", "heix", "mif1"]) {
      assert.match(wordsForUnreadable(`\0\0\0\x18ftyp${brand}`), /HEIC.*JPEG/);
    }
  });

  it("says what can be used for anything else", () => {
    assert.match(wordsForUnreadable(""), /PNG, JPEG, WebP, GIF or BMP/);
    assert.match(wordsForUnreadable("\0\0\0\x18ftypmp42"), /PNG, JPEG, WebP, GIF or BMP/);
  });
});
