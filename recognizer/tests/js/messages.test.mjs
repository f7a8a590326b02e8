import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";

const MODULE = "../../../static/recognizer/js/messages.js";

/** The module as a page in this language loads it. */
async function inPage({ lang, messages }) {
  globalThis.document = {
    documentElement: { lang },
    getElementById: () => (messages ? { textContent: JSON.stringify(messages) } : null),
  };
  return import(`${MODULE}?${lang}${Object.keys(messages ?? {}).length}`);
}

afterEach(() => {
  delete globalThis.document;
});

describe("translate", () => {
  it("is English where the page brings nothing else", async () => {
    const { translate } = await inPage({ lang: "en" });

    assert.equal(translate("Is it %(digit)s?", { digit: 7 }), "Is it 7?");
  });

  it("is the page's translation", async () => {
    const messages = { "Is it %(digit)s?": "Ist es eine %(digit)s?" };
    const { translate } = await inPage({ lang: "de", messages });

    assert.equal(translate("Is it %(digit)s?", { digit: 7 }), "Ist es eine 7?");
    assert.equal(translate("Not there"), "Not there");
  });

  it("leaves places open that have no value yet", async () => {
    const { translate } = await inPage({ lang: "en" });

    assert.equal(translate("over %(share)s"), "over %(share)s");
  });
});

describe("inPercent", () => {
  it("is written as the page's language does", async () => {
    const german = await inPage({ lang: "de", messages: { a: "b", c: "d" } });
    const english = await inPage({ lang: "en", messages: { a: "b" } });

    assert.equal(german.inPercent(0.998, 1), "99,8\u00a0%");
    assert.equal(english.inPercent(0.998, 1), "99.8\u00a0%");
    assert.equal(english.inPercent(0.41, 0), "41\u00a0%");
  });
});
