// @ts-check
// Note and tags. What is written for a pair without a ruling waits for it as a draft; on a ruled pair it is
// stored beside the ruling as soon as one leaves the field or the pair.

/** @import { Item, Written } from "../types" */
/** @import { Viewer } from "./viewer.js" */
import { refuse, say } from "./alerts.js";
import { drawMark, drawOwnRuling } from "./drawing.js";
import { keep, recall } from "./kept.js";
import { record } from "./ruling.js";

/** @param {Viewer} viewer @returns {Map<number, Written>} */
export function loadDrafts(viewer) {
  return new Map(recall(viewer.draftsName));
}

/** @param {Viewer} viewer */
export function keepDrafts(viewer) {
  keep(viewer.draftsName, viewer.drafts.size ? [...viewer.drafts] : null);
  drawMark(viewer);
}

/** What the fields hold for a pair: its draft, else what is stored.
 *  @param {Viewer} viewer @param {Item} item */
export function writtenFor(viewer, item) {
  return viewer.drafts.get(item.position) || { note: item.mine?.note || "", tags: item.mine?.tags || [] };
}

/** @param {Viewer} viewer @param {HTMLInputElement | HTMLTextAreaElement} field */
export function enterField(viewer, field) {
  if (!viewer.feed.item) return refuse(viewer, "No pair on the screen yet");
  field.focus();
  field.select();
}

/** @param {Viewer} viewer */
export function keepDraft(viewer) {
  const item = viewer.feed.item;
  if (!item) return;
  const tags = [...new Set(viewer.part.tags.value.split(",").map((tag) => tag.trim().slice(0, 60)).filter(Boolean))].slice(0, 20);
  const note = viewer.part.note.value;
  const { note: kept = "", tags: keptTags = [] } = item.mine || {};
  if (note === kept && tags.join() === keptTags.join()) viewer.drafts.delete(item.position);
  else viewer.drafts.set(item.position, { note, tags });
  keepDrafts(viewer);
}

/** @param {Viewer} viewer */
export function isWriting(viewer) {
  return [viewer.part.note, viewer.part.tags].some((field) => field === viewer.root.activeElement);
}

/** On a ruled pair: what was written, alone. The ruling itself is not made again, or it would overrule what a
 *  colleague has ruled since.
 *  @param {Viewer} viewer */
export function storeDraft(viewer) {
  const item = viewer.feed.item;
  if (!item?.mine || !viewer.drafts.has(item.position)) return;
  record(viewer, item, "note", null);
  say(viewer, "Note on its way");
  if (viewer.drawn === item) drawOwnRuling(viewer, item);
}

/** @param {Viewer} viewer @param {FocusEvent} event */
export function fieldLeft(viewer, event) {
  // From the note to the tags one is still writing.
  if (event.relatedTarget !== viewer.part.note && event.relatedTarget !== viewer.part.tags) storeDraft(viewer);
}

/** @param {Viewer} viewer @param {KeyboardEvent} event @param {HTMLInputElement | HTMLTextAreaElement} field */
export function fieldKey(viewer, event, field) {
  event.stopPropagation(); // Streamlit has keys of its own.
  if (event.isComposing || (event.key !== "Escape" && !(event.key === "Enter" && !event.shiftKey))) return;
  event.preventDefault();
  field.blur();
  viewer.room.focus({ preventScroll: true });
}
