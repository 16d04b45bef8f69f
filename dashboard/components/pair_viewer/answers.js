// @ts-check
// What the server says: items, acknowledgements, statistics.

/** @import { Item, ItemsAnswer, RulingsAnswer, Sent } from "../types" */
/** @import { Viewer } from "./viewer.js" */
import { warn } from "./alerts.js";
import { draw, drawHead } from "./drawing.js";
import { keepDrafts } from "./notes.js";
import { callServer, troubleOf } from "./server.js";
import { keepHistory, reveal } from "./ruling.js";

const STATS_SOONEST_MS = 2500;

/** @param {Viewer} viewer @param {ItemsAnswer | null} answer */
export function itemsCame(viewer, answer) {
  if (answer?.progress) viewer.progress = answer.progress;
  if (viewer.drawn !== (viewer.feed.item || null) || !viewer.feed.item) draw(viewer);
  drawHead(viewer);
}

/** @param {Viewer} viewer @param {RulingsAnswer} answer @param {Sent[]} sent */
export function answered(viewer, answer, sent) {
  const progress = answer.progress[String(viewer.queue.id)];
  if (progress) viewer.progress = progress;
  for (const { token, message, hint } of answer.refused) {
    const ruling = sent.find((one) => one.token === token);
    warn(viewer, `Not stored, pair ${(ruling?.position ?? 0) + 1}: ${message}${hint ? " (" + hint + ")" : ""}`);
    viewer.history = viewer.history.filter((one) => one.token !== token);
    const item = viewer.feed.items.find((one) => [one.mine?.token, one.mine?.noted && one.mine.under?.token].includes(token));
    if (item?.mine) {
      // Without the ruling a note beside it has nothing to stand on; it waits for the next ruling.
      const { note, tags } = item.mine;
      item.mine = null;
      if ((note || tags.length) && !viewer.drafts.has(item.position)) viewer.drafts.set(item.position, { note, tags });
      if (item === viewer.drawn) draw(viewer, true);
    }
    keepDrafts(viewer);
    keepHistory(viewer);
  }
  for (const item of viewer.feed.items) if (item.stale && !viewer.outbox.has(viewer.queue.id, item.position)) freshen(viewer, item);
  if (viewer.drawn) reveal(viewer, viewer.drawn);
  drawHead(viewer);
  clearTimeout(viewer.timers.stats);
  viewer.timers.stats = setTimeout(() => askStats(viewer), Math.max(400, viewer.statsAt + STATS_SOONEST_MS - Date.now()));
}

/** @param {Viewer} viewer */
export async function askStats(viewer) {
  viewer.statsAt = Date.now();
  try {
    const answer = await callServer(viewer.outbox.token, `${viewer.queue.id}/stats${document.hidden ? "?away=1" : ""}`);
    viewer.stats = answer.audit;
    viewer.progress = answer.progress;
    viewer.feed.expires = Math.max(viewer.feed.expires, answer.expires_at);
    drawHead(viewer);
  } catch { /* The outbox says so when the server is away. */ }
}

/** Which decision counts now: after an undo, or after a colleague may have ruled.
 *  @param {Viewer} viewer @param {Item} item */
export async function freshen(viewer, item) {
  const { mine, stale } = item;
  item.stale = false;
  try {
    const { decision, effective, ruling, relabel, reviewer, withheld } =
      await callServer(viewer.outbox.token, `${viewer.queue.id}/predictions/${item.prediction}?brief=1`);
    if (item.mine !== mine || viewer.outbox.has(viewer.queue.id, item.position)) { item.stale = stale; return; }
    if (!withheld) Object.assign(item, { decision, effective, ruling, relabel, reviewer });
    // Where colleagues' rulings are kept back, one's own is all that is known.
    if (ruling && mine) mine.fresh = false;
  } catch {
    if (stale) Object.assign(item, { effective: item.decision, ruling: null, relabel: null, reviewer: null });
  }
  if (viewer.drawn === item && viewer.shown === item) draw(viewer, true);
}

/** Keep what was changed, and only that: a blind queue says nothing about one's own liking.
 *  @param {Viewer} viewer @param {{ keys?: Record<string, string>, blind?: boolean }} changed */
export function keepSettings(viewer, changed) {
  callServer(viewer.outbox.token, "settings", changed)
    .catch((error) => warn(viewer, `Your settings could not be kept: ${troubleOf(error).message}`));
}
