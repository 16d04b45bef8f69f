// @ts-check
// How the room is drawn. Elements stay; only what they hold changes, so that nothing jumps.

/** @import { Item, Order } from "../types" */
/** @import { Viewer } from "./viewer.js" */
import { find, makeElement, refusal } from "../elements.js";
import { drawAudit, drawOwn, drawReasoning, drawVerdict, headFigures } from "./card.js";
import { NO_KEY, actionName, keyName } from "./keys.js";
import { keep, recall } from "./kept.js";
import { showWhole } from "./moving.js";
import { writtenFor } from "./notes.js";
import { isClosed, isOpened, reveal } from "./ruling.js";
import { SIDES, datasetSides, orderWords, sideName, standing } from "./standing.js";
import { drawTabs } from "./tabs.js";
import { appendText, duration, setLongText } from "./text.js";

const FLASH_MS = 150;

/** @param {Viewer} viewer */
export function draw(viewer, again = false) {
  const item = viewer.feed.item;
  if (item && (again || viewer.drawn !== item)) drawItem(viewer, item, item);
  else if (!item) drawNothing(viewer);
  drawHead(viewer);
}

/** @param {Viewer} viewer @param {Item} item @param {Item} base */
export function drawItem(viewer, item, base) {
  const changed = !viewer.shown || viewer.shown.first !== item.first || viewer.shown.second !== item.second;
  viewer.drawn = base;
  viewer.shown = item;
  const { part, room } = viewer;
  part.placard.hidden = true;
  room.dataset.position = String(base.position);
  room.dataset.prediction = String(item.prediction);
  setLongText(part.caption, item.prompt);
  keepCaptionRoom(viewer);
  const medium = item.kind === "video" ? "Video" : "Image";
  part["name-first"].textContent = medium + " 1";
  part["name-second"].textContent = medium + " 2";
  const closed = isClosed(viewer, base) || isClosed(viewer, { ...item, mine: base.mine });
  // The order is part of what is hidden: many datasets keep the better one first.
  drawOrder(viewer, closed ? null : item.order, medium);
  if (changed) drawMedia(viewer, item);
  const card = part.card;
  card.classList.remove("accepted", "rejected", "flagged");
  part.verdict.replaceChildren(...(item === base ? [] : [wayBack(viewer, item, closed)]));
  if (closed) {
    part.verdict.append(closedCard(viewer, item, base));
    part.reasoning.replaceChildren(makeElement("span", "dim", "The reasoning opens with your choice."));
    reveal(viewer, base);
  } else {
    const stands = standing(item, viewer.data.person);
    if (isOpened(viewer, base)) base.seen = true;
    card.classList.add(stands.ruling === "flag" ? "flagged" : stands.effective);
    drawVerdict(part.verdict, item, stands, viewer.data.person);
    drawReasoning(part.reasoning, item, () => showWhole(viewer));
  }
  drawTabs(viewer, item, base);
  drawOwnRuling(viewer, base);
  const draft = writtenFor(viewer, base);
  // A redraw while somebody writes must not move their cursor.
  if (part.note.value !== draft.note) part.note.value = draft.note;
  const tags = draft.tags.join(", ");
  if (viewer.root.activeElement !== part.tags || changed) part.tags.value = tags;
  keepPlace(viewer, base.position);
}

/** Above the media, in words: which of the dataset's two is the first one here.
 *  @param {Viewer} viewer @param {Order | null} order @param {string} medium */
function drawOrder(viewer, order, medium) {
  const { part } = viewer;
  part["say-first"].textContent = order ? orderWords(order) : "";
  part["say-second"].textContent = "";
  const [one, two] = datasetSides(order);
  part["say-first"].title = order ? `${medium} 1 is the ${one} of the dataset, ${medium} 2 the ${two}` : "";
}

/** On another sample than the one to rule on: which it is, and the way back by mouse.
 *  @param {Viewer} viewer @param {Item} item @param {boolean} closed */
function wayBack(viewer, item, closed) {
  const line = makeElement("div", "wayback");
  const back = makeElement("button", "", "Back");
  back.type = "button";
  back.dataset.act = "escape";
  back.setAttribute("aria-label", "Back to the sample to rule on");
  back.append(makeElement("kbd", "", "Esc"));
  line.append(makeElement("span", "", closed ? "another sample" : `sample ${item.sample + 1}, ${orderWords(item.order)}`), back);
  return line;
}

/** Room for the longest caption so far: the media do not move from pair to pair.
 *  @param {Viewer} viewer */
export function keepCaptionRoom(viewer) {
  const { caption } = viewer.part;
  const needed = Math.min(72, caption.scrollHeight);
  if (needed > viewer.captionRoom) caption.style.minHeight = (viewer.captionRoom = needed) + "px";
}

