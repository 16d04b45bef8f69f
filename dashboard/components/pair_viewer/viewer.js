// The room as a whole: what is on the screen, what a key does to it.

const FLASH_MS = 150;
const STATS_EVERY_MS = 60000;

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

  toggleStage(button, name) {
    const on = this.part.stage.classList.toggle(name);
    this.part[button].setAttribute("aria-pressed", String(on));
    this.say(button + (on ? " on" : " off"));
    this.zoom.apply();
  }

  escape() {
    if (!this.part.veil.hidden) return this.closeVeil();
    if (this.shown !== this.feed.item) this.draw(true);
    this.room.focus({ preventScroll: true });
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
