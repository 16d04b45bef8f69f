// @ts-check
// The pairs of a queue around the one on the screen: fetched and decoded ahead, kept for going back.

/** @import { Item, ItemsAnswer, Queue, Trouble } from "../types" */
/** @import { Outbox } from "./outbox.js" */
import { callServer, troubleOf } from "./server.js";

const OPEN_COUNT = 12; // the first pair is waited for
const FETCH_COUNT = 24;
const FETCH_BELOW = 16;
const FETCH_BELOW_NEAR_END = 7; // less than the least that is handed out at once
const MEDIA_AHEAD = 6;
const VIDEOS_AHEAD = 3;
const MEDIA_BEHIND = 2;
const KEPT_BEHIND = 200;
const ASK_AGAIN_MS = 4000;

export class Feed {
  /** @param {Queue} queue
   *  @param {string} token
   *  @param {Outbox} outbox
   *  @param {(answer: ItemsAnswer | null) => void} onItems */
  constructor(queue, token, outbox, onItems) {
    this.queue = queue;
    this.token = token;
    this.outbox = outbox;
    this.onItems = onItems;
    /** @type {Item[]} */
    this.items = [];
    this.at = 0;
    this.from = 0;
    this.below = FETCH_BELOW;
    this.busy = false;
    this.notBefore = 0;
    this.atEnd = false;
    this.expires = 0;
    /** @type {Trouble | null} */
    this.trouble = null;
    /** @type {Map<string, HTMLImageElement | HTMLVideoElement>} */
    this.media = new Map();
    this.generation = 0;
    /** @type {number | undefined} */
    this.timer = undefined;
  }

  get item() {
    return this.items[this.at] || null;
  }

  close() {
    clearTimeout(this.timer);
    this.generation++;
    this.media.clear();
  }

  /** @param {number} position */
  async open(position) {
    const generation = ++this.generation;
    this.items = [];
    this.at = 0;
    this.atEnd = false;
    this.busy = true;
    let answer;
    try {
      answer = await this.ask(`from=${position}&count=${OPEN_COUNT}&exact=1`);
    } catch (error) {
      this.retry(error, () => this.open(position), generation);
      return;
    }
    if (generation !== this.generation) return;
    this.busy = false;
    this.take(answer, OPEN_COUNT, position);
  }

  async fill() {
    if (this.busy || this.items.length - this.at > this.below) return;
    const pause = this.notBefore - Date.now();
    clearTimeout(this.timer);
    if (pause > 0) {
      this.timer = setTimeout(() => this.fill(), pause);
      return;
    }
    this.busy = true;
    const generation = this.generation;
    let answer;
    try {
      answer = await this.ask(`from=${this.from}&count=${FETCH_COUNT}`);
    } catch (error) {
      this.retry(error, () => this.fill(), generation);
      return;
    }
    if (generation !== this.generation) return;
    this.busy = false;
    this.take(answer, FETCH_COUNT, null);
  }

  /** @param {ItemsAnswer} answer @param {number} asked @param {number | null} exact */
  take(answer, asked, exact) {
    this.trouble = null;
    this.expires = Math.max(this.expires, answer.expires_at || 0);
    const ahead = new Set(this.items.slice(this.at).map(({ position }) => position));
    for (const item of answer.items) {
      if (ahead.has(item.position)) continue;
      // An answer may be older than a ruling that is acknowledged by now: what was ruled on here comes
      // again only when it is asked for.
      const ruled = this.known(item.position)?.mine || this.outbox.has(this.queue.id, item.position);
      if (!ruled || item.position === exact) this.items.push(this.held(item));
    }
    // Fewer than asked for: the end is near, and what is left is shared with whoever comes second.
    this.below = answer.items.length < asked ? FETCH_BELOW_NEAR_END : FETCH_BELOW;
    const last = answer.items.at(-1);
    if (last) this.from = last.position + 1;
    this.atEnd = answer.at_end ?? false;
    // Behind the end comes what was passed over, and what another reviewer has let go.
    if (answer.at_end) {
      this.from = 0;
      this.notBefore = Date.now() + ASK_AGAIN_MS;
    }
    this.trim();
    this.onItems(answer);
    this.preload();
    this.fill();
  }

