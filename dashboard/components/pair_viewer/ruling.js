// Rulings: made, taken back, and what a blind queue opens after them.

const HISTORY_KEPT = 200;

const RULING = {
  rule({ ruling, relabel = null }) {
    const item = this.feed.item;
    if (!item || this.shown === null) return this.refuse("No pair on the screen yet: the key was not taken");
    if (this.shown !== item) return this.refuse("This is another sample; Esc goes back to the one to rule on");
    if (this.hidden(item) && ruling !== "relabel" && ruling !== "flag") {
      return this.refuse("Blind: say first which is better, " + ["first", "second", "tie"].map((name) => keyName(this.keys.byAction.get(name))).join(", "));
    }
    if (item.withheld && ["accept", "reject"].includes(ruling)) return this.refuse("The judge's verdict is not here yet; there is nothing to accept or reject");
    const wasHidden = this.hidden(item);
    const draft = this.drafts.get(item.position) || { note: item.mine?.note || "", tags: item.mine?.tags || [] };
    const token = newToken();
    const before = item.mine;
    item.mine = { ruling, relabel, token, note: draft.note, tags: draft.tags };
    this.drafts.delete(item.position);
    this.remember({ position: item.position, prediction: item.prediction, token, before });
    this.outbox.add({ token, queue: this.queue.id, position: item.position, prediction_id: item.prediction,
                      ruling, relabel, note: draft.note, tags: draft.tags });
    this.flash(ruling);
    this.say(ruling === "relabel" ? sideName(item, relabel) + (relabel === "tie" ? "" : " is better") : ruling);
    if (wasHidden && ruling === "relabel") return this.draw(true);
    this.feed.advance();
    this.draw();
  },

  async undo() {
    const last = this.history.pop();
    if (!last) return this.refuse("Nothing to undo in this queue");
    this.keepHistory();
    this.outbox.add({ token: newToken(), queue: this.queue.id, position: last.position, prediction_id: last.prediction,
                      ruling: "undo", relabel: null, note: "", tags: [], undoes: last.token });
    this.flash("undo");
    const here = this.feed.items.find((item) => item.position === last.position);
    if (here) here.mine = last.before || null;
    try {
      if (!(await this.feed.show(last.position))) this.alert("The ruling is taken back; the pair itself is with another reviewer now.");
    } catch (error) {
      this.alert(`The ruling is taken back; ${error.message}.`);
    }
    if (this.feed.item?.position === last.position) this.feed.item.mine = last.before || null;
    this.draw(true);
    this.say("Undone");
  },

  toggleBlind() {
    if (this.queue.blind) return this.refuse("This queue is blind for everybody");
    this.blind = !this.blind;
    this.drawFixed();
    this.draw(true);
    this.keepSettings();
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

  /** Fetch what a blind queue keeps back until a ruling is stored. */
  async reveal(item) {
    if (item.opening || !item.withheld || !item.mine || this.outbox.has(this.queue.id, item.position)) return;
    item.opening = true;
    try {
      const open = await callServer(this.outbox.token, `${this.queue.id}/predictions/${item.prediction}?brief=1`);
      if (!open.withheld) Object.assign(item, open, { withheld: false, first: item.first, second: item.second });
    } catch (error) {
      this.alert(`The verdict could not be loaded: ${error.message}`);
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
