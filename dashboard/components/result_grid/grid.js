// Every text here was written by a model, a dataset or a person: it goes in through textContent only.
const element = (tag, className, text) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

const COLUMNS = ["thumbs", "caption", "run", "judge", "human", "margin", "decision", "ruling", "flaws"];

function thumbnail(url, alt, holder) {
  const image = element("img");
  image.loading = "lazy"; image.decoding = "async"; image.alt = alt; image.src = url;
  image.onerror = async () => {
    if (!holder) return;
    image.remove(); holder.classList.add("broken"); holder.dataset.reason = "cannot be shown";
    try { holder.dataset.reason = (await (await fetch(url)).json()).message; } catch { /* the placard stays */ }
  };
  return image;
}

function side(card, place) {
  const shown = element("div", "side");
  shown.append(thumbnail(card.thumbs[place], `${card.noun} ${place + 1}`, shown));
  const marks = element("div", "marks"), name = place === 0 ? "first" : "second";
  if (card.answer === name) marks.append(element("span", "mark", "judge"));
  if (card.preferred === name) marks.append(element("span", "mark human", "human"));
  shown.append(marks);
  return shown;
}

function drawCard(card) {
  const made = element("div", `card ${card.state}`);
  const media = element("div", "media");
  media.append(side(card, 0), side(card, 1));
  const body = element("div", "body"), facts = element("div", "facts");
  body.append(element("div", "caption", card.caption));
  if (card.decision) facts.append(element("span", "decision", card.decision));
  facts.append(element("span", "quiet", card.facts));
  body.append(facts); made.append(media, body);
  return made;
}

function drawRow(card) {
  const row = element("tr", `row ${card.state}`), first = element("td"), thumbs = element("div", "thumbs");
  thumbs.append(thumbnail(card.thumbs[0], `${card.noun} 1`), thumbnail(card.thumbs[1], `${card.noun} 2`));
  const caption = element("td", "text"), decision = element("td", "c-decision");
  caption.append(element("div", "caption", card.caption));
  // Where there is no room for the ruling's column, the ruling stands in for what it overrules.
  decision.append(element("span", "of-wide", card.filter), element("span", "of-narrow", card.decision));
  decision.title = card.decision;
  first.append(thumbs); row.append(first, caption);
  for (const value of [card.run, card.said, card.wanted, card.margin]) row.append(element("td", "", value));
  row.append(decision, element("td", "c-ruling", card.ruling), element("td", "", card.flaws));
  return row;
}

function drawTable(root, cards) {
  const table = element("table"), head = element("tr"), widths = element("colgroup");
  for (const name of COLUMNS) {
    widths.append(element("col", `c-${name}`));
    head.append(element("th", `c-${name}`, name === "thumbs" ? "" : name));
  }
  const top = element("thead"), body = element("tbody");
  top.append(head); table.append(widths, top, body); root.append(table);
  return cards.map((card) => { const row = drawRow(card); body.append(row); return row; });
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector(".results");
  const signature = JSON.stringify([data.cards, data.table]);
  if (root.dataset.signature === signature) return;
  root.dataset.signature = signature;
  root.replaceChildren();
  root.classList.toggle("cards", !data.table);
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
