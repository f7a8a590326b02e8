import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { spread } from "../../../static/recognizer/js/number_view.js";

const LEAST = 0.1;

describe("spread", () => {
  it("leaves places that have room where they are", () => {
    assert.deepEqual(spread([0.2, 0.5, 0.75], LEAST), { centres: [0.2, 0.5, 0.75], room: 0.25 });
  });

  it("moves places apart that have none", () => {
    const { centres, room } = spread([0.5, 0.5, 0.51], LEAST);

    assert.equal(room, LEAST);
    assert.deepEqual(centres.map((one) => one.toFixed(2)), ["0.50", "0.60", "0.70"]);
  });

  it("keeps them on the sheet and in their order", () => {
    for (const at of [0, 0.5, 1]) {
      const { centres, room } = spread(Array(20).fill(at), LEAST);

      assert.equal(room, 1 / 20);
      assert.ok(centres[0] >= room / 2 - 1e-9);
      assert.ok(centres.at(-1) <= 1 - room / 2 + 1e-9);
      centres.slice(1).forEach((one, i) => assert.ok(one - centres[i] > room - 1e-9));
    }
  });
});