/** @param {Viewer} viewer @param {Item} item @param {Item} base */
function closedCard(viewer, item, base) {
  const card = makeElement("div", "closed");
  if (item !== base) {
    card.append(makeElement("b", "", "Still to be judged by you"), makeElement("span", "dim", "This one waits in the queue as well"));
    return card;
  }
  if (base.mine) {
    card.append(makeElement("b", "", "Opening"), makeElement("span", "dim", "The verdict comes as soon as your ruling is stored"));
    return card;
  }
  const keys = ["first", "second", "tie"].map((name) => viewer.keys.name(name));
  card.append(makeElement("b", "", "Choose first"), makeElement("span", "dim", `${keys[0]} first, ${keys[1]} second, ${keys[2]} tie`));
  if (item.seen) card.append(makeElement("span", "dim", "You have seen this verdict: what you choose now is marked so, and audits keep your first choice"));
  if (item.held_by) card.append(makeElement("span", "dim", `This one waits for you in the blind queue ${item.held_by}`));
  return card;
}

/** What one has said about the pair, and the ways on from there.
 *  @param {Viewer} viewer @param {Item} item */
export function drawOwnRuling(viewer, item) {
  const { own } = viewer.part;
  if (viewer.changing === item) {
    own.replaceChildren(makeElement("b", "", "Changing your mind"),
      makeElement("span", "dim", ": press what you think now, Esc keeps what you said. It counts for the set; audits keep your blind choice."));
    return;
  }
  drawOwn(own, item, isOpened(viewer, item));
  if (!isOpened(viewer, item) || viewer.shown !== item) return;
  const ways = makeElement("div", "ways");
  for (const [act, name, key] of [["next", "Next pair", "Enter"], ["change", "Change", viewer.keys.name("change")]]) {
    if (act === "change" && item.withheld) continue;
    const button = makeElement("button", "", name);
    button.type = "button";
    button.dataset.act = act;
    if (key !== NO_KEY) button.append(makeElement("kbd", "", key));
    ways.append(button);
  }
  own.append(ways);
}

/** @param {Viewer} viewer @param {Item} item */
function drawMedia(viewer, item) {
  viewer.zoom.reset();
  for (const name of ["flipped", "difference"]) viewer.part.stage.classList.remove(name);
  viewer.part.flip.setAttribute("aria-pressed", "false");
  viewer.part.difference.setAttribute("aria-pressed", "false");
  viewer.transport.detach();
  const elements = SIDES.map((side) => {
    const url = item[side];
    const element = viewer.feed.element(url, item.kind);
    const holder = find(viewer.part["pane-" + side], ".zoom");
    const video = element instanceof HTMLVideoElement;
    if (video) element.setAttribute("aria-label", sideName(item, side)); else element.alt = sideName(item, side);
    holder.replaceChildren(element);
    element.onerror = () => drawBroken(holder, element, url);
    if (video ? element.error : element.complete && element.naturalWidth === 0 && element.currentSrc) drawBroken(holder, element, url);
    return element;
  });
  viewer.part.transport.hidden = item.kind !== "video";
  if (item.kind === "video") viewer.transport.attach(elements.filter((one) => one instanceof HTMLVideoElement));
}

/** A placard with the reason, in the place of a medium that cannot be shown.
 *  @param {HTMLElement} holder @param {HTMLImageElement | HTMLVideoElement} element @param {string} url */
async function drawBroken(holder, element, url) {
  if (holder.querySelector(".broken")) return;
  const placard = makeElement("div", "broken");
  placard.append(makeElement("b", "", "This medium cannot be shown"));
  holder.replaceChildren(element, placard);
  const reason = (await refusal(url, { headers: { Range: "bytes=0-0" } })) ?? { message: "the browser cannot decode it" };
  for (const line of [reason.message, reason.hint]) {
    if (!line) continue;
    const shown = makeElement("span", "dim");
    appendText(shown, String(line));
    placard.append(shown);
  }
}

/** @param {Viewer} viewer @param {HTMLVideoElement} video @param {boolean} held */
export function drawHeld(viewer, video, held) {
  const holder = video.parentElement;
  if (!holder) return;
  const mark = holder.querySelector(".held");
  if (held && !mark) holder.append(makeElement("span", "held", "ended, last frame"));
  else if (!held && mark) mark.remove();
}

/** @param {Viewer} viewer */
function drawNothing(viewer) {
  viewer.transport.detach();
  viewer.shown = viewer.drawn = null;
  delete viewer.room.dataset.position;
  delete viewer.room.dataset.prediction;
  const { part, feed, progress } = viewer;
  for (const name of ["caption", "verdict", "own", "reasoning", "say-first", "say-second"]) part[name].replaceChildren();
  drawTabs(viewer, null, null);
  part.note.value = part.tags.value = "";
  part.placard.hidden = false;
  let title = "Loading the next pair";
  let more = "";
  if (feed.trouble) {
    title = "The next pair could not be loaded";
    more = `${feed.trouble.message}. Asking again${feed.trouble.hint ? "; " + feed.trouble.hint : ""}.`;
  } else if (feed.atEnd && progress) {
    const left = progress.items - progress.done - viewer.outbox.pending.length;
    if (left <= 0) {
      title = `All ${progress.items} pairs are reviewed`;
      more = "Choose another queue above, or go back with " + viewer.keys.name("previous") + ".";
    } else {
      title = "Nothing left for you right now";
      more = progress.held ? `${progress.held} are with other reviewers; this page asks again.` : `${left} wait for another reviewer.`;
    }
  }
  part.placard.replaceChildren(makeElement("b", "", title), makeElement("small", "", more));
}

