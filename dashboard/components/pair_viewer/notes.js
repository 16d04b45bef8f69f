// Note and tags. What is written for a pair without a ruling waits for it as a draft; on a ruled pair it is
// stored beside the ruling as soon as one leaves the field or the pair.

const NOTES = {
  loadDrafts() {
    try { return new Map(JSON.parse(sessionStorage.getItem(this.draftsName)) || []); } catch { return new Map(); }
  },

  keepDrafts() {
    try {
      if (this.drafts.size) sessionStorage.setItem(this.draftsName, JSON.stringify([...this.drafts]));
      else sessionStorage.removeItem(this.draftsName);
    } catch { /* Storage is full or forbidden: the drafts last as long as the page. */ }
    this.drawMark();
  },

  /** What the fields hold for a pair: its draft, else what is stored. */
  writtenFor(item) {
    return this.drafts.get(item.position) || { note: item.mine?.note || "", tags: item.mine?.tags || [] };
  },

  enterField(field) {
    if (!this.feed.item) return this.refuse("No pair on the screen yet");
    field.focus();
    field.select();
  },

  keepDraft() {
    const item = this.feed.item;
    if (!item) return;
    const tags = [...new Set(this.part.tags.value.split(",").map((tag) => tag.trim().slice(0, 60)).filter(Boolean))].slice(0, 20);
    const note = this.part.note.value;
    const { note: kept = "", tags: keptTags = [] } = item.mine || {};
    if (note === kept && tags.join() === keptTags.join()) this.drafts.delete(item.position);
    else this.drafts.set(item.position, { note, tags });
    this.keepDrafts();
  },

  writing() {
    return [this.part.note, this.part.tags].includes(this.root.activeElement);
  },

  /** On a ruled pair: what was written, alone. The ruling itself is not made again, or it would overrule
   *  what a colleague has ruled since. */
  storeDraft() {
    const item = this.feed.item;
    if (!item?.mine || !this.drafts.has(item.position)) return;
    this.record(item, "note", null);
    this.say("Note on its way");
    if (this.drawn === item) this.drawOwnRuling(item);
  },

  fieldLeft(event) {
    // From the note to the tags one is still writing.
    if (event.relatedTarget !== this.part.note && event.relatedTarget !== this.part.tags) this.storeDraft();
  },

  fieldKey(event, field) {
    event.stopPropagation(); // Streamlit has keys of its own.
    if (event.isComposing || (event.key !== "Escape" && !(event.key === "Enter" && !event.shiftKey))) return;
    event.preventDefault();
    field.blur();
    this.room.focus({ preventScroll: true });
  },
};
