// The room as a whole: what is on the screen, what a key does to it.

const FLASH_MS = 150;
const STATS_EVERY_MS = 60000;
const BOTTOM_PX = 16;
const ZOOM_STEP = 1.5;

class Viewer {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.queue = data.queue;
    this.room = root.querySelector(".room");
    this.part = {};
    for (const element of root.querySelectorAll("[data-id]")) this.part[element.dataset.id] = element;
    this.blind = data.queue.blind || data.blind;
    this.draftsName = `winnow.drafts.${data.workspace}.${data.person}.${this.queue.id}`;
    this.drafts = this.loadDrafts();
    this.passing = this.lasting = null; // what the alert says
    this.changing = null; // the pair about which one is changing one's mind
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
    this.keys = new Keys(data.keys, (action, detail) => this.act(action, false, detail));
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
      if (!button) return;
      const { act } = button.dataset;
      this.act(act, true);
      // The next key is meant for the room, not for a field that was left by mouse.
      if (!["note", "tag"].includes(act) && this.writing()) this.room.focus({ preventScroll: true });
    });
    // A click leaves the focus where it was: the next key must not press the button again.
    on(this.root, "mousedown", (event) => { if (event.target.closest("button")) event.preventDefault(); });
    on(window, "resize", () => this.size());
    on(this.part.tabs, "keydown", (event) => this.tabKey(event));
    on(window, "beforeunload", (event) => {
      if (!this.outbox.pending.length && !this.drafts.size) return;
      event.preventDefault();
      event.returnValue = "";
    });
    on(window, "pagehide", () => { this.left = true; this.leave(); });
    // How long the claims last depends on it. A page that is left comes here last.
    on(document, "visibilitychange", () => { if (!this.left) this.askStats(); });
    on(window, "online", () => this.outbox.hurry());
    for (const field of [this.part.note, this.part.tags]) {
      on(field, "input", () => this.keepDraft());
      on(field, "blur", (event) => this.fieldLeft(event));
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
    this.storeDraft();
    if (!this.feed.expires) return;
    callServer(this.outbox.token, `${this.queue.id}/release`, { before: this.feed.expires }, { keepalive: true, signal: undefined })
      .catch(() => {}); // The claims run out by themselves.
  }

  /** Exactly as high as the page leaves room for, less what stands below us there. */
  size() {
    let top = this.room.getBoundingClientRect().top;
    let below = 0;
    for (let box = this.room.getRootNode().host; box; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (["auto", "scroll"].includes(style.overflowY)) { top += box.scrollTop; break; }
      for (const name of ["paddingBottom", "borderBottomWidth", "marginBottom"]) below += parseFloat(style[name]) || 0;
    }
    // The page's own margin at the bottom is more than the media can spare.
    const spare = Math.max(0, Math.floor(below) - BOTTOM_PX);
    this.room.style.marginBottom = -spare + "px";
    this.room.style.setProperty("--room", Math.max(560, Math.floor(window.innerHeight - Math.max(0, top) - Math.max(BOTTOM_PX, below) + spare)) + "px");
    this.captionRoom = 0;
    this.part.caption.style.minHeight = "";
    this.keepCaptionRoom();
    this.zoom.apply();
  }

  /* Actions */

  act(action, byMouse = false, detail = null) {
    if (action === "dismiss") return this.dismiss();
    this.calm();
    if (action === "escape") return this.escape();
    if (action === "go_on") { if (this.shown?.mine && this.opened(this.shown)) this.go(1); return; }
    if (["accept", "reject", "flag"].includes(action)) return this.rule({ ruling: action });
    if (["first", "second", "tie"].includes(action)) return this.rule({ ruling: "relabel", relabel: action });
    const simple = {
      undo: () => this.undo(), change: () => this.change(), next: () => this.go(1), previous: () => this.go(-1),
      jump: () => this.openJump(), help: () => this.openHelp(), blind: () => this.toggleBlind(),
      note: () => this.enterField(this.part.note), tag: () => this.enterField(this.part.tags),
      reasoning: () => { this.part.reasoning.focus(); },
      flip: () => this.toggleStage("flip", "flipped"), difference: () => this.toggleStage("difference", "difference"),
      zoom_in: () => this.zoomBy(ZOOM_STEP), zoom_out: () => this.zoomBy(1 / ZOOM_STEP), zoom_reset: () => this.zoomBy(0),
      pan: () => (this.zoom.scale > 1 ? this.zoom.pan(...detail) : this.refuse("Zoom in first; then Shift and the arrows move the media")),
    };
    if (simple[action]) return simple[action]();
    if (this.shown?.kind !== "video") return byMouse ? undefined : this.refuse("This pair has no video");
    const film = {
      play: () => this.transport.toggle(), frame_back: () => this.transport.step(-1), frame_forward: () => this.transport.step(1),
      slower: () => this.transport.setSpeed(-1), faster: () => this.transport.setSpeed(1),
      loop: () => this.transport.setLoop(!this.transport.loop),
    };
    film[action]?.();
    const { transport } = this;
    const heard = { slower: `Speed ${transport.speed}`, faster: `Speed ${transport.speed}`, loop: `Loop ${transport.loop ? "on" : "off"}`,
                    play: transport.playing ? "Playing" : "Paused" };
    this.say(heard[action] ?? `At ${transport.time.toFixed(2)} s`);
  }

  zoomBy(factor) {
    if (factor) this.zoom.zoomBy(factor);
    else this.zoom.reset();
    this.say("Zoom " + this.part.zoom.textContent);
  }

  toggleStage(button, name) {
    const on = this.part.stage.classList.toggle(name);
    this.part[button].setAttribute("aria-pressed", String(on));
    this.say(button + (on ? " on" : " off"));
    this.zoom.apply();
  }

  escape() {
    if (!this.part.veil.hidden) return this.closeVeil();
    const changing = this.changing !== null;
    this.changing = null;
    if (changing || this.shown !== this.feed.item) this.draw(true);
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
