// @ts-check
// What keys do, and what they are called. Keys are remappable; every action is also a button.

export const ACTIONS = [
  ["accept", "a", "Accept"], ["reject", "r", "Reject"], ["first", "1", "First is better"],
  ["second", "2", "Second is better"], ["tie", "0", "Tie"], ["flag", "f", "Flag for another look"],
  ["change", "c", "Change your ruling on a pair whose verdict you have seen"],
  ["note", "n", "Write a note"], ["tag", "t", "Write tags"], ["undo", "u", "Undo the last ruling"],
  ["previous", "ArrowLeft", "Previous pair"], ["next", "ArrowRight", "Next pair"], ["jump", "j", "Jump to a number"],
  ["play", " ", "Play or pause"], ["frame_back", ",", "One frame back"], ["frame_forward", ".", "One frame on"],
  ["slower", "[", "Slower"], ["faster", "]", "Faster"], ["loop", "l", "Loop"], ["flip", "x", "Flip the two in place"],
  ["difference", "d", "Difference"], ["zoom_in", "+", "Zoom in"], ["zoom_out", "-", "Zoom out"],
  ["zoom_reset", "z", "Reset zoom"], ["blind", "b", "Blind: choose before the verdict"],
  ["reasoning", "g", "Go to the reasoning"], ["help", "?", "This sheet"],
];
/** @param {string | undefined} action */
export function actionName(action) {
  return ACTIONS.find(([id]) => id === action)?.[2] ?? "";
}

const REPEATING = new Set(["previous", "next", "frame_back", "frame_forward", "zoom_in", "zoom_out"]);
/** @type {Record<string, string>} */
const KEY_NAMES = { " ": "Space", "-": "−", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
// The same key with and without Shift.
/** @type {Record<string, string>} */
const UNSHIFTED = { "=": "+", _: "-" };
export const NO_KEY = "none";
/** @type {Record<string, [x: number, y: number]>} */
const PANS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** @param {string} key */
export function keyName(key) {
  return KEY_NAMES[key] || (key.length === 1 ? key.toUpperCase() : key);
}

export class Keys {
  /** @param {Record<string, string> | null} own @param {(action: string, pan?: [x: number, y: number]) => void} onAction
   *  @param {(key: string) => boolean} isTaken whether something that lies over the room has the key */
  constructor(own, onAction, isTaken) {
    this.onAction = onAction;
    /** @type {((key: string) => void) | null} */
    this.capture = null;
    this.isTaken = isTaken;
    this.own = own || {};
    /** @type {Map<string, string>} */
    this.byKey = new Map();
    /** @type {Map<string, string>} */
    this.byAction = new Map();
    this.assign(this.own);
    /** @param {KeyboardEvent} event */
    this.listener = (event) => this.pressed(event);
    // Before Streamlit's own keys (R reruns the page).
    window.addEventListener("keydown", this.listener, true);
  }

  /** @param {Record<string, string>} own */
  assign(own) {
    this.own = own;
    this.byKey.clear();
    this.byAction.clear();
    const chosen = new Set(ACTIONS.map(([action]) => own[action]).filter(Boolean));
    for (const [action, usual] of ACTIONS) {
      // A key that somebody chose is theirs, even where a newer action has it as its usual one.
      const key = own[action] || (chosen.has(usual) ? NO_KEY : usual);
      this.byAction.set(action, key);
      if (key !== NO_KEY) this.byKey.set(key, action);
    }
  }

  /** @param {string} action */
  keyOf(action) {
    return this.byAction.get(action) ?? NO_KEY;
  }

  /** What the key of an action is called. @param {string} action */
  name(action) {
    return keyName(this.keyOf(action));
  }

  close() {
    window.removeEventListener("keydown", this.listener, true);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const target = event.composedPath()[0];
    if (this.capture) {
      if (["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
      stop(event);
      const done = this.capture;
      this.capture = null;
      done(event.key.length === 1 ? event.key.toLowerCase() : event.key);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isField(target)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const onButton = target instanceof Element && target.closest("button, summary, a, [role=tab], [role=button]");
    // A focused button keeps its own keys.
    if (onButton && (key === " " || key === "Enter")) return;
    if (target instanceof HTMLInputElement && target.type === "range" && key.startsWith("Arrow")) return;
    // Arrows move among tabs.
    if (key in PANS && target instanceof Element && target.closest("[role=tab]")) return;
    if (this.isTaken(key)) return;
    if (event.shiftKey && key in PANS) {
      stop(event);
      this.onAction("pan", PANS[key]);
      return;
    }
    const action = this.byKey.get(key) || this.byKey.get(UNSHIFTED[key]) || (key === "Escape" ? "escape" : key === "Enter" ? "go_on" : null);
    if (!action) return;
    if (action !== "go_on" && action !== "escape") stop(event);
    // A key held down is one ruling, not thirty.
    if (event.repeat && !REPEATING.has(action)) return;
    this.onAction(action);
  }
}

/** @param {Event} event */
function stop(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

/** @param {EventTarget | undefined} target */
function isField(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !["range", "button", "checkbox", "radio"].includes(target.type);
}
