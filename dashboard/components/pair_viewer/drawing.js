// How the room is drawn. Elements stay; only what they hold changes, so that nothing jumps.

const DRAWING = {
  draw(again = false) {
    const item = this.feed.item;
    if (item && (again || this.drawn !== item)) this.drawItem(item, item);
    else if (!item) this.drawNothing();
    this.drawHead();
  },

  drawItem(item, base) {
    const changed = !this.shown || this.shown.first !== item.first || this.shown.second !== item.second;
    this.drawn = base;
    this.shown = item;
    const { part, room } = this;
    part.placard.hidden = true;
    room.dataset.position = String(base.position);
    room.dataset.prediction = String(item.prediction);
    setLongText(part.caption, item.prompt);
    this.keepCaptionRoom();
    const medium = item.kind === "video" ? "Video" : "Image";
    part["name-first"].textContent = medium + " 1";
    part["name-second"].textContent = medium + " 2";
    const closed = this.closed(base) || this.closed({ ...item, mine: base.mine });
    // The order is part of what is hidden: many datasets keep the better one first.
    this.drawOrder(closed ? null : item.order, medium);
    if (changed) this.drawMedia(item);
    const card = part.card;
    card.classList.remove("accepted", "rejected", "flagged");
    part.verdict.replaceChildren(...(item === base ? [] : [this.wayBack(item, closed)]));
    if (closed) {
      part.verdict.append(this.closedCard(item, base));
      part.reasoning.replaceChildren(makeElement("span", "dim", "The reasoning opens with your choice."));
      this.reveal(base);
    } else {
      const stands = standing(item, this.data.person);
      if (this.opened(base)) base.seen = true;
      card.classList.add(stands.ruling === "flag" ? "flagged" : stands.effective);
      drawVerdict(part.verdict, item, stands, this.data.person);
      drawReasoning(part.reasoning, item, () => this.showWhole());
    }
    this.drawTabs(item, base);
    this.drawOwnRuling(base);
    const draft = this.writtenFor(base);
    // A redraw while somebody writes must not move their cursor.
    if (part.note.value !== draft.note) part.note.value = draft.note;
    const tags = draft.tags.join(", ");
    if (this.root.activeElement !== part.tags || changed) part.tags.value = tags;
    this.keepPlace(base.position);
  },

  /** Above the media, in words: which of the dataset's two is the first one here. */
  drawOrder(order, medium) {
    const { part } = this;
    part["say-first"].textContent = order ? orderWords(order) : "";
    part["say-second"].textContent = "";
    const [one, two] = datasetSides(order);
    part["say-first"].title = order ? `${medium} 1 is the ${one} of the dataset, ${medium} 2 the ${two}` : "";
  },

  /** On another sample than the one to rule on: which it is, and the way back by mouse. */
  wayBack(item, closed) {
    const line = makeElement("div", "wayback");
    const back = makeElement("button", "", "Back");
    back.type = "button";
    back.dataset.act = "escape";
    back.setAttribute("aria-label", "Back to the sample to rule on");
    back.append(makeElement("kbd", "", "Esc"));
    line.append(makeElement("span", "", closed ? "another sample" : `sample ${item.sample + 1}, ${orderWords(item.order)}`), back);
    return line;
  },

  /** Room for the longest caption so far: the media do not move from pair to pair. */
  keepCaptionRoom() {
    const { caption } = this.part;
    const needed = Math.min(72, caption.scrollHeight);
    if (needed > (this.captionRoom || 0)) caption.style.minHeight = (this.captionRoom = needed) + "px";
  },

  closedCard(item, base) {
    const card = makeElement("div", "closed");
    if (item !== base) {
      card.append(makeElement("b", "", "Still to be judged by you"), makeElement("span", "dim", "This one waits in the queue as well"));
      return card;
    }
    if (base.mine) {
      card.append(makeElement("b", "", "Opening"), makeElement("span", "dim", "The verdict comes as soon as your ruling is stored"));
      return card;
    }
    const keys = ["first", "second", "tie"].map((name) => keyName(this.keys.byAction.get(name)));
    card.append(makeElement("b", "", "Choose first"), makeElement("span", "dim", `${keys[0]} first, ${keys[1]} second, ${keys[2]} tie`));
    if (item.seen) card.append(makeElement("span", "dim", "You have seen this verdict: what you choose now is marked so, and audits keep your first choice"));
    if (item.held_by) card.append(makeElement("span", "dim", `This one waits for you in the blind queue ${item.held_by}`));
    return card;
  },

  /** What one has said about the pair, and the ways on from there. */
  drawOwnRuling(item) {
    const { own } = this.part;
    if (this.changing === item) {
      own.replaceChildren(makeElement("b", "", "Changing your mind"),
        makeElement("span", "dim", ": press what you think now, Esc keeps what you said. It counts for the set; audits keep your blind choice."));
      return;
    }
    drawOwn(own, item, this.opened(item));
    if (!this.opened(item) || this.shown !== item) return;
    const ways = makeElement("div", "ways");
    for (const [act, name, key] of [["next", "Next pair", "Enter"], ["change", "Change", keyName(this.keys.byAction.get("change"))]]) {
      if (act === "change" && item.withheld) continue;
      const button = makeElement("button", "", name);
      button.type = "button";
      button.dataset.act = act;
      if (key !== NO_KEY) button.append(makeElement("kbd", "", key));
      ways.append(button);
    }
    own.append(ways);
  },

  drawMedia(item) {
    this.zoom.reset();
    for (const name of ["flipped", "difference"]) this.part.stage.classList.remove(name);
    this.part.flip.setAttribute("aria-pressed", "false");
    this.part.difference.setAttribute("aria-pressed", "false");
    this.transport.detach();
    const elements = ["first", "second"].map((side) => {
      const url = item[side];
      const element = this.feed.element(url, item.kind);
      const holder = this.part["pane-" + side].querySelector(".zoom");
      const words_ = sideName(item, side);
      if (item.kind === "video") element.setAttribute("aria-label", words_); else element.alt = words_;
      holder.replaceChildren(element);
      element.onerror = () => this.drawBroken(holder, element, url);
      if (element.error || (element.complete && element.naturalWidth === 0 && element.currentSrc)) this.drawBroken(holder, element, url);
      return element;
    });
    this.part.transport.hidden = item.kind !== "video";
    if (item.kind === "video") this.transport.attach(elements);
  },

  /** A placard with the reason, in the place of a medium that cannot be shown. */
  async drawBroken(holder, element, url) {
    if (holder.querySelector(".broken")) return;
    const placard = makeElement("div", "broken");
    placard.append(makeElement("b", "", "This medium cannot be shown"));
    holder.replaceChildren(element, placard);
    let reason = { message: "the browser cannot decode it", hint: "" };
    try {
      const answer = await fetch(url, { headers: { Range: "bytes=0-0" } });
      if (!answer.ok) reason = await answer.json();
    } catch { /* The placard says what is known. */ }
    for (const line of [reason.message, reason.hint]) {
      if (!line) continue;
      const words_ = makeElement("span", "dim");
      appendText(words_, String(line));
      placard.append(words_);
    }
  },

  drawHeld(video, held) {
    const holder = video.parentElement;
    if (!holder) return;
    const mark = holder.querySelector(".held");
    if (held && !mark) holder.append(makeElement("span", "held", "ended, last frame"));
    else if (!held && mark) mark.remove();
  },

  drawNothing() {
    this.transport.detach();
    this.shown = this.drawn = null;
    delete this.room.dataset.position;
    delete this.room.dataset.prediction;
    const { part, feed, progress } = this;
    for (const name of ["caption", "verdict", "own", "reasoning", "say-first", "say-second"]) part[name].replaceChildren();
    this.drawTabs(null, null);
    part.note.value = part.tags.value = "";
    part.placard.hidden = false;
    let title = "Loading the next pair";
    let more = "";
    if (feed.trouble) {
      title = "The next pair could not be loaded";
      more = `${feed.trouble.message}. Asking again${feed.trouble.hint ? "; " + feed.trouble.hint : ""}.`;
    } else if (feed.atEnd && progress) {
      const left = progress.items - progress.done - this.outbox.pending.length;
      if (left <= 0) {
        title = `All ${progress.items} pairs are reviewed`;
        more = "Choose another queue above, or go back with " + keyName(this.keys.byAction.get("previous")) + ".";
      } else {
        title = "Nothing left for you right now";
        more = progress.held ? `${progress.held} are with other reviewers; this page asks again.` : `${left} wait for another reviewer.`;
      }
    }
    part.placard.replaceChildren(makeElement("b", "", title), makeElement("small", "", more));
  },

  drawHead() {
    const { part, progress, queue } = this;
    part.title.textContent = queue.title;
    part.title.title = part.title.textContent;
    const place = this.feed.item ? `no. ${this.feed.item.position + 1}` : "";
    part.counts.textContent = progress ? [place, `${progress.done} of ${progress.items} done`].filter(Boolean).join(" · ") : place;
    if (this.stats) {
      const audit = this.stats;
      const parts = this.showsFigures() ? headFigures(audit, queue.kind) : [];
      if (audit.pace_s && progress && progress.items > progress.done) parts.push(duration(audit.pace_s * (progress.items - progress.done)) + " left");
      part.figures.textContent = parts.join(" · ");
      part.figures.title = audit.why ?? "";
      if (progress) drawAudit(part["audit-body"], progress, this.showsFigures() ? audit : { pace_s: audit.pace_s, why: "Figures are hidden while you review blind." });
    }
    this.drawMark();
  },

  /** Whoever chose to review blind sees no figures; what a blind queue may show, the server knows. */
  showsFigures() {
    return this.queue.blind || !this.blind;
  },

  drawMark() {
    const waiting = this.outbox.pending.length;
    const written = this.drafts.size;
    const trouble = this.outbox.trouble;
    const mark = this.part.mark;
    const parts = [];
    if (waiting) parts.push(trouble ? `${waiting} not stored: ${trouble.message}${trouble.status === 403 ? ", reload the page" : ""}` : `${waiting} on the way`);
    if (written) parts.push(written === 1 ? "1 note not stored" : `${written} notes not stored`);
    const text = parts.join(" · ") || "stored";
    if (mark.textContent !== text) mark.textContent = text;
    mark.className = "mark" + (waiting && trouble ? " stuck" : waiting || written ? " waiting" : "");
    const places = [...this.drafts.keys()].slice(0, 20).map((position) => position + 1);
    mark.title = written ? `Written for no. ${places.join(", ")}; a note is stored with the ruling on its pair` : "";
    this.room.dataset.pending = String(waiting);
  },

  drawFixed() {
    for (const button of this.root.querySelectorAll("[data-act]")) {
      const action = button.dataset.act;
      const key = this.keys.byAction.get(action);
      if (!key) continue;
      const name = ACTIONS.find(([id]) => id === action)[2];
      if (key === NO_KEY) { button.setAttribute("aria-label", name); button.title = name; button.querySelector("kbd")?.remove(); continue; }
      button.setAttribute("aria-label", name);
      button.title = `${name} (${keyName(key)})`;
      button.setAttribute("aria-keyshortcuts", key === " " ? "Space" : key);
      if (button.closest(".bar")) {
        button.querySelector("kbd")?.remove();
        button.append(makeElement("kbd", "", keyName(key)));
      }
    }
    for (const hint of this.root.querySelectorAll("[data-key]")) hint.textContent = keyName(this.keys.byAction.get(hint.dataset.key));
    this.part.blind.setAttribute("aria-pressed", String(this.blind));
    this.part.play.setAttribute("aria-label", "");
  },

  /** Keep the place in the URL; the tab's own storage is right between two of these. */
  keepPlace(position) {
    try {
      const inUrl = Number(new URL(location.href).searchParams.get("at") || 0);
      sessionStorage.setItem(this.placeName, JSON.stringify({ position, inUrl }));
    } catch { /* The URL alone is a moment late. */ }
    clearTimeout(this.placeTimer);
    this.placeTimer = setTimeout(() => {
      const here = new URL(location.href);
      if (here.searchParams.get("queue") !== String(this.queue.id)) return;
      here.searchParams.set("at", String(position));
      history.replaceState(history.state, "", here);
    }, 250);
  },

  /** Where to open: what the URL says, unless the last pairs went by faster than it was written. */
  place(at) {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.placeName));
      if (kept && kept.inUrl === at && Number.isInteger(kept.position)) return kept.position;
    } catch { /* A new tab. */ }
    return at;
  },

  flash(ruling) {
    const name = "flash-" + ruling;
    const { card } = this.part;
    card.classList.remove(...[...card.classList].filter((one) => one.startsWith("flash-")));
    card.classList.add(name);
    clearTimeout(this.flashTimer);
    this.flashTimer = setTimeout(() => card.classList.remove(name), FLASH_MS);
  },
};
