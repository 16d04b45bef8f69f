import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Feed } from "../../dashboard/components/pair_viewer/feed.js";
import { newBrowser, settle } from "./browser.js";

const QUEUE = { id: 1, items: 100 };
let server;
let feed;
let waiting; // rulings on their way, by position

beforeEach(() => {
  server = newBrowser();
  globalThis.HTMLVideoElement = class {};
  document.createElement = () => ({ decode: async () => {} });
  waiting = new Map();
  const outbox = { has: (queue, position) => waiting.has(position), newest: (queue, position) => waiting.get(position) };
  feed = new Feed(QUEUE, "secret", outbox, () => {});
});
afterEach(() => feed.close());

const item = (position, more = {}) => ({ position, kind: "image", first: `a${position}`, second: `b${position}`, mine: null, ...more });
const answer = (items, more = {}) => ({ body: { items, at_end: false, expires_at: 9, ...more } });
const positions = () => feed.items.map((one) => one.position);
const ruled = (token, more = {}) => ({ ruling: "accept", relabel: null, token, note: "", tags: [], ...more });

/** Open the queue at a position, with what the server answers there and then. */
async function open(position, ...answers) {
  server.answers.push(...answers);
  await feed.open(position);
  await settle();
}

test("the pairs at and behind a position are asked for, and both media of each are loaded", async () => {
  await open(3, answer([item(3), item(4)], { at_end: true }));
  assert.match(server.asked[0].url, /\/1\/items\?from=3&count=12&exact=1$/);
  assert.equal(feed.item.position, 3);
  assert.deepEqual([...feed.media.keys()], ["a3", "b3", "a4", "b4"]);
});

test("what one has just ruled on is not served again, unless it was asked for", async () => {
  waiting.set(4, ruled("t"));
  await open(3, answer([item(3), item(4), item(5)], { at_end: true }));
  assert.deepEqual(positions(), [3, 5]);
  await open(4, answer([item(4)], { at_end: true }));
  assert.deepEqual([positions(), feed.item.mine.token], [[4], "t"]);
});

test("an older answer does not undo one's own fresh ruling", async () => {
  await open(3, answer([item(3)], { at_end: true }));
  const known = feed.item;
  known.mine = ruled("t", { fresh: true });
  assert.equal(feed.held(item(3)), known);
  assert.equal(known.mine.token, "t");
  feed.held(item(3, { mine: ruled("t") }));
  assert.equal(known.mine.fresh, undefined);
});

test("one goes on to the next pair without a ruling", async () => {
  await open(0, answer([item(0), item(1), item(2)], { at_end: true }));
  feed.items[1].mine = ruled("t");
  feed.advance();
  assert.equal(feed.item.position, 2);
  feed.advance();
  assert.equal(feed.item, null);
});

test("behind the end the queue is asked again from its start, though not at once", async () => {
  await open(7, answer([item(7)], { at_end: true }));
  feed.advance();
  await settle();
  assert.equal(server.asked.length, 1);
  assert.deepEqual([feed.atEnd, feed.from], [true, 0]);
});

test("going back asks for what was ruled on before", async () => {
  await open(5, answer([item(5)], { at_end: true }));
  server.answers.push(answer([item(2, { mine: ruled("a") }), item(4, { mine: ruled("b") })]));
  assert.equal(await feed.back(), true);
  assert.match(server.asked[1].url, /before=5&count=20$/);
  assert.equal(feed.item.position, 4);
  server.answers.push(answer([]));
  feed.move(0);
  assert.equal(await feed.back(), false);
});

test("a server that does not answer is the trouble until it does", async () => {
  await open(0);
  assert.deepEqual([feed.item, feed.trouble.status], [null, 0]);
});
