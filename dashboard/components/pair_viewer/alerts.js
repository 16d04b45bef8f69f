// @ts-check
// One line in the head for what a person must know. A refusal passes: it goes with the next action, or
// after a while. Trouble that lost something stays until it is closed.

/** @import { Viewer } from "./viewer.js" */
import { find } from "../elements.js";
import { setText } from "./text.js";

const REFUSAL_MS = 6000;

/** @param {Viewer} viewer @param {string} message */
export function refuse(viewer, message) {
  const bar = find(viewer.root, ".bar");
  bar.classList.remove("refused");
  void bar.offsetWidth; // So that the same movement can start again.
  bar.classList.add("refused");
  mention(viewer, message);
}

/** Something that is over as soon as one goes on.
 *  @param {Viewer} viewer @param {string} message */
export function mention(viewer, message) {
  viewer.passing = message;
  clearTimeout(viewer.timers.alert);
  viewer.timers.alert = setTimeout(() => calm(viewer), REFUSAL_MS);
  drawAlert(viewer);
  say(viewer, message);
}

/** Something that stays until it is read.
 *  @param {Viewer} viewer @param {string} message */
export function warn(viewer, message) {
  viewer.lasting = message;
  drawAlert(viewer);
  say(viewer, message);
}

/** @param {Viewer} viewer */
export function calm(viewer) {
  clearTimeout(viewer.timers.alert);
  if (viewer.passing === null) return;
  viewer.passing = null;
  drawAlert(viewer);
}

/** @param {Viewer} viewer */
export function dismiss(viewer) {
  if (viewer.passing === null) viewer.lasting = null;
  viewer.passing = null;
  drawAlert(viewer);
}

/** @param {Viewer} viewer */
function drawAlert(viewer) {
  const text = viewer.passing ?? viewer.lasting;
  const { part } = viewer;
  if (text === null && part.alert.contains(viewer.root.activeElement)) viewer.room.focus({ preventScroll: true });
  part.alert.hidden = text === null;
  part.alert.title = text ?? "";
  setText(part["alert-text"], text ?? "");
}

/** @param {Viewer} viewer @param {string} message */
export function say(viewer, message) {
  setText(viewer.part.live, message);
}
