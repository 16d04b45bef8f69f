// @ts-check
// Words of models and people go on the screen through textContent only, what is invisible in them made visible.

import { makeElement } from "../elements.js";

const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** @param {string} character */
function controlName(character) {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return "U+" + code.toString(16).toUpperCase().padStart(4, "0");
}

/** Append `text` to `parent`: control and direction marks as small signs, everything else as it is.
 *  @param {Element} parent @param {string} text */
export function appendText(parent, text) {
  let from = 0;
  CONTROL.lastIndex = 0;
  let signs = 0;
  for (let found = CONTROL.exec(text); found; found = CONTROL.exec(text)) {
    // A text of a million marks would be a million elements.
    if (++signs > 2000) break;
    if (found.index > from) parent.append(text.slice(from, found.index));
    parent.append(makeElement("span", "ctl", controlName(found[0])));
    from = found.index + 1;
  }
  if (from < text.length) parent.append(text.slice(from).replace(CONTROL, "\ufffd"));
}

const LONGEST_BLOCK = 4000;

/** Text in blocks of a line each, and of parts of a very long line: the browser lays out only those in
    view, where one block of a megabyte would take it half a minute. `make(text)` gives each part's element. */
export class Blocks {
  /** @param {Element} parent */
  constructor(parent) {
    this.parent = parent;
    this.block = null;
    this.size = 0;
  }

  open() {
    if (!this.block) {
      this.block = makeElement("div", "line");
      this.parent.append(this.block);
      this.size = 0;
    }
    return this.block;
  }

  /** @param {string} text @param {(part: string) => Element} make */
  add(text, make) {
    let from = 0;
    while (from < text.length) {
      const end = text.indexOf("\n", from);
      const stop = Math.min(end < 0 ? text.length : end + 1, from + LONGEST_BLOCK);
      this.open().append(make(text.slice(from, stop)));
      this.size += stop - from;
      if (text[stop - 1] === "\n" || this.size >= LONGEST_BLOCK) this.block = null;
      from = stop;
    }
  }
}

/** @param {Element} parent @param {string} text */
export function setLongText(parent, text) {
  parent.replaceChildren();
  new Blocks(parent).add(text, (part) => {
    const span = document.createElement("span");
    appendText(span, part);
    return span;
  });
}

/** @param {Element} parent @param {string} text */
export function setText(parent, text) {
  parent.replaceChildren();
  appendText(parent, text);
}

/** @param {string} name */
export function words(name) {
  return name.replaceAll("_", " ");
}

/** @param {number} share */
export function percent(share, digits = 1) {
  return (100 * share).toFixed(digits) + " %";
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 90) return Math.round(seconds) + " s";
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? minutes + " min" : Math.floor(minutes / 60) + " h " + (minutes % 60) + " min";
}

export function newToken() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
