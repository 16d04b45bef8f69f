// Rulings: made, taken back, and what a blind queue opens after them.

const HISTORY_KEPT = 200;

const RULING = {
  rule({ ruling, relabel = null }) {
    const item = this.feed.item;
    if (!item || this.shown === null) return this.refuse("No pair on the screen yet: the key was not taken");
    if (this.shown !== item) return this.refuse("This is another sample; Esc goes back to the one to rule on");
    // A key that was meant for the next pair must not take the place of what was said blind.
    const changing = this.changing === item;
    if (this.opened(item) && !changing) return this.refuse(this.openedWords(item));
    if (this.hidden(item) && ruling !== "relabel" && ruling !== "flag") {
      return this.refuse("Blind: say first which is better, " + ["first", "second", "tie"].map((name) => keyName(this.keys.byAction.get(name))).join(", "));
    }
    if (item.withheld && ["accept", "reject"].includes(ruling)) {
      return this.refuse(`It waits for you in the blind queue ${item.held_by}: say first which is better`);
    }
    if (ruling === "accept" && (!item.answer || item.answer === "tie")) {
      return this.refuse(`Nothing to train on: the judge's answer ${item.answer ? "names no better side" : "cannot be read"}. Reject it, or say which is better`);
    }
    const wasHidden = this.hidden(item);
    this.record(item, ruling, relabel);
    this.flash(ruling);
    this.say(ruledWords(item, ruling, relabel));
    if (changing || (wasHidden && ruling === "relabel")) return this.draw(true);
    this.feed.advance();
    this.draw();
  },

  /** A ruling with what was written for the pair, on its way. `fresh`: made since the server sent the item. */
  record(item, ruling, relabel) {
    const { note, tags } = this.writtenFor(item);
    const token = newToken();
    const before = item.mine;
    const unblinded = this.closed(item) ? Boolean(item.seen) : this.opened(item) ? true : null;
    this.changing = null;
    const on = ruling === "note" ? withoutNote(before) : null;
    item.mine = on ? withNote(on, { token, note, tags }) : { ruling, relabel, token, note, tags, unblinded, fresh: true };
    if (!on && !SETTLING.has(ruling) && before?.fresh) item.mine.under = before;
    this.drafts.delete(item.position);
    this.keepDrafts();
    this.remember({ position: item.position, prediction: item.prediction, token, before });
    this.outbox.add({ token, queue: this.queue.id, position: item.position, prediction_id: item.prediction,
                      ruling, relabel, note, tags, unblinded, on: on && { ruling: on.ruling, relabel: on.relabel, token: on.token } });
  },

  async undo() {
    const last = this.history.pop();
    if (!last) return this.refuse("Nothing to undo in this queue");
    // What is being written for the very pair waits for its next ruling instead.
    if (this.feed.item?.position !== last.position) this.storeDraft();
    this.keepHistory();
    this.changing = null;
    this.outbox.add({ token: newToken(), queue: this.queue.id, position: last.position, prediction_id: last.prediction,
                      ruling: "undo", relabel: null, note: "", tags: [], undoes: last.token });
    this.flash("undo");
    const takeBack = (item) => {
      if (item?.position !== last.position) return;
      // What the server said about the pair counted the ruling that is gone now.
      if (item.mine && !item.mine.fresh && item.mine.token === last.token) item.stale = true;
      const { note = "", tags = [] } = item.mine || {};
      if (!last.before && (note || tags.length) && !this.drafts.has(item.position)) this.drafts.set(item.position, { note, tags });
      // Where the server kept the verdict back it is closed again, until the next ruling is stored.
      if (!last.before && (this.queue.blind || item.held_by)) item.withheld = true;
      item.mine = last.before || null;
      this.keepDrafts();
    };
    takeBack(this.feed.items.find((item) => item.position === last.position));
    try {
      if (!(await this.feed.show(last.position))) this.mention("The ruling is taken back; the pair itself is with another reviewer now.");
    } catch (error) {
      this.mention(`The ruling is taken back; ${error.message}.`);
    }
    takeBack(this.feed.item);
    this.draw(true);
    this.say("Undone");
  },

  toggleBlind() {
    if (this.queue.blind) return this.refuse("This queue is blind for everybody");
    this.blind = !this.blind;
    this.drawFixed();
    this.draw(true);
    this.keepSettings({ blind: this.blind });
    this.say("Blind " + (this.blind ? "on" : "off"));
  },

  /** Before the choice. In a blind queue the server has not sent what is hidden; whoever chose to
   *  review blind (B) has it in this browser, and hides it from their own eyes only. */
  hidden(item) {
    return this.blind && !item.mine;
  },

  closed(item) {
    return this.hidden(item) || Boolean(item.withheld);
  },

  /** Ruled on blind, so that its verdict is open or about to be. */
  opened(item) {
    return Boolean(item.mine) && (this.blind || (item.mine.unblinded ?? null) !== null);
  },

  openedWords(item) {
    const key = (name) => keyName(this.keys.byAction.get(name));
    if (item.withheld) return `The verdict is not here yet: Enter goes on, ${key("undo")} takes your choice back`;
    return `You have ruled on this pair: Enter goes on, ${key("undo")} takes it back, ${key("change")} changes your mind`;
  },

  /** The next ruling is a changed mind: it counts, and is marked as made after the verdict had opened. */
  change() {
    const item = this.feed.item;
    if (!item || this.shown !== item) return this.refuse("There is no ruling here to change");
    if (!item.mine) return this.refuse("You have not ruled on this pair yet");
    if (!this.opened(item)) return this.refuse("Just rule again: here you see the verdict first");
    if (item.withheld) return this.refuse(`The verdict is not here yet; ${keyName(this.keys.byAction.get("undo"))} takes your choice back`);
    this.changing = item;
    this.draw(true);
    this.say("Say what you think now; Escape keeps what you said");
  },

  /** Fetch what a blind queue keeps back until a ruling is stored. */
  async reveal(item) {
    if (item.opening || !item.withheld || !item.mine || this.outbox.has(this.queue.id, item.position)) return;
    item.opening = true;
    const { mine } = item;
    try {
      const open = await callServer(this.outbox.token, `${this.queue.id}/predictions/${item.prediction}?brief=1`);
      if (!open.withheld) Object.assign(item, open, { withheld: false, first: item.first, second: item.second });
      // The answer knows of this ruling, and of what a colleague may have ruled since.
      if (item.mine === mine && open.ruling) mine.fresh = false;
    } catch (error) {
      this.mention(`The verdict could not be loaded: ${error.message}`);
    }
    item.opening = false;
    if (!item.withheld && this.drawn === item && this.shown === item) this.draw(true);
  },

  loadHistory() {
    try { return JSON.parse(sessionStorage.getItem(this.historyName)) || []; } catch { return []; }
  },

  remember(entry) {
    this.history.push(entry);
    if (this.history.length > HISTORY_KEPT) this.history.shift();
    this.keepHistory();
  },

  keepHistory() {
    try { sessionStorage.setItem(this.historyName, JSON.stringify(this.history)); } catch { /* Only undo after a reload needs it. */ }
  },
};
