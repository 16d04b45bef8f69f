// @ts-check
// Rulings on their way. Each lies in the browser's storage from the key press until the server says
// that it is on the disk, and is sent again until then; its token makes sure that it counts once.

/** @import { Own, RulingsAnswer, Sent, Trouble } from "../types" */
import { callServer, troubleOf } from "./server.js";
import { withNote } from "./standing.js";

const OUTBOX_BATCH = 40;
const OUTBOX_LONGEST_WAIT_MS = 10000;

export class Outbox {
  /** @param {string} workspace
   *  @param {string} person
   *  @param {string} token
   *  @param {() => void} onChange
   *  @param {(answer: RulingsAnswer, sent: Sent[]) => void} onAnswer */
  constructor(workspace, person, token, onChange, onAnswer) {
    // Another workspace may be served under the same address tomorrow, with other pairs in its queue 1.
    this.prefix = `winnow.ruling.${workspace}.${person}.`;
    this.token = token;
    this.onChange = onChange;
    this.onAnswer = onAnswer;
    /** @type {{ name: string, ruling: Sent }[]} */
    this.pending = [];
    this.busy = false;
    this.wait = 0;
    /** @type {number | undefined} Until it has run out nothing is sent. */
    this.timer = undefined;
    /** @type {Trouble | null} */
    this.trouble = null;
    this.lastNumber = 0;
    this.load();
  }

  load() {
    for (const name of Object.keys(localStorage)) {
      if (!name.startsWith(this.prefix)) continue;
      try {
        this.pending.push({ name, ruling: JSON.parse(localStorage.getItem(name) ?? "") });
      } catch { localStorage.removeItem(name); }
    }
    this.pending.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @param {Sent} ruling */
  add(ruling) {
    // Names sort by time, and by number within a millisecond: the order of the keys is kept.
    this.lastNumber = Math.max(this.lastNumber + 1, Date.now() * 1000);
    const name = this.prefix + String(this.lastNumber).padStart(17, "0") + "." + ruling.token;
    const entry = { name, ruling };
    try {
      localStorage.setItem(name, JSON.stringify(ruling));
    } catch { /* Storage is full or forbidden: it still goes out, but would not survive a reload. */ }
    this.pending.push(entry);
    this.onChange();
    // After the next pair is on the screen.
    setTimeout(() => this.send(), 0);
  }

  /** @param {number} queue @param {number} position */
  has(queue, position) {
    return this.pending.some(({ ruling }) => ruling.queue === queue && ruling.position === position);
  }

  /** The newest ruling on its way for one position, as an item carries it.
   *  @param {number} queue @param {number} position @returns {Own | null} */
  newest(queue, position) {
    const here = this.pending.map(({ ruling }) => ruling).filter((one) => one.queue === queue && one.position === position);
    const found = here.at(-1);
    if (!found || found.ruling === "undo") return null;
    const { on } = found;
    if (on) {
      const under = here.find(({ token }) => token === on.token);
      return withNote({ note: "", tags: [], ...on, ...under, fresh: Boolean(under) }, found);
    }
    const { ruling, relabel, token, note, tags, unblinded } = found;
    return { ruling, relabel, token, note, tags, unblinded, fresh: true };
  }

  async send() {
    if (this.busy || !this.pending.length || this.timer !== undefined) return;
    this.busy = true;
    const batch = this.pending.slice(0, OUTBOX_BATCH);
    try {
      /** @type {RulingsAnswer} */
      const answer = await callServer(this.token, "rulings", { rulings: batch.map(({ ruling }) => ruling) });
      const settled = new Set([...answer.stored, ...answer.refused.map(({ token }) => token)]);
      for (const { name, ruling } of batch) if (settled.has(ruling.token)) localStorage.removeItem(name);
      this.pending = this.pending.filter(({ ruling }) => !settled.has(ruling.token));
      this.wait = 0;
      this.trouble = null;
      this.onAnswer(answer, batch.map(({ ruling }) => ruling));
    } catch (error) {
      this.wait = Math.min(OUTBOX_LONGEST_WAIT_MS, this.wait ? this.wait * 2 : 500);
      this.trouble = troubleOf(error);
    }
    this.busy = false;
    this.onChange();
    if (!this.pending.length) return;
    if (!this.wait) return void (await this.send());
    this.timer = setTimeout(() => this.hurry(), this.wait);
  }

  hurry() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.send();
  }

  close() {
    clearTimeout(this.timer);
    this.timer = 0; // Nothing new goes out; what is under way is still tried again.
  }
}
