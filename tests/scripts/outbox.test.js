import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Outbox } from "../../dashboard/components/pair_viewer/outbox.js";
import { newBrowser, settle } from "./browser.js";

let server;
let made;
beforeEach(() => { server = newBrowser(); made = []; });
// What is not stored is tried again for ever.
afterEach(async () => { await settle(); for (const box of made) box.close(); });

function outbox(workspace = "w", person = "ann") {
  const answers = [];
  made.push(Object.assign(new Outbox(workspace, person, "secret", () => {}, (answer) => answers.push(answer)), { answers }));
  return made.at(-1);
}

const ruling = (token, position = 0, more = {}) =>
  ({ token, queue: 1, position, prediction_id: 10 + position, ruling: "accept", relabel: null, note: "", tags: [], ...more });
const stored = (...tokens) => ({ body: { stored: tokens, refused: [], progress: {} } });
const tokens = (box) => box.pending.map((one) => one.ruling.token);

test("a ruling stays in the browser until the server has stored it", async () => {
  const box = outbox();
  box.add(ruling("a"));
  assert.equal(Object.keys(localStorage).length, 1);
  server.answers.push(stored("a"));
  await settle();
  assert.equal(Object.keys(localStorage).length, 0);
  assert.equal(box.has(1, 0), false);
  assert.equal(server.asked[0].headers.Authorization, "Bearer secret");
});

test("what could not be sent is found by the next page, in the order of the keys", async () => {
  const box = outbox();
  for (const token of ["b", "a", "c"]) box.add(ruling(token));
  await settle();
  box.close();
  assert.equal(box.trouble.status, 0);
  // A browser lists its storage in any order.
  for (const [name, value] of Object.entries(localStorage).reverse()) {
    localStorage.removeItem(name);
    localStorage.setItem(name, value);
  }
  assert.deepEqual(tokens(outbox()), ["b", "a", "c"]);
});

test("another person's and another workspace's rulings are left alone", () => {
  outbox().add(ruling("a"));
  assert.deepEqual(tokens(outbox("w", "ben")), []);
  assert.deepEqual(tokens(outbox("other", "ann")), []);
});

test("a ruling is sent again after a failure, and the wait doubles", async () => {
  const box = outbox();
  box.add(ruling("a"));
  await settle();
  assert.equal(box.wait, 500);
  box.hurry();
  await settle();
  assert.equal(box.wait, 1000);
  server.answers.push(stored("a"));
  box.hurry();
  await settle();
  assert.deepEqual([box.wait, box.trouble, box.pending], [0, null, []]);
});

test("what the server refuses is told and not sent again", async () => {
  const box = outbox();
  box.add(ruling("a"));
  server.answers.push({ body: { stored: [], refused: [{ token: "a", message: "closed", hint: "" }], progress: {} } });
  await settle();
  assert.deepEqual(box.pending, []);
  assert.equal(box.answers[0].refused[0].message, "closed");
});

test("the server's own words are the trouble; a proxy's page is told by its status", async () => {
  const box = outbox();
  box.add(ruling("a"));
  server.answers.push({ status: 403, body: { message: "no reviewer", hint: "say your name" } });
  await settle();
  assert.deepEqual([box.trouble.message, box.trouble.hint, box.trouble.status], ["no reviewer", "say your name", 403]);
  server.answers.push({ status: 502, text: "<html>" });
  box.hurry();
  await settle();
  assert.equal(box.trouble.message, "the server answered 502");
});

test("an item is told its newest ruling on the way, an undo takes it back", () => {
  const box = outbox();
  box.add(ruling("a", 3, { ruling: "relabel", relabel: "second" }));
  assert.equal(box.newest(1, 3).relabel, "second");
  assert.equal(box.newest(2, 3), null);
  box.add(ruling("b", 3, { ruling: "undo", undoes: "a" }));
  assert.equal(box.newest(1, 3), null);
});

test("a note on the way keeps the ruling that it stands beside", () => {
  const box = outbox();
  const on = { ruling: "reject", relabel: null, token: "a" };
  box.add(ruling("n", 3, { ruling: "note", note: "blurry", on }));
  const found = box.newest(1, 3);
  assert.deepEqual([found.ruling, found.note, found.noted, found.under.fresh], ["reject", "blurry", true, false]);
});
