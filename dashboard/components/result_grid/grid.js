// @ts-check
// The results of Browse: cards of two touching thumbnails, or a dense table, led by the arrow keys.

/** @import { Component, ResultCard, Side } from "../types" */
import { find, makeElement, thumbnail } from "../elements.js";

const COLUMNS = ["thumbs", "caption", "run", "judge", "human", "margin", "decision", "ruling", "flaws"];

/** @param {ResultCard} card @param {Side} name @param {0 | 1} place */
function side(card, name, place) {
  const shown = makeElement("div", "side");
  shown.append(thumbnail(card.thumbs[place], `${card.noun} ${place + 1}`, (reason) => {
    shown.classList.add("broken"); shown.dataset.reason = reason;
  }));
  const marks = makeElement("div", "marks");
  if (card.answer === name) marks.append(makeElement("span", "mark", "judge"));
  if (card.preferred === name) marks.append(makeElement("span", "mark human", "human"));
  shown.append(marks);
  return shown;
}

/** @param {ResultCard} card */
function drawCard(card) {
  const made = makeElement("div", `card ${card.state}`);
  const media = makeElement("div", "media");
  media.append(side(card, "first", 0), side(card, "second", 1));
  const body = makeElement("div", "body"), facts = makeElement("div", "facts");
  body.append(makeElement("div", "caption", card.caption));
  if (card.decision) facts.append(makeElement("span", "decision", card.decision));
  facts.append(makeElement("span", "quiet", card.facts));
  body.append(facts); made.append(media, body);
  return made;
}

/** @param {ResultCard} card */
function drawRow(card) {
  const row = makeElement("tr", `row ${card.state}`), first = makeElement("td"), thumbs = makeElement("div", "thumbs");
  thumbs.append(thumbnail(card.thumbs[0], `${card.noun} 1`), thumbnail(card.thumbs[1], `${card.noun} 2`));
  const caption = makeElement("td", "text"), decision = makeElement("td", "c-decision");
  caption.append(makeElement("div", "caption", card.caption));
  // Where there is no room for the ruling's column, the ruling stands in for what it overrules.
  decision.append(makeElement("span", "of-wide", card.filter), makeElement("span", "of-narrow", card.decision));
  decision.title = card.decision;
  first.append(thumbs); row.append(first, caption);
  for (const value of [card.run, card.said, card.wanted, card.margin]) row.append(makeElement("td", "", value));
  row.append(decision, makeElement("td", "c-ruling", card.ruling), makeElement("td", "", card.flaws));
  return row;
}

/** @param {Element} root @param {ResultCard[]} cards @returns {HTMLElement[]} */
function drawTable(root, cards) {
  const table = makeElement("table"), head = makeElement("tr"), widths = makeElement("colgroup");
  for (const name of COLUMNS) {
    widths.append(makeElement("col", `c-${name}`));
    head.append(makeElement("th", `c-${name}`, name === "thumbs" ? "" : name));
  }
  const top = makeElement("thead"), body = makeElement("tbody");
  top.append(head); table.append(widths, top, body); root.append(table);
  return cards.map((card) => { const row = drawRow(card); body.append(row); return row; });
}

/** @param {Component<{ cards: ResultCard[], table: boolean, focus: number | null }>} component */
export default function ({ data, parentElement, setTriggerValue }) {
  const root = find(parentElement, ".results");
  const signature = JSON.stringify([data.cards, data.table]);
  if (root.dataset.signature === signature) return;
  root.dataset.signature = signature;
  root.replaceChildren();
  root.classList.toggle("cards", !data.table);
  /** @type {HTMLElement[]} */
  let made;
  if (data.table) made = drawTable(root, data.cards);
  else { made = data.cards.map(drawCard); root.append(...made); }
  let at = Math.max(0, data.cards.findIndex((card) => card.id === data.focus));
  const columns = () => {
    if (data.table || made.length < 2) return 1;
    const top = made[0].offsetTop;
    const next = made.findIndex((one) => one.offsetTop !== top);
    return next < 0 ? made.length : next;
  };
  /** @param {number} place */
  const go = (place) => {
    at = Math.min(made.length - 1, Math.max(0, place));
    made.forEach((one, i) => { one.tabIndex = i === at ? 0 : -1; });
    made[at].focus({ preventScroll: false });
  };
  made.forEach((one, i) => {
    const card = data.cards[i];
    one.setAttribute("role", "option");
    one.setAttribute("aria-label", `${card.caption}. ${card.decision}. ${card.facts}`);
    one.tabIndex = i === at ? 0 : -1;
    one.onclick = () => { at = i; setTriggerValue("open", card.id); };
  });
  root.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() }[event.key];
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (step) { event.preventDefault(); go(at + step); }
    else if (event.key === "Home") { event.preventDefault(); go(0); }
    else if (event.key === "End") { event.preventDefault(); go(made.length - 1); }
    else if (event.key === "Enter") { event.preventDefault(); setTriggerValue("open", data.cards[at].id); }
  };
  if (data.cards[at]?.id !== data.focus) return;
  made[at].scrollIntoView({ block: "nearest" });
  // Who comes back goes on by keyboard from there, unless they are already somewhere else.
  if (document.activeElement === document.body) made[at].focus({ preventScroll: true });
}
