// @ts-check
// From pair to pair, and to other samples of one.

/** @import { Viewer } from "./viewer.js" */
import { refuse, say } from "./alerts.js";
import { freshen } from "./answers.js";
import { drawReasoning } from "./card.js";
import { draw, drawItem } from "./drawing.js";
import { storeDraft } from "./notes.js";
import { callServer, troubleOf } from "./server.js";
import { isClosed } from "./ruling.js";
import { setLongText } from "./text.js";

/** @param {Viewer} viewer @param {number} step */
export async function goBy(viewer, step) {
  storeDraft(viewer);
  if (step > 0) {
    if (!viewer.feed.item) return refuse(viewer, "This is the end for now");
    viewer.feed.move(viewer.feed.at + 1);
  } else {
    try {
      if (!(await viewer.feed.back())) return refuse(viewer, "This is the first pair you have looked at");
    } catch (error) {
      return refuse(viewer, troubleOf(error).message);
    }
  }
  viewer.changing = null;
  draw(viewer);
  const { item } = viewer.feed;
  // What counts for a pair may have changed since one ruled on it.
  if (item?.mine?.fresh && !isClosed(viewer, item) && !viewer.outbox.has(viewer.queue.id, item.position)) freshen(viewer, item);
  if (viewer.feed.item) say(viewer, `Pair ${viewer.feed.item.position + 1}`);
}

/** @param {Viewer} viewer @param {number} prediction */
export async function openSibling(viewer, prediction) {
  const item = viewer.feed.item;
  if (!item || isClosed(viewer, item)) return;
  if (prediction === item.prediction) return draw(viewer, true);
  try {
    const other = await callServer(viewer.outbox.token, `${viewer.queue.id}/predictions/${prediction}`);
    if (viewer.feed.item !== item) return;
    drawItem(viewer, { ...other, position: item.position, mine: null }, item);
  } catch (error) {
    refuse(viewer, troubleOf(error).message);
  }
}

/** @param {Viewer} viewer */
export async function showWhole(viewer) {
  const shown = viewer.shown;
  if (!shown) return;
  try {
    const whole = await callServer(viewer.outbox.token, `${viewer.queue.id}/predictions/${shown.prediction}`);
    Object.assign(shown, { pieces: whole.pieces, prompt: whole.prompt, cut: false, read_by: whole.read_by });
    if (viewer.shown === shown) { drawReasoning(viewer.part.reasoning, shown, () => {}); setLongText(viewer.part.caption, shown.prompt); }
  } catch (error) {
    refuse(viewer, troubleOf(error).message);
  }
}
