// @ts-check
// Rulings: made, taken back, and what a blind queue opens after them.

/** @import { Answer, Item, Past, RulingName } from "../types" */
/** @import { Viewer } from "./viewer.js" */
import { mention, refuse, say } from "./alerts.js";
import { keepSettings } from "./answers.js";
import { draw, drawFixed, flash } from "./drawing.js";
import { keep, recall } from "./kept.js";
import { keepDrafts, storeDraft, writtenFor } from "./notes.js";
import { callServer, troubleOf } from "./server.js";
import { SETTLING, ruledWords, trains, withNote, withoutNote } from "./standing.js";
import { newToken } from "./text.js";

const HISTORY_KEPT = 200;

/** @param {Viewer} viewer @param {{ ruling: RulingName, relabel?: Answer | null }} given */
export function rule(viewer, { ruling, relabel = null }) {
  const item = viewer.feed.item;
  if (!item || viewer.shown === null) return refuse(viewer, "No pair on the screen yet: the key was not taken");
  if (viewer.shown !== item) return refuse(viewer, "This is another sample; Esc goes back to the one to rule on");
  // A key that was meant for the next pair must not take the place of what was said blind.
  const changing = viewer.changing === item;
  if (isOpened(viewer, item) && !changing) return refuse(viewer, openedWords(viewer, item));
  if (isHidden(viewer, item) && ruling !== "relabel" && ruling !== "flag") {
    return refuse(viewer, "Blind: say first which is better, " + ["first", "second", "tie"].map((name) => viewer.keys.name(name)).join(", "));
  }
  if (item.withheld && ["accept", "reject"].includes(ruling)) {
    return refuse(viewer, `It waits for you in the blind queue ${item.held_by}: say first which is better`);
  }
  if (ruling === "accept" && !trains(item.answer)) {
    return refuse(viewer, `Nothing to train on: the judge's answer ${item.answer ? "names no better side" : "cannot be read"}. Reject it, or say which is better`);
  }
  const wasHidden = isHidden(viewer, item);
  record(viewer, item, ruling, relabel);
  flash(viewer, ruling);
  say(viewer, ruledWords(item, ruling, relabel));
  if (changing || (wasHidden && ruling === "relabel")) return draw(viewer, true);
  viewer.feed.advance();
  draw(viewer);
}

/** A ruling with what was written for the pair, on its way. `fresh`: made since the server sent the item.
 *  @param {Viewer} viewer @param {Item} item @param {RulingName} ruling @param {Answer | null} relabel */
export function record(viewer, item, ruling, relabel) {
  const { note, tags } = writtenFor(viewer, item);
  const token = newToken();
  const before = item.mine;
  const unblinded = isClosed(viewer, item) ? Boolean(item.seen) : isOpened(viewer, item) ? true : null;
  viewer.changing = null;
  const on = ruling === "note" ? withoutNote(before) : null;
  item.mine = on ? withNote(on, { token, note, tags }) : { ruling, relabel, token, note, tags, unblinded, fresh: true };
  if (!on && !SETTLING.has(ruling) && before?.fresh) item.mine.under = before;
  viewer.drafts.delete(item.position);
  keepDrafts(viewer);
  remember(viewer, { position: item.position, prediction: item.prediction, token, before });
  viewer.outbox.add({ token, queue: viewer.queue.id, position: item.position, prediction_id: item.prediction,
                    ruling, relabel, note, tags, unblinded, on: on && { ruling: on.ruling, relabel: on.relabel, token: on.token } });
}

/** @param {Viewer} viewer */
export async function undo(viewer) {
  const last = viewer.history.pop();
  if (!last) return refuse(viewer, "Nothing to undo in this queue");
  // What is being written for the very pair waits for its next ruling instead.
  if (viewer.feed.item?.position !== last.position) storeDraft(viewer);
  keepHistory(viewer);
  viewer.changing = null;
  viewer.outbox.add({ token: newToken(), queue: viewer.queue.id, position: last.position, prediction_id: last.prediction,
                    ruling: "undo", relabel: null, note: "", tags: [], undoes: last.token });
  flash(viewer, "undo");
  /** @param {Item | null | undefined} item */
  const takeBack = (item) => {
    if (item?.position !== last.position) return;
    // What the server said about the pair counted the ruling that is gone now.
    if (item.mine && !item.mine.fresh && item.mine.token === last.token) item.stale = true;
    const { note = "", tags = [] } = item.mine || {};
    if (!last.before && (note || tags.length) && !viewer.drafts.has(item.position)) viewer.drafts.set(item.position, { note, tags });
    // Where the server kept the verdict back it is closed again, until the next ruling is stored.
    if (!last.before && (viewer.queue.blind || item.held_by)) item.withheld = true;
    item.mine = last.before || null;
    keepDrafts(viewer);
  };
  takeBack(viewer.feed.items.find((item) => item.position === last.position));
  try {
    if (!(await viewer.feed.show(last.position))) mention(viewer, "The ruling is taken back; the pair itself is with another reviewer now.");
  } catch (error) {
    mention(viewer, `The ruling is taken back; ${troubleOf(error).message}.`);
  }
  takeBack(viewer.feed.item);
  draw(viewer, true);
  say(viewer, "Undone");
}

