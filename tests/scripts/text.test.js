import assert from "node:assert/strict";
import { test } from "node:test";

import { duration, newToken, percent, words } from "../../dashboard/components/pair_viewer/text.js";

test("figures are short", () => {
  assert.deepEqual([89, 90, 5340, 5370, 9000].map(duration), ["89 s", "2 min", "89 min", "1 h 30 min", "2 h 30 min"]);
  assert.deepEqual([percent(0.1234), percent(1, 0)], ["12.3 %", "100 %"]);
  assert.equal(words("wrong_total_sum"), "wrong total sum");
});

test("no two rulings have the same token", () => {
  const made = new Set(Array.from({ length: 100 }, newToken));
  assert.equal(made.size, 100);
  for (const token of made) assert.match(token, /^[0-9a-f]{32}$/);
});
