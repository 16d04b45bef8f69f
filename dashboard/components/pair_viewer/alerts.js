// One line in the head for what a person must know. A refusal passes: it goes with the next action, or
// after a while. Trouble that lost something stays until it is closed.

const REFUSAL_MS = 6000;

const ALERTS = {
  refuse(message) {
    const bar = this.root.querySelector(".bar");
    bar.classList.remove("refused");
    void bar.offsetWidth; // So that the same movement can start again.
    bar.classList.add("refused");
    this.mention(message);
  },

  /** Something that is over as soon as one goes on. */
  mention(message) {
    this.passing = message;
    clearTimeout(this.alertTimer);
    this.alertTimer = setTimeout(() => this.calm(), REFUSAL_MS);
    this.drawAlert();
    this.say(message);
  },

  /** Something that stays until it is read. */
  alert(message) {
    this.lasting = message;
    this.drawAlert();
    this.say(message);
  },

  calm() {
    clearTimeout(this.alertTimer);
    if (this.passing === null) return;
    this.passing = null;
    this.drawAlert();
  },

  dismiss() {
    if (this.passing === null) this.lasting = null;
    this.passing = null;
    this.drawAlert();
  },

  drawAlert() {
    const text = this.passing ?? this.lasting;
    const { part } = this;
    if (text === null && part.alert.contains(this.root.activeElement)) this.room.focus({ preventScroll: true });
    part.alert.hidden = text === null;
    part.alert.title = text ?? "";
    setText(part["alert-text"], text ?? "");
  },

  say(message) {
    setText(this.part.live, message);
  },
};
