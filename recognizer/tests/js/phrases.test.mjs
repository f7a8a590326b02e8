import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";

const MODULE = "../../../static/recognizer/js/phrases.js";

/** The module as a page in this language loads it. */
async function inPage({ lang, phrases }) {
  globalThis.document = {
    documentElement: { lang },
    getElementById: () => (phrases ? { textContent: JSON.stringify(phrases) } : null),
  };
  return import(`${MODULE}?${lang}${Object.keys(phrases ?? {}).length}`);
}

afterEach(() => {
  delete globalThis.document;
});

describe("phrase", () => {
  it("is English where the page brings nothing else", async () => {
    const { phrase } = await inPage({ lang: "en" });

    assert.equal(phrase("Is it %(digit)s?", { digit: 7 }), "Is it 7?");
  });

  it("is the page's translation", async () => {
    const phrases = { "Is it %(digit)s?": "Ist es eine %(digit)s?" };
    const { phrase } = await inPage({ lang: "de", phrases });

    assert.equal(phrase("Is it %(digit)s?", { digit: 7 }), "Ist es eine 7?");
    assert.equal(phrase("Not there"), "Not there");
  });

  it("leaves places open that have no value yet", async () => {
    const { phrase } = await inPage({ lang: "en" });

    assert.equal(phrase("over %(share)s"), "over %(share)s");
  });
});

describe("inPercent", () => {
  it("is written as the page's language does", async () => {
    const german = await inPage({ lang: "de", phrases: { a: "b", c: "d" } });
    const english = await inPage({ lang: "en", phrases: { a: "b" } });

    assert.equal(german.inPercent(0.998, 1), "99,8\u00a0%");
    assert.equal(english.inPercent(0.998, 1), "99.8\u00a0%");
    assert.equal(english.inPercent(0.41, 0), "41\u00a0%");
  });
});
