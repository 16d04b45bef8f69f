// @ts-check
// The room as a whole: what is on the screen, what a key does to it.

/** @import { Audit, Component, Item, Parts, Progress, ViewerData } from "../types" */
import { find } from "../elements.js";
import { calm, dismiss, refuse, say } from "./alerts.js";
import { answered, askStats, itemsCame } from "./answers.js";
import { draw, drawFixed, drawHeld, drawMark, keepCaptionRoom, startingPlace } from "./drawing.js";
import { Feed } from "./feed.js";
import { Keys } from "./keys.js";
import { goBy } from "./moving.js";
import { enterField, fieldKey, fieldLeft, isWriting, keepDraft, loadDrafts, storeDraft } from "./notes.js";
import { Outbox } from "./outbox.js";
import { changeMind, isOpened, loadHistory, rule, toggleBlind, undo } from "./ruling.js";
import { callServer } from "./server.js";
import { closeVeil, openHelp, openJump, veilKey } from "./sheets.js";
import { tabKey } from "./tabs.js";
import { Transport } from "./transport.js";
import { Zoom } from "./zoom.js";

const STATS_EVERY_MS = 60000;
const BOTTOM_PX = 16;
const ZOOM_STEP = 1.5;

/** The elements with a `data-id`, by it. @param {ParentNode} root @returns {Parts} */
function partsOf(root) {
  const all = /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-id]"));
  return /** @type {Parts} */ (Object.fromEntries([...all].map((one) => [one.dataset.id, one])));
}

export class Viewer {
  /** @param {ShadowRoot} root @param {ViewerData} data */
  constructor(root, data) {
    this.root = root;
    /** @type {Record<string, number>} */
    this.timers = {};
    /** @type {Progress | null} */
    this.progress = null;
    this.captionRoom = 0;
    this.left = false; // the page
    this.data = data;
    this.queue = data.queue;
    this.room = find(root, ".room");
    this.part = partsOf(root);
    this.blind = data.queue.blind || data.blind;
    this.draftsName = `winnow.drafts.${data.workspace}.${data.person}.${this.queue.id}`;
    this.drafts = loadDrafts(this);
    /** @type {string | null} What the alert says. */
    this.passing = null;
    /** @type {string | null} What it says until it is closed. */
    this.lasting = null;
    /** @type {Item | null} The pair about which one is changing one's mind. */
    this.changing = null;
    /** @type {Item | null} What is drawn: the item, or another sample of its pair. */
    this.shown = null;
    /** @type {Item | null} */
    this.drawn = null;
    /** @type {Audit | null} */
    this.stats = null;
    this.statsAt = 0;
    this.historyName = `winnow.history.${data.workspace}.${data.person}.${this.queue.id}`;
    this.placeName = `winnow.place.${data.workspace}.${data.person}.${this.queue.id}`;
    this.history = loadHistory(this);
    this.outbox = new Outbox(data.workspace, data.person, data.token, () => drawMark(this), (answer, sent) => answered(this, answer, sent));
    this.feed = new Feed(this.queue, data.token, this.outbox, (answer) => itemsCame(this, answer));
    const frames = /** @type {HTMLElement[]} */ ([...root.querySelectorAll(".frame")]);
    this.zoom = new Zoom(frames, (scale) => { this.part.zoom.textContent = Math.round(scale * 100) + " %"; });
    const { scrub, time, play, speed, loop } = this.part;
    this.transport = new Transport({ scrub, time, play, speed, loop }, (video, held) => drawHeld(this, video, held));
    this.keys = new Keys(data.keys, (action, pan) => this.act(action, false, pan), (key) => veilKey(this, key));
    /** @type {(() => void)[]} */
    this.on = [];
    this.timer = setInterval(() => { if (!document.hidden) askStats(this); }, STATS_EVERY_MS);
    this.listen();
    drawFixed(this);
    this.size();
    // What an earlier page left behind goes first, so that the server knows what is done.
    Promise.race([this.outbox.send(), new Promise((go) => setTimeout(go, 2000))]).then(() => {
      this.feed.open(startingPlace(this, data.at));
      askStats(this);
    });
    this.room.focus({ preventScroll: true });
  }

  listen() {
    /** @param {EventTarget} target @param {string} name @param {(event: any) => void} handler */
    const on = (target, name, handler) => {
      target.addEventListener(name, handler);
      this.on.push(() => target.removeEventListener(name, handler));
    };
    on(this.root, "click", (event) => {
      const button = event.target.closest("[data-act]");
      if (!button) return;
      const { act } = button.dataset;
      this.act(act, true);
      // The next key is meant for the room, not for a field that was left by mouse.
      if (!["note", "tag"].includes(act) && isWriting(this)) this.room.focus({ preventScroll: true });
    });
    // A click leaves the focus where it was: the next key must not press the button again.
    on(this.root, "mousedown", (event) => { if (event.target.closest("button")) event.preventDefault(); });
    on(window, "resize", () => this.size());
    on(this.part.tabs, "keydown", (event) => tabKey(this, event));
    on(window, "beforeunload", (event) => {
      if (!this.outbox.pending.length && !this.drafts.size) return;
      event.preventDefault();
      event.returnValue = "";
    });
    on(window, "pagehide", () => { this.left = true; this.leave(); });
    // How long the claims last depends on it. A page that is left comes here last.
    on(document, "visibilitychange", () => { if (!this.left) askStats(this); });
    on(window, "online", () => this.outbox.hurry());
    for (const field of [this.part.note, this.part.tags]) {
      on(field, "input", () => keepDraft(this));
      on(field, "blur", (event) => fieldLeft(this, event));
      on(field, "keydown", (event) => fieldKey(this, event, field));
    }
  }

