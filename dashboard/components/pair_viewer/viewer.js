// The room as a whole: what is on the screen, what a key does to it.

const FLASH_MS = 150;
const STATS_EVERY_MS = 60000;
const STATS_SOONEST_MS = 2500;
const HISTORY_KEPT = 200;

class Viewer {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.queue = data.queue;
    this.room = root.querySelector(".room");
    this.part = {};
    for (const element of root.querySelectorAll("[data-id]")) this.part[element.dataset.id] = element;
    this.blind = data.queue.blind || data.blind;
    this.drafts = new Map();
    this.shown = null; // what is drawn: the item, or another sample of its pair
    this.drawn = null;
    this.stats = null;
    this.statsAt = 0;
    this.historyName = `winnow.history.${data.workspace}.${data.person}.${this.queue.id}`;
    this.placeName = `winnow.place.${data.workspace}.${data.person}.${this.queue.id}`;
    this.history = this.loadHistory();
    this.outbox = new Outbox(data.workspace, data.person, data.token, () => this.drawMark(), (answer, sent) => this.answered(answer, sent));
    this.feed = new Feed(this.queue, data.token, this.outbox, (answer) => this.itemsCame(answer));
    this.zoom = new Zoom([...root.querySelectorAll(".frame")], (scale) => { this.part.zoom.textContent = Math.round(scale * 100) + " %"; });
    const { scrub, time, play, speed, loop } = this.part;
    this.transport = new Transport({ scrub, time, play, speed, loop }, (video, held) => this.drawHeld(video, held));
    this.keys = new Keys(data.keys, (action) => this.act(action));
    this.keys.paused = (key) => this.veilKey(key);
    this.listen();
    this.drawFixed();
    this.size();
    // What an earlier page left behind goes first, so that the server knows what is done.
    Promise.race([this.outbox.send(), new Promise((go) => setTimeout(go, 2000))]).then(() => {
      this.feed.open(this.place(data.at));
      this.askStats();
    });
    this.room.focus({ preventScroll: true });
  }

  listen() {
    this.on = [];
    const on = (target, name, handler, options) => {
      target.addEventListener(name, handler, options);
      this.on.push(() => target.removeEventListener(name, handler, options));
    };
    on(this.root, "click", (event) => {
      const button = event.target.closest("[data-act]");
      if (button) this.act(button.dataset.act, true);
    });
    // A click leaves the focus where it was: the next key must not press the button again.
    on(this.root, "mousedown", (event) => { if (event.target.closest("button")) event.preventDefault(); });
    on(window, "resize", () => this.size());
    on(window, "beforeunload", (event) => { if (this.outbox.pending.length) { event.preventDefault(); event.returnValue = ""; } });
    on(window, "pagehide", () => this.leave());
    on(window, "online", () => this.outbox.hurry());
    for (const field of [this.part.note, this.part.tags]) {
      on(field, "input", () => this.keepDraft());
      on(field, "keydown", (event) => this.fieldKey(event, field));
    }
    this.timer = setInterval(() => { if (!document.hidden) this.askStats(); }, STATS_EVERY_MS);
  }

  close() {
    for (const off of this.on) off();
    clearTimeout(this.placeTimer);
    clearTimeout(this.alertTimer);
    clearInterval(this.timer);
    clearTimeout(this.statsTimer);
    this.leave();
    this.keys.close();
    this.outbox.close();
    this.feed.close();
    this.transport.close();
  }

  leave() {
    if (!this.feed.expires) return;
    callServer(this.outbox.token, `${this.queue.id}/release`, { before: this.feed.expires }, { keepalive: true, signal: undefined })
      .catch(() => {}); // The claims run out by themselves.
  }

  size() {
    const top = this.room.getBoundingClientRect().top + (document.scrollingElement?.scrollTop || 0);
    this.room.style.setProperty("--room", Math.max(560, window.innerHeight - Math.max(0, top) - 16) + "px");
    this.zoom.apply();
  }

  /* Actions */

  act(action, byMouse = false) {
    if (action === "escape") return this.escape();
    if (action === "go_on") { if (this.shown?.mine && this.blind) this.go(1); return; }
    if (["accept", "reject", "flag"].includes(action)) return this.rule({ ruling: action });
    if (["first", "second", "tie"].includes(action)) return this.rule({ ruling: "relabel", relabel: action });
    const simple = {
      undo: () => this.undo(), next: () => this.go(1), previous: () => this.go(-1),
      jump: () => this.openJump(), help: () => this.openHelp(), blind: () => this.toggleBlind(),
      note: () => this.enterField(this.part.note), tag: () => this.enterField(this.part.tags),
      reasoning: () => { this.part.reasoning.focus(); },
      flip: () => this.toggleStage("flip", "flipped"), difference: () => this.toggleStage("difference", "difference"),
      zoom_reset: () => this.zoom.reset(), dismiss: () => { this.part.alert.hidden = true; },
      go_on_blind: () => this.go(1),
    };
    if (simple[action]) return simple[action]();
    if (this.shown?.kind !== "video") return byMouse ? undefined : this.refuse("This pair has no video");
    const film = {
      play: () => this.transport.toggle(), frame_back: () => this.transport.step(-1), frame_forward: () => this.transport.step(1),
      slower: () => this.transport.setSpeed(-1), faster: () => this.transport.setSpeed(1),
      loop: () => this.transport.setLoop(!this.transport.loop),
    };
    film[action]?.();
  }

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
  }

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
  }

  async go(step) {
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
    this.draw();
  }

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
  }

  async showWhole() {
    const shown = this.shown;
    try {
      const whole = await callServer(this.outbox.token, `${this.queue.id}/predictions/${shown.prediction}`);
      Object.assign(shown, { pieces: whole.pieces, prompt: whole.prompt, cut: false });
      if (this.shown === shown) { drawReasoning(this.part.reasoning, shown, () => {}); setLongText(this.part.caption, shown.prompt); }
    } catch (error) {
      this.refuse(error.message);
    }
  }

  toggleStage(button, name) {
    const on = this.part.stage.classList.toggle(name);
    this.part[button].setAttribute("aria-pressed", String(on));
    this.say(button + (on ? " on" : " off"));
    this.zoom.apply();
  }

  toggleBlind() {
    if (this.queue.blind) return this.refuse("This queue is blind for everybody");
    this.blind = !this.blind;
    this.drawFixed();
    this.draw(true);
    this.keepSettings();
    this.say("Blind " + (this.blind ? "on" : "off"));
  }

  /** Before the choice. In a blind queue the server has not sent what is hidden; whoever chose to
   *  review blind (B) has it in this browser, and hides it from their own eyes only. */
  hidden(item) {
    return this.blind && !item.mine;
  }

  closed(item) {
    return this.hidden(item) || Boolean(item.withheld);
  }

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
  }

  escape() {
    if (!this.part.veil.hidden) return this.closeVeil();
    if (this.shown !== this.feed.item) this.draw(true);
    this.room.focus({ preventScroll: true });
  }

  /* Notes and tags */

  enterField(field) {
    if (!this.feed.item) return this.refuse("No pair on the screen yet");
    field.focus();
    field.select();
  }

  keepDraft() {
    const item = this.feed.item;
    if (!item) return;
    const tags = [...new Set(this.part.tags.value.split(",").map((tag) => tag.trim().slice(0, 60)).filter(Boolean))].slice(0, 20);
    this.drafts.set(item.position, { note: this.part.note.value, tags });
  }

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
  }

  /* Answers of the server */

  itemsCame(answer) {
    if (answer?.progress) this.progress = answer.progress;
    if (this.drawn !== (this.feed.item || null) || !this.feed.item) this.draw();
    this.drawHead();
  }

  answered(answer, sent) {
    const progress = answer.progress[String(this.queue.id)];
    if (progress) this.progress = progress;
    for (const { token, message, hint } of answer.refused) {
      const ruling = sent.find((one) => one.token === token);
      this.alert(`Not stored, pair ${ruling.position + 1}: ${message}${hint ? " (" + hint + ")" : ""}`);
      this.history = this.history.filter((one) => one.token !== token);
      const item = this.feed.items.find((one) => one.mine?.token === token);
      if (item) item.mine = null;
      this.keepHistory();
    }
    if (this.drawn) this.reveal(this.drawn);
    this.drawHead();
    clearTimeout(this.statsTimer);
    this.statsTimer = setTimeout(() => this.askStats(), Math.max(400, this.statsAt + STATS_SOONEST_MS - Date.now()));
  }

  async askStats() {
    this.statsAt = Date.now();
    try {
      const answer = await callServer(this.outbox.token, `${this.queue.id}/stats`);
      this.stats = answer.audit;
      this.progress = answer.progress;
      this.feed.expires = Math.max(this.feed.expires, answer.expires_at);
      this.drawHead();
    } catch { /* The outbox says so when the server is away. */ }
  }

  keepSettings() {
    callServer(this.outbox.token, "settings", { keys: this.keys.own, blind: this.blind && !this.queue.blind })
      .catch((error) => this.alert(`Your settings could not be kept: ${error.message}`));
  }

  loadHistory() {
    try { return JSON.parse(sessionStorage.getItem(this.historyName)) || []; } catch { return []; }
  }

  remember(entry) {
    this.history.push(entry);
    if (this.history.length > HISTORY_KEPT) this.history.shift();
    this.keepHistory();
  }

  keepHistory() {
    try { sessionStorage.setItem(this.historyName, JSON.stringify(this.history)); } catch { /* Only undo after a reload needs it. */ }
  }
}

/** Streamlit calls this at every run of the page; the room itself lives on. */
export default function (component) {
  const { parentElement, data } = component;
  const room = parentElement.querySelector(".room");
  let viewer = room.viewer;
  if (viewer && (viewer.queue.id !== data.queue.id || viewer.data.person !== data.person)) {
    viewer.close();
    viewer = null;
  }
  if (viewer) {
    clearTimeout(viewer.closing);
    viewer.outbox.token = viewer.feed.token = data.token;
  } else {
    viewer = room.viewer = new Viewer(parentElement, data);
  }
  return () => {
    viewer.closing = setTimeout(() => { viewer.close(); room.viewer = null; }, 300);
  };
}
