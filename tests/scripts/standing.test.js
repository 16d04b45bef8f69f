import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { datasetSides, effectiveDecision, ruledWords, standing, trains, withNote, withoutNote } from "../../dashboard/components/pair_viewer/standing.js";

// The same cases as tests/unit/domain/test_rulings.py reads for the server.
const cases = JSON.parse(readFileSync(new URL("rulings.json", import.meta.url), "utf-8"));

const item = { answer: "first", decision: "accepted", effective: "accepted", ruling: null, relabel: null, reviewer: null, mine: null, kind: "image" };
const own = { ruling: "reject", relabel: null, token: "t", note: "", tags: [], fresh: true };

test("the effective decision is the server's for every ruling", () => {
  for (const { decision, answer, ruling, relabel, effective } of cases.effective) {
    assert.equal(effectiveDecision({ decision, answer }, ruling, relabel), effective, JSON.stringify({ decision, answer, ruling, relabel }));
  }
});

test("the answers that can train are the server's", () => {
  for (const one of cases.trains) assert.equal(trains(one.answer), one.trains, String(one.answer));
});

test("the dataset's sides are arranged as on the server", () => {
  for (const { order, shown } of cases.sides) assert.deepEqual(datasetSides(order), shown);
});

test("one's own fresh ruling counts before what the server sent", () => {
  assert.deepEqual(standing({ ...item, ruling: "accept", reviewer: "ben", mine: own }, "ann"),
    { ruling: "reject", relabel: null, who: "ann", effective: "rejected" });
});

test("a ruling that the server knew of does not count twice: a colleague's newer one stands", () => {
  const served = { ...item, ruling: "accept", reviewer: "ben", effective: "accepted", mine: { ...own, fresh: false } };
  assert.equal(standing(served, "ann").who, "ben");
});

test("a fresh flag leaves a colleague's settling ruling in force", () => {
  const served = { ...item, ruling: "reject", reviewer: "ben", effective: "rejected", mine: { ...own, ruling: "flag" } };
  assert.deepEqual(standing(served, "ann"), { ruling: "reject", relabel: null, who: "ben", effective: "rejected" });
});

test("a fresh flag leaves one's own settling ruling below it in force", () => {
  const mine = { ...own, ruling: "flag", under: { ...own, ruling: "relabel", relabel: "second" } };
  assert.deepEqual(standing({ ...item, mine }, "ann"), { ruling: "relabel", relabel: "second", who: "ann", effective: "rejected" });
});

test("a note leaves the ruling it was written beside in force", () => {
  const noted = withNote(withNote(own, { token: "n1", note: "a", tags: [] }), { token: "n2", note: "b", tags: ["x"] });
  assert.equal(standing({ ...item, mine: noted }, "ann").effective, "rejected");
  assert.equal(noted.note, "b");
  assert.equal(withoutNote(withNote(own, { token: "n", note: "", tags: [] })), own);
  assert.equal(withoutNote(own), own);
  assert.equal(withoutNote(null), null);
});

test("after an undo the filter's decision counts until the server has been asked", () => {
  const served = { ...item, ruling: "reject", reviewer: "ann", effective: "rejected", stale: true };
  assert.deepEqual(standing(served, "ann"), { ruling: null, relabel: null, who: null, effective: "accepted" });
});

test("a relabel is told in words of the shown order", () => {
  assert.equal(ruledWords(item, "relabel", "second"), "Image 2 is better");
  assert.equal(ruledWords({ ...item, kind: "video" }, "relabel", "tie"), "Tie");
  assert.equal(ruledWords(item, "accept", null), "accept");
});