  close() {
    for (const off of this.on) off();
    for (const timer of Object.values(this.timers)) clearTimeout(timer);
    clearInterval(this.timer);
    this.leave();
    this.keys.close();
    this.outbox.close();
    this.feed.close();
    this.transport.close();
  }

  leave() {
    storeDraft(this);
    if (!this.feed.expires) return;
    callServer(this.outbox.token, `${this.queue.id}/release`, { before: this.feed.expires }, { keepalive: true, signal: undefined })
      .catch(() => {}); // The claims run out by themselves.
  }

  /** Exactly as high as the page leaves room for, less what stands below us there. */
  size() {
    let top = this.room.getBoundingClientRect().top;
    let below = 0;
    for (let box = /** @type {Element | null} */ (this.root.host); box; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (["auto", "scroll"].includes(style.overflowY)) { top += box.scrollTop; break; }
      for (const width of [style.paddingBottom, style.borderBottomWidth, style.marginBottom]) below += parseFloat(width) || 0;
    }
    // The page's own margin at the bottom is more than the media can spare.
    const spare = Math.max(0, Math.floor(below) - BOTTOM_PX);
    this.room.style.marginBottom = -spare + "px";
    this.room.style.setProperty("--room", Math.max(560, Math.floor(window.innerHeight - Math.max(0, top) - Math.max(BOTTOM_PX, below) + spare)) + "px");
    this.captionRoom = 0;
    this.part.caption.style.minHeight = "";
    keepCaptionRoom(this);
    this.zoom.apply();
  }

  /** @param {string} action @param {boolean} [byMouse] @param {[x: number, y: number]} [pan] @returns {unknown} */
  act(action, byMouse = false, pan = [0, 0]) {
    if (action === "dismiss") return dismiss(this);
    calm(this);
    if (action === "escape") return this.escape();
    if (action === "go_on") return this.shown?.mine && isOpened(this, this.shown) ? goBy(this, 1) : undefined;
    if (action === "accept" || action === "reject" || action === "flag") return rule(this, { ruling: action });
    if (action === "first" || action === "second" || action === "tie") return rule(this, { ruling: "relabel", relabel: action });
    /** @type {Record<string, () => unknown>} */
    const simple = {
      undo: () => undo(this), change: () => changeMind(this), next: () => goBy(this, 1), previous: () => goBy(this, -1),
      jump: () => openJump(this), help: () => openHelp(this), blind: () => toggleBlind(this),
      note: () => enterField(this, this.part.note), tag: () => enterField(this, this.part.tags),
      reasoning: () => { this.part.reasoning.focus(); },
      flip: () => this.toggleStage("flip", "flipped"), difference: () => this.toggleStage("difference", "difference"),
      zoom_in: () => this.zoomBy(ZOOM_STEP), zoom_out: () => this.zoomBy(1 / ZOOM_STEP), zoom_reset: () => this.zoomBy(0),
      pan: () => (this.zoom.scale > 1 ? this.zoom.pan(...pan) : refuse(this, "Zoom in first; then Shift and the arrows move the media")),
    };
    if (simple[action]) return simple[action]();
    if (this.shown?.kind !== "video") return byMouse ? undefined : refuse(this, "This pair has no video");
    /** @type {Record<string, () => unknown>} */
    const film = {
      play: () => this.transport.toggle(), frame_back: () => this.transport.step(-1), frame_forward: () => this.transport.step(1),
      slower: () => this.transport.setSpeed(-1), faster: () => this.transport.setSpeed(1),
      loop: () => this.transport.setLoop(!this.transport.loop),
    };
    film[action]?.();
    const { transport } = this;
    /** @type {Record<string, string>} */
    const heard = { slower: `Speed ${transport.speed}`, faster: `Speed ${transport.speed}`, loop: `Loop ${transport.loop ? "on" : "off"}`,
                    play: transport.playing ? "Playing" : "Paused" };
    return say(this, heard[action] ?? `At ${transport.time.toFixed(2)} s`);
  }

  /** @param {number} factor */
  zoomBy(factor) {
    if (factor) this.zoom.zoomBy(factor);
    else this.zoom.reset();
    say(this, "Zoom " + this.part.zoom.textContent);
  }

  /** @param {string} button @param {string} name */
  toggleStage(button, name) {
    const on = this.part.stage.classList.toggle(name);
    this.part[button].setAttribute("aria-pressed", String(on));
    say(this, button + (on ? " on" : " off"));
    this.zoom.apply();
  }

  escape() {
    if (!this.part.veil.hidden) return closeVeil(this);
    const changing = this.changing !== null;
    this.changing = null;
    if (changing || this.shown !== this.feed.item) draw(this, true);
    this.room.focus({ preventScroll: true });
  }
}

/** Streamlit calls this at every run of the page; the room itself lives on.
 *  @param {Component<ViewerData>} component */
export default function ({ parentElement, data }) {
  const room = /** @type {HTMLElement & { viewer?: Viewer | null }} */ (find(parentElement, ".room"));
  let viewer = room.viewer;
  if (viewer && (viewer.queue.id !== data.queue.id || viewer.data.person !== data.person)) {
    viewer.close();
    viewer = null;
  }
  if (viewer) {
    clearTimeout(viewer.timers.closing);
    viewer.outbox.token = viewer.feed.token = data.token;
  } else {
    viewer = room.viewer = new Viewer(parentElement, data);
  }
  return () => {
    viewer.timers.closing = setTimeout(() => { viewer.close(); room.viewer = null; }, 300);
  };
}
