import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { lines, numberIn, percent, secondGuess, sentence } from "../../../static/recognizer/js/reading_view.js";

const plain = (words) => words.replaceAll("\u00a0", " ");

function makeReading(overrides) {
  const probabilities = Array(10).fill(0);
  probabilities[7] = 0.97;
  probabilities[1] = 0.03;
  const refusal = null;
  return { digit: 7, confidence: 0.97, second: 1, probabilities, digitness: 0.98, refusal, ...overrides };
}

describe("percent", () => {
  it("never claims certainty at either end", () => {
    assert.equal(plain(percent(1)), "over 99.9 %");
    assert.equal(plain(percent(0.99951)), "over 99.9 %");
    assert.equal(plain(percent(0)), "under 0.1 %");
  });

  it("is exact near the ends and round between", () => {
    assert.equal(plain(percent(0.998)), "99.8 %");
    assert.equal(plain(percent(0.004)), "0.4 %");
    assert.equal(plain(percent(0.4149)), "41 %");
    assert.equal(plain(percent(0.9899)), "99 %");
  });
});

describe("secondGuess", () => {
  it("names the runner-up and its probability", () => {
    assert.equal(plain(secondGuess(makeReading())), "or maybe 1, 3 %");
  });

  it("does not name one far behind", () => {
    const reading = makeReading({ probabilities: Array(10).fill(0.001) });
    assert.equal(secondGuess(reading), "nothing else comes close");
  });

  it("is empty for a refusal and for a blank drawing", () => {
    assert.equal(secondGuess(makeReading({ digit: null })), "");
    assert.equal(secondGuess(makeReading({ digit: null, second: null })), "");
  });
});

describe("numberIn", () => {
  const number = { text: "42", confidence: 0.97 };

  it("is the number that was read", () => {
    const reading = makeReading({ digit: null, second: null, number });
    assert.equal(numberIn(reading), "42");
    assert.equal(plain(lines(reading).first), "97 % confident");
    assert.equal(plain(sentence(reading)), "Looks like 42, 97 % confident.");
  });

  it("is null for a digit, a refusal and a guess", () => {
    assert.equal(numberIn(makeReading()), null);
    const refusal = { code: "several", message: "This could be 42." };
    assert.equal(numberIn(makeReading({ digit: null, refusal, number })), null);
  });
});

describe("lines", () => {
  it("say how confident the reading is, and the runner-up", () => {
    const { first, second } = lines(makeReading());
    assert.equal(plain(first), "97 % confident");
    assert.equal(plain(second), "or maybe 1, 3 %");
  });

  it("claim no confidence in what is hardly a digit", () => {
    const reading = makeReading({ digit: 0, confidence: 0.999, digitness: 0.3 });
    assert.deepEqual(lines(reading), { first: "Barely a digit.", second: "If it is one, 0." });
  });

  it("are empty for a refusal", () => {
    const refusal = { code: "unsure", message: "This could be 3 or 5." };
    assert.deepEqual(lines(makeReading({ digit: null, refusal })), { first: "", second: "" });
  });
});

describe("sentence", () => {
  it("says digit, confidence and runner-up", () => {
    const words = plain(sentence(makeReading()));
    assert.equal(words, "Looks like 7, 97 % confident; or maybe 1, 3 %.");
  });

  it("says that the drawing is barely a digit", () => {
    const reading = makeReading({ digit: 0, digitness: 0.3 });
    assert.equal(sentence(reading), "Barely a digit. If it is one, 0.");
  });

  it("says a refusal in the server's words", () => {
    const refusal = { code: "unsure", message: "This could be 3 or 5." };
    assert.equal(sentence(makeReading({ digit: null, refusal })), refusal.message);
  });
});