  /** @param {number} position */
  known(position) {
    return this.items.find((item) => item.position === position);
  }

  /** One object for one position, however often it is served, with what only this page knows of it.
   *  @param {Item} item */
  held(item) {
    const known = this.known(item.position);
    if (this.outbox.has(this.queue.id, item.position)) item.mine = this.outbox.newest(this.queue.id, item.position);
    // An answer that does not know of one's newest ruling is older than it.
    else if (known?.mine?.fresh && (known.mine.noted || item.mine?.token !== known.mine.token)) item.mine = known.mine;
    return known ? Object.assign(known, item) : item;
  }

  /** @param {unknown} error @param {() => void} again @param {number} generation */
  retry(error, again, generation) {
    if (generation !== this.generation) return;
    this.busy = false;
    this.trouble = troubleOf(error);
    this.onItems(null);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { if (generation === this.generation) again(); }, 1500);
  }

  /** @param {string} query @returns {Promise<ItemsAnswer>} */
  ask(query) {
    return callServer(this.token, `${this.queue.id}/items?${query}`);
  }

  trim() {
    const surplus = this.at - KEPT_BEHIND;
    if (surplus > 0) {
      this.items.splice(0, surplus);
      this.at -= surplus;
    }
  }

  /** @param {number} to */
  move(to) {
    this.at = Math.max(0, Math.min(this.items.length, to));
    this.preload();
    this.fill();
  }

  /** To the next pair that this reviewer has not ruled on. */
  advance() {
    let to = this.at + 1;
    while (this.items[to] && this.items[to].mine) to++;
    this.move(to);
  }

  async back() {
    if (this.at > 0) {
      this.move(this.at - 1);
      return true;
    }
    const position = this.item ? this.item.position : this.queue.items;
    const answer = await this.ask(`before=${position}&count=20`);
    if (!answer.items.length) return false;
    this.items.unshift(...answer.items.map((item) => this.held(item)));
    this.move(answer.items.length - 1);
    return true;
  }

  /** Bring one position on the screen, whatever its state.
   *  @param {number} position */
  async show(position) {
    const here = this.items.findIndex((item) => item.position === position);
    if (here >= 0) {
      this.move(here);
      return true;
    }
    const answer = await this.ask(`from=${position}&count=1&exact=1`);
    const found = answer.items.find((item) => item.position === position);
    if (!found) return false;
    this.items.splice(this.at, 0, this.held(found));
    this.preload();
    return true;
  }

  /** The element that shows one medium, loading since it came near.
   *  @param {string} url @param {string} kind */
  element(url, kind) {
    const known = this.media.get(url);
    if (known) return known;
    const made = document.createElement(kind === "video" ? "video" : "img");
    if (made instanceof HTMLVideoElement) {
      made.muted = true;
      made.playsInline = true;
      made.preload = "metadata";
      made.src = url;
    } else {
      made.decoding = "sync";
      made.draggable = false;
      made.alt = "";
      made.src = url;
      made.decode().catch(() => {});
    }
    this.media.set(url, made);
    return made;
  }

  preload() {
    const wanted = new Set();
    for (let i = Math.max(0, this.at - MEDIA_BEHIND); i <= this.at + MEDIA_AHEAD && i < this.items.length; i++) {
      const item = this.items[i];
      if (item.kind === "video" && (i > this.at + VIDEOS_AHEAD || i < this.at)) continue;
      for (const url of [item.first, item.second]) {
        wanted.add(url);
        this.element(url, item.kind);
      }
    }
    for (const [url, element] of this.media) {
      if (wanted.has(url)) continue;
      // A video without a source gives its buffers back at once.
      if (element instanceof HTMLVideoElement && !element.isConnected) { element.removeAttribute("src"); element.load(); }
      this.media.delete(url);
    }
  }
}
