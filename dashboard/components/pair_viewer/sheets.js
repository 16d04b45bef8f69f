// The two sheets that lie over the room: keys, and a number to jump to.

const SHEETS = {
  openVeil(title) {
    const sheet = this.part.sheet;
    sheet.replaceChildren(makeElement("h4", "", title));
    sheet.setAttribute("aria-label", title);
    this.part.veil.hidden = false;
    sheet.focus();
    return sheet;
  },

  closeVeil() {
    this.keys.capture = null;
    this.part.veil.hidden = true;
    this.room.focus({ preventScroll: true });
  },

  /** While a sheet is open, only Escape and the help key get through. */
  veilKey(key) {
    if (this.part.veil.hidden) return false;
    if (key === "Escape" || key === this.keys.byAction.get("help")) {
      this.closeVeil(); // At once: the very next key is the room's.
    }
    return key !== "Tab" ? true : this.keepFocus();
  },

  keepFocus() {
    // The focus stays in the sheet.
    setTimeout(() => { if (!this.part.sheet.contains(this.root.activeElement)) this.part.sheet.focus(); }, 0);
    return true;
  },

  openHelp() {
    const sheet = this.openVeil("Keys");
    const list = makeElement("div", "keys");
    for (const [action, , name] of ACTIONS) {
      const row = makeElement("div");
      const button = makeElement("button", "", keyName(this.keys.byAction.get(action)));
      button.type = "button";
      button.setAttribute("aria-label", `${name}: ${button.textContent}. Press to choose another key`);
      button.addEventListener("click", () => this.askKey(action, button));
      row.append(makeElement("span", "", name), button);
      list.append(row);
    }
    const row = makeElement("div", "row");
    const usual = makeElement("button", "", "Usual keys");
    usual.addEventListener("click", () => { this.assignKeys({}); this.openHelp(); });
    const close = makeElement("button", "", "Close");
    close.addEventListener("click", () => this.closeVeil());
    row.append(usual, close);
    sheet.append(makeElement("p", "dim", "Press a key's button to change it. Keys are off while you write. The wheel zooms both media, dragging or Shift with the arrows moves them, a double click zooms in and out. Arrows move among the samples' tabs, Enter opens one."), this.sheetWord(), list, row);
  },

  /** Where the sheet says why it did not do something. */
  sheetWord() {
    const word = makeElement("p", "word");
    word.setAttribute("role", "alert");
    return word;
  },

  askKey(action, button) {
    button.textContent = "press a key";
    this.keys.capture = (key) => {
      const taken = key !== "Escape" && this.keys.byKey.get(key);
      if (key === "Escape" || key === "Tab" || key === "Enter" || (taken && taken !== action)) {
        const word = this.part.sheet.querySelector(".word");
        if (taken && word) word.textContent = `${keyName(key)} is taken by “${ACTIONS.find(([id]) => id === taken)[2]}”`;
        button.textContent = keyName(this.keys.byAction.get(action));
        return;
      }
      this.assignKeys({ ...this.keys.own, [action]: key });
      this.openHelp();
    };
  },

  assignKeys(own) {
    this.keys.assign(own);
    this.drawFixed();
    this.keepSettings({ keys: own });
  },

  openJump() {
    const sheet = this.openVeil("Jump to");
    const field = makeElement("input");
    Object.assign(field, { type: "number", min: "1", max: String(this.queue.items), value: this.feed.item ? String(this.feed.item.position + 1) : "" });
    field.setAttribute("aria-label", `Number of the pair, 1 to ${this.queue.items}`);
    const go = () => {
      const number = Math.round(Number(field.value));
      if (!(number >= 1 && number <= this.queue.items)) return field.select();
      this.closeVeil();
      this.storeDraft();
      this.shown = this.drawn = null;
      this.feed.open(number - 1);
      this.draw();
    };
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") go();
      if (event.key === "Escape") this.closeVeil();
    });
    const row = makeElement("div", "row");
    const cancel = makeElement("button", "", "Cancel");
    cancel.addEventListener("click", () => this.closeVeil());
    const jump = makeElement("button", "", "Jump");
    jump.addEventListener("click", go);
    row.append(cancel, jump);
    sheet.append(field, row);
    field.focus();
    field.select();
  },
};
