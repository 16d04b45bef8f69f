import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Keys, actionName, keyName } from "../../dashboard/components/pair_viewer/keys.js";
import { newBrowser } from "./browser.js";

beforeEach(() => {
  newBrowser();
  for (const name of ["Element", "HTMLElement", "HTMLInputElement"]) globalThis[name] = class {};
});

function room(own = {}, isTaken = () => false) {
  const done = [];
  const keys = new Keys(own, (action, pan) => done.push(pan ? [action, pan] : action), isTaken);
  const press = (key, more = {}) => window.dispatchEvent(Object.assign(new Event("keydown", { cancelable: true }), { key, ...more }));
  return { keys, done, press };
}

test("a key does what it is there for, in either case", () => {
  const { done, press } = room();
  for (const key of ["a", "R", "1", "ArrowRight", "Escape", "Enter", "q"]) press(key);
  assert.deepEqual(done, ["accept", "reject", "first", "next", "escape", "go_on"]);
});

test("a key held down rules once, and goes on through the pairs", () => {
  const { done, press } = room();
  press("a", { repeat: true });
  press("ArrowRight", { repeat: true });
  assert.deepEqual(done, ["next"]);
});

test("the browser's own shortcuts are left alone", () => {
  const { done, press } = room();
  for (const held of ["ctrlKey", "metaKey", "altKey", "isComposing"]) press("a", { [held]: true });
  assert.deepEqual(done, []);
});

test("a key that a person chose is theirs, and the action whose usual key it was has none", () => {
  const { keys, done, press } = room({ accept: "r" });
  press("r");
  press("a");
  assert.deepEqual(done, ["accept"]);
  assert.equal(keys.name("reject"), "none");
  assert.equal(keys.name("accept"), "R");
});

test("Shift and an arrow move the media", () => {
  const { done, press } = room();
  press("ArrowLeft", { shiftKey: true });
  assert.deepEqual(done, [["pan", [1, 0]]]);
});

test("a sheet that is open takes the keys", () => {
  const { done, press } = room({}, () => true);
  press("a");
  assert.deepEqual(done, []);
});

test("the next key is captured while one is being chosen", () => {
  const { keys, done, press } = room();
  const chosen = [];
  keys.capture = (key) => chosen.push(key);
  press("Shift");
  press("K");
  press("a");
  assert.deepEqual([chosen, done], [["k"], ["accept"]]);
});

test("keys and actions have names", () => {
  assert.deepEqual([" ", "-", "ArrowLeft", "x"].map(keyName), ["Space", "−", "←", "X"]);
  assert.equal(actionName("tie"), "Tie");
  assert.equal(actionName("dismiss"), "");
});
