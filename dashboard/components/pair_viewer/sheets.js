// @ts-check
// The two sheets that lie over the room: keys, and a number to jump to.

/** @import { Viewer } from "./viewer.js" */
import { makeElement } from "../elements.js";
import { keepSettings } from "./answers.js";
import { draw, drawFixed } from "./drawing.js";
import { ACTIONS, actionName, keyName } from "./keys.js";
import { storeDraft } from "./notes.js";

/** @param {Viewer} viewer @param {string} title */
function openVeil(viewer, title) {
  const sheet = viewer.part.sheet;
  sheet.replaceChildren(makeElement("h4", "", title));
  sheet.setAttribute("aria-label", title);
  viewer.part.veil.hidden = false;
  sheet.focus();
  return sheet;
}

/** @param {Viewer} viewer */
export function closeVeil(viewer) {
  viewer.keys.capture = null;
  viewer.part.veil.hidden = true;
  viewer.room.focus({ preventScroll: true });
}

/** While a sheet is open, only Escape and the help key get through.
 *  @param {Viewer} viewer @param {string} key */
export function veilKey(viewer, key) {
  if (viewer.part.veil.hidden) return false;
  if (key === "Escape" || key === viewer.keys.keyOf("help")) {
    closeVeil(viewer); // At once: the very next key is the room's.
  }
  return key !== "Tab" ? true : keepFocus(viewer);
}

/** @param {Viewer} viewer */
function keepFocus(viewer) {
  // The focus stays in the sheet.
  setTimeout(() => { if (!viewer.part.sheet.contains(viewer.root.activeElement)) viewer.part.sheet.focus(); }, 0);
  return true;
}

/** @param {Viewer} viewer */
export function openHelp(viewer) {
  const sheet = openVeil(viewer, "Keys");
  const list = makeElement("div", "keys");
  for (const [action, , name] of ACTIONS) {
    const row = makeElement("div");
    const button = makeElement("button", "", viewer.keys.name(action));
    button.type = "button";
    button.setAttribute("aria-label", `${name}: ${button.textContent}. Press to choose another key`);
    button.addEventListener("click", () => askKey(viewer, action, button));
    row.append(makeElement("span", "", name), button);
    list.append(row);
  }
  const row = makeElement("div", "row");
  const usual = makeElement("button", "", "Usual keys");
  usual.addEventListener("click", () => { assignKeys(viewer, {}); openHelp(viewer); });
  const close = makeElement("button", "", "Close");
  close.addEventListener("click", () => closeVeil(viewer));
  row.append(usual, close);
  sheet.append(makeElement("p", "dim", "Press a key's button to change it. Keys are off while you write. The wheel zooms both media, dragging or Shift with the arrows moves them, a double click zooms in and out. Arrows move among the samples' tabs, Enter opens one."), sheetWord(viewer), list, row);
}

/** Where the sheet says why it did not do something.
 *  @param {Viewer} viewer */
function sheetWord(viewer) {
  const word = makeElement("p", "word");
  word.setAttribute("role", "alert");
  return word;
}

/** @param {Viewer} viewer @param {string} action @param {HTMLButtonElement} button */
function askKey(viewer, action, button) {
  button.textContent = "press a key";
  viewer.keys.capture = (key) => {
    const taken = key !== "Escape" && viewer.keys.byKey.get(key);
    if (key === "Escape" || key === "Tab" || key === "Enter" || (taken && taken !== action)) {
      const word = viewer.part.sheet.querySelector(".word");
      if (taken && word) word.textContent = `${keyName(key)} is taken by “${actionName(taken)}”`;
      button.textContent = viewer.keys.name(action);
      return;
    }
    assignKeys(viewer, { ...viewer.keys.own, [action]: key });
    openHelp(viewer);
  };
}

/** @param {Viewer} viewer @param {Record<string, string>} own */
function assignKeys(viewer, own) {
  viewer.keys.assign(own);
  drawFixed(viewer);
  keepSettings(viewer, { keys: own });
}

/** @param {Viewer} viewer */
export function openJump(viewer) {
  const sheet = openVeil(viewer, "Jump to");
  const field = makeElement("input");
  Object.assign(field, { type: "number", min: "1", max: String(viewer.queue.items), value: viewer.feed.item ? String(viewer.feed.item.position + 1) : "" });
  field.setAttribute("aria-label", `Number of the pair, 1 to ${viewer.queue.items}`);
  const go = () => {
    const number = Math.round(Number(field.value));
    if (!(number >= 1 && number <= viewer.queue.items)) return field.select();
    closeVeil(viewer);
    storeDraft(viewer);
    viewer.shown = viewer.drawn = null;
    viewer.feed.open(number - 1);
    draw(viewer);
  };
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") go();
    if (event.key === "Escape") closeVeil(viewer);
  });
  const row = makeElement("div", "row");
  const cancel = makeElement("button", "", "Cancel");
  cancel.addEventListener("click", () => closeVeil(viewer));
  const jump = makeElement("button", "", "Jump");
  jump.addEventListener("click", go);
  row.append(cancel, jump);
  sheet.append(field, row);
  field.focus();
  field.select();
}
