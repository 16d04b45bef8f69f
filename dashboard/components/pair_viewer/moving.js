// From pair to pair, and to other samples of one.

const MOVING = {
  async go(step) {
    this.storeDraft();
    if (step > 0) {
      if (!this.feed.item) return this.refuse("This is the end for now");
      this.feed.move(this.feed.at + 1);
    } else {
      try {
        if (!(await this.feed.back())) return this.refuse("This is the first pair you have looked at");
      } catch (error) {
        return this.refuse(error.message);
      }
    }
    this.changing = null;
    this.draw();
    const { item } = this.feed;
    // What counts for a pair may have changed since one ruled on it.
    if (item?.mine?.fresh && !this.closed(item) && !this.outbox.has(this.queue.id, item.position)) this.freshen(item);
    if (this.feed.item) this.say(`Pair ${this.feed.item.position + 1}`);
  },

  async openSibling(prediction) {
    const item = this.feed.item;
    if (!item || this.closed(item)) return;
    if (prediction === item.prediction) return this.draw(true);
    try {
      const other = await callServer(this.outbox.token, `${this.queue.id}/predictions/${prediction}`);
      if (this.feed.item !== item) return;
      this.drawItem({ ...other, position: item.position, mine: null }, item);
    } catch (error) {
      this.refuse(error.message);
    }
  },

  async showWhole() {
    const shown = this.shown;
    try {
      const whole = await callServer(this.outbox.token, `${this.queue.id}/predictions/${shown.prediction}`);
      Object.assign(shown, { pieces: whole.pieces, prompt: whole.prompt, cut: false, read_by: whole.read_by });
      if (this.shown === shown) { drawReasoning(this.part.reasoning, shown, () => {}); setLongText(this.part.caption, shown.prompt); }
    } catch (error) {
      this.refuse(error.message);
    }
  },
};