/** @param {Viewer} viewer */
export function drawHead(viewer) {
  const { part, progress, queue } = viewer;
  part.title.textContent = queue.title;
  part.title.title = part.title.textContent;
  const place = viewer.feed.item ? `no. ${viewer.feed.item.position + 1}` : "";
  part.counts.textContent = progress ? [place, `${progress.done} of ${progress.items} done`].filter(Boolean).join(" · ") : place;
  if (viewer.stats) {
    const audit = viewer.stats;
    const parts = showsFigures(viewer) ? headFigures(audit, queue.kind) : [];
    if (audit.pace_s && progress && progress.items > progress.done) parts.push(duration(audit.pace_s * (progress.items - progress.done)) + " left");
    part.figures.textContent = parts.join(" · ");
    part.figures.title = audit.why ?? "";
    if (progress) drawAudit(part["audit-body"], progress, showsFigures(viewer) ? audit : { pace_s: audit.pace_s, why: "Figures are hidden while you review blind." });
  }
  drawMark(viewer);
}

/** Whoever chose to review blind sees no figures; what a blind queue may show, the server knows.
 *  @param {Viewer} viewer */
function showsFigures(viewer) {
  return viewer.queue.blind || !viewer.blind;
}

/** @param {Viewer} viewer */
export function drawMark(viewer) {
  const waiting = viewer.outbox.pending.length;
  const written = viewer.drafts.size;
  const trouble = viewer.outbox.trouble;
  const mark = viewer.part.mark;
  const parts = [];
  if (waiting) parts.push(trouble ? `${waiting} not stored: ${trouble.message}${trouble.status === 403 ? ", reload the page" : ""}` : `${waiting} on the way`);
  if (written) parts.push(written === 1 ? "1 note not stored" : `${written} notes not stored`);
  const text = parts.join(" · ") || "stored";
  if (mark.textContent !== text) mark.textContent = text;
  mark.className = "mark" + (waiting && trouble ? " stuck" : waiting || written ? " waiting" : "");
  const places = [...viewer.drafts.keys()].slice(0, 20).map((position) => position + 1);
  mark.title = written ? `Written for no. ${places.join(", ")}; a note is stored with the ruling on its pair` : "";
  viewer.room.dataset.pending = String(waiting);
}

/** @param {Viewer} viewer */
export function drawFixed(viewer) {
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (viewer.root.querySelectorAll("[data-act]"))) {
    const action = button.dataset.act;
    const key = viewer.keys.byAction.get(action ?? "");
    if (!key) continue;
    const name = actionName(action);
    if (key === NO_KEY) { button.setAttribute("aria-label", name); button.title = name; button.querySelector("kbd")?.remove(); continue; }
    button.setAttribute("aria-label", name);
    button.title = `${name} (${keyName(key)})`;
    button.setAttribute("aria-keyshortcuts", key === " " ? "Space" : key);
    if (button.closest(".bar")) {
      button.querySelector("kbd")?.remove();
      button.append(makeElement("kbd", "", keyName(key)));
    }
  }
  for (const hint of /** @type {NodeListOf<HTMLElement>} */ (viewer.root.querySelectorAll("[data-key]"))) {
    hint.textContent = viewer.keys.name(hint.dataset.key ?? "");
  }
  viewer.part.blind.setAttribute("aria-pressed", String(viewer.blind));
  viewer.part.play.setAttribute("aria-label", "");
}

/** Keep the place in the URL; the tab's own storage is right between two of these.
 *  @param {Viewer} viewer @param {number} position */
function keepPlace(viewer, position) {
  // The URL alone is a moment late.
  keep(viewer.placeName, { position, inUrl: Number(new URL(location.href).searchParams.get("at") || 0) });
  clearTimeout(viewer.timers.place);
  viewer.timers.place = setTimeout(() => {
    const here = new URL(location.href);
    if (here.searchParams.get("queue") !== String(viewer.queue.id)) return;
    here.searchParams.set("at", String(position));
    history.replaceState(history.state, "", here);
  }, 250);
}

/** Where to open: what the URL says, unless the last pairs went by faster than it was written.
 *  @param {Viewer} viewer @param {number} at */
export function startingPlace(viewer, at) {
  const kept = recall(viewer.placeName);
  return kept?.inUrl === at && Number.isInteger(kept.position) ? kept.position : at;
}

/** @param {Viewer} viewer @param {string} ruling */
export function flash(viewer, ruling) {
  const name = "flash-" + ruling;
  const { card } = viewer.part;
  card.classList.remove(...[...card.classList].filter((one) => one.startsWith("flash-")));
  card.classList.add(name);
  clearTimeout(viewer.timers.flash);
  viewer.timers.flash = setTimeout(() => card.classList.remove(name), FLASH_MS);
}
