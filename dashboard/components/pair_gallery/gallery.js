// @ts-check
// Pairs as cards of two thumbnails, with the reason in place of one that is broken.

/** @import { Component, PairCard, Side } from "../types" */
import { find, makeElement, thumbnail } from "../elements.js";

/** @param {PairCard} card @param {Side} name @param {0 | 1} place */
function side(card, name, place) {
  const link = makeElement("a", "side");
  link.href = card.media[place]; link.target = "_blank"; link.rel = "noopener";
  link.setAttribute("aria-label", `${card.noun} ${place + 1}, whole, in a new tab`);
  link.append(thumbnail(card.thumbs[place], "", (reason) => link.append(makeElement("span", "placard", reason))));
  if (card.preferred === name) link.append(makeElement("span", "mark", "human"));
  return link;
}

/** @param {Component<{ cards: PairCard[] }>} component */
export default function ({ data, parentElement }) {
  const root = find(parentElement, ".gallery");
  const signature = JSON.stringify(data.cards);
  if (root.dataset.signature === signature) return;
  root.dataset.signature = signature;
  root.replaceChildren(...data.cards.map((card) => {
    const made = makeElement("div", "card"), media = makeElement("div", "media");
    made.setAttribute("role", "listitem");
    media.append(side(card, "first", 0), side(card, "second", 1));
    const body = makeElement("div", "body"), caption = makeElement("div", "caption", card.caption);
    caption.title = card.caption;
    body.append(caption, makeElement("div", "facts", card.facts));
    made.append(media, body);
    return made;
  }));
}