/** @param {Viewer} viewer */
export function toggleBlind(viewer) {
  if (viewer.queue.blind) return refuse(viewer, "This queue is blind for everybody");
  viewer.blind = !viewer.blind;
  drawFixed(viewer);
  draw(viewer, true);
  keepSettings(viewer, { blind: viewer.blind });
  say(viewer, "Blind " + (viewer.blind ? "on" : "off"));
}

/** Before the choice. In a blind queue the server has not sent what is hidden; whoever chose to review blind (B)
 *  has it in this browser, and hides it from their own eyes only.
 *  @param {Viewer} viewer @param {Item} item */
function isHidden(viewer, item) {
  return viewer.blind && !item.mine;
}

/** @param {Viewer} viewer @param {Item} item */
export function isClosed(viewer, item) {
  return isHidden(viewer, item) || Boolean(item.withheld);
}

/** Ruled on blind, so that its verdict is open or about to be.
 *  @param {Viewer} viewer @param {Item} item */
export function isOpened(viewer, item) {
  return item.mine !== null && (viewer.blind || (item.mine.unblinded ?? null) !== null);
}

/** @param {Viewer} viewer @param {Item} item */
function openedWords(viewer, item) {
  if (item.withheld) return `The verdict is not here yet: Enter goes on, ${viewer.keys.name("undo")} takes your choice back`;
  return `You have ruled on this pair: Enter goes on, ${viewer.keys.name("undo")} takes it back, ${viewer.keys.name("change")} changes your mind`;
}

/** The next ruling is a changed mind: it counts, and is marked as made after the verdict had opened.
 *  @param {Viewer} viewer */
export function changeMind(viewer) {
  const item = viewer.feed.item;
  if (!item || viewer.shown !== item) return refuse(viewer, "There is no ruling here to change");
  if (!item.mine) return refuse(viewer, "You have not ruled on this pair yet");
  if (!isOpened(viewer, item)) return refuse(viewer, "Just rule again: here you see the verdict first");
  if (item.withheld) return refuse(viewer, `The verdict is not here yet; ${viewer.keys.name("undo")} takes your choice back`);
  viewer.changing = item;
  draw(viewer, true);
  say(viewer, "Say what you think now; Escape keeps what you said");
}

/** Fetch what a blind queue keeps back until a ruling is stored.
 *  @param {Viewer} viewer @param {Item} item */
export async function reveal(viewer, item) {
  if (item.opening || !item.withheld || !item.mine || viewer.outbox.has(viewer.queue.id, item.position)) return;
  item.opening = true;
  const { mine } = item;
  try {
    const open = await callServer(viewer.outbox.token, `${viewer.queue.id}/predictions/${item.prediction}?brief=1`);
    if (!open.withheld) Object.assign(item, open, { withheld: false, first: item.first, second: item.second });
    // The answer knows of this ruling, and of what a colleague may have ruled since.
    if (item.mine === mine && open.ruling) mine.fresh = false;
  } catch (error) {
    mention(viewer, `The verdict could not be loaded: ${troubleOf(error).message}`);
  }
  item.opening = false;
  if (!item.withheld && viewer.drawn === item && viewer.shown === item) draw(viewer, true);
}

/** @param {Viewer} viewer @returns {Past[]} */
export function loadHistory(viewer) {
  return recall(viewer.historyName) ?? [];
}

/** @param {Viewer} viewer @param {Past} entry */
function remember(viewer, entry) {
  viewer.history.push(entry);
  if (viewer.history.length > HISTORY_KEPT) viewer.history.shift();
  keepHistory(viewer);
}

/** @param {Viewer} viewer */
export function keepHistory(viewer) {
  keep(viewer.historyName, viewer.history);
}
