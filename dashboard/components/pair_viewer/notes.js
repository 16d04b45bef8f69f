// Note and tags: drafts that go with the ruling.

const NOTES = {
  enterField(field) {
    if (!this.feed.item) return this.refuse("No pair on the screen yet");
    field.focus();
    field.select();
  },

  keepDraft() {
    const item = this.feed.item;
    if (!item) return;
    const tags = [...new Set(this.part.tags.value.split(",").map((tag) => tag.trim().slice(0, 60)).filter(Boolean))].slice(0, 20);
    this.drafts.set(item.position, { note: this.part.note.value, tags });
  },

  fieldKey(event, field) {
    event.stopPropagation(); // Streamlit has keys of its own.
    if (event.key !== "Escape" && !(event.key === "Enter" && !event.shiftKey)) return;
    event.preventDefault();
    field.blur();
    this.room.focus({ preventScroll: true });
    const item = this.feed.item;
    // On a pair that is ruled on already, a note is the same ruling once more, with the note.
    if (event.key === "Enter" && item?.mine && this.drafts.has(item.position)) {
      this.rule({ ruling: item.mine.ruling, relabel: item.mine.relabel });
    }
  },
};
