// Captions and file names were written by others: they go in through textContent only.
const element = (tag, className, text) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

function side(card, place) {
  const name = place === 0 ? "first" : "second";
  const link = element("a", "side");
  link.href = card.media[place]; link.target = "_blank"; link.rel = "noopener";
  link.setAttribute("aria-label", `${card.noun} ${place + 1}, whole, in a new tab`);
  const image = element("img");
  image.loading = "lazy"; image.decoding = "async"; image.alt = "";
  image.onerror = async () => {
    image.remove();
    const placard = element("span", "placard", "cannot be shown");
    link.append(placard);
    try { placard.textContent = (await (await fetch(card.thumbs[place])).json()).message; }
    catch { /* the placard stays */ }
  };
  image.src = card.thumbs[place];
  link.append(image);
  if (card.preferred === name) link.append(element("span", "mark", "human"));
  return link;
}

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".gallery");
  const signature = JSON.stringify(data.cards);
  if (root.dataset.signature === signature) return;
  root.dataset.signature = signature;
  root.replaceChildren(...data.cards.map((card) => {
    const made = element("div", "card"), media = element("div", "media");
    made.setAttribute("role", "listitem");
    media.append(side(card, 0), side(card, 1));
    const body = element("div", "body"), caption = element("div", "caption", card.caption);
    caption.title = card.caption;
    body.append(caption, element("div", "facts", card.facts));
    made.append(media, body);
    return made;
  }));
}
