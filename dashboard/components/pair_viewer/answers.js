// What the server says: items, acknowledgements, statistics.

const STATS_SOONEST_MS = 2500;

const ANSWERS = {
  itemsCame(answer) {
    if (answer?.progress) this.progress = answer.progress;
    if (this.drawn !== (this.feed.item || null) || !this.feed.item) this.draw();
    this.drawHead();
  },

  answered(answer, sent) {
    const progress = answer.progress[String(this.queue.id)];
    if (progress) this.progress = progress;
    for (const { token, message, hint } of answer.refused) {
      const ruling = sent.find((one) => one.token === token);
      this.alert(`Not stored, pair ${ruling.position + 1}: ${message}${hint ? " (" + hint + ")" : ""}`);
      this.history = this.history.filter((one) => one.token !== token);
      const item = this.feed.items.find((one) => [one.mine?.token, one.mine?.noted && one.mine.under.token].includes(token));
      if (item) {
        // Without the ruling a note beside it has nothing to stand on; it waits for the next ruling.
        const { note, tags } = item.mine;
        item.mine = null;
        if ((note || tags.length) && !this.drafts.has(item.position)) this.drafts.set(item.position, { note, tags });
        if (item === this.drawn) this.draw(true);
      }
      this.keepDrafts();
      this.keepHistory();
    }
    for (const item of this.feed.items) if (item.stale && !this.outbox.has(this.queue.id, item.position)) this.freshen(item);
    if (this.drawn) this.reveal(this.drawn);
    this.drawHead();
    clearTimeout(this.statsTimer);
    this.statsTimer = setTimeout(() => this.askStats(), Math.max(400, this.statsAt + STATS_SOONEST_MS - Date.now()));
  },

  async askStats() {
    this.statsAt = Date.now();
    try {
      const answer = await callServer(this.outbox.token, `${this.queue.id}/stats${document.hidden ? "?away=1" : ""}`);
      this.stats = answer.audit;
      this.progress = answer.progress;
      this.feed.expires = Math.max(this.feed.expires, answer.expires_at);
      this.drawHead();
    } catch { /* The outbox says so when the server is away. */ }
  },

  /** Which decision counts now: after an undo, or after a colleague may have ruled. */
  async freshen(item) {
    const { mine, stale } = item;
    item.stale = false;
    try {
      const { decision, effective, ruling, relabel, reviewer, withheld } =
        await callServer(this.outbox.token, `${this.queue.id}/predictions/${item.prediction}?brief=1`);
      if (item.mine !== mine || this.outbox.has(this.queue.id, item.position)) { item.stale = stale; return; }
      if (!withheld) Object.assign(item, { decision, effective, ruling, relabel, reviewer });
      // Where colleagues' rulings are kept back, one's own is all that is known.
      if (ruling && mine) mine.fresh = false;
    } catch {
      if (stale) Object.assign(item, { effective: item.decision, ruling: null, relabel: null, reviewer: null });
    }
    if (this.drawn === item && this.shown === item) this.draw(true);
  },

  /** Keep what was changed, and only that: a blind queue says nothing about one's own liking. */
  keepSettings(changed) {
    callServer(this.outbox.token, "settings", changed)
      .catch((error) => this.alert(`Your settings could not be kept: ${error.message}`));
  },
};
