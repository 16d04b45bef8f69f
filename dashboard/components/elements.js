// @ts-check
// Elements of components. Texts were written by models, datasets and people: they go in through textContent only.

/** @template {keyof HTMLElementTagNameMap} Tag
 *  @param {Tag} tag @param {string} [className] @param {string} [text]
 *  @returns {HTMLElementTagNameMap[Tag]} */
export function makeElement(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** An element that the component's HTML has.
 *  @param {ParentNode} root @param {string} selector @returns {HTMLElement} */
export function find(root, selector) {
  const found = root.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`${selector} is missing`);
  return found;
}

/** Why our server does not send a medium, in its words; the given ones where it says nothing.
 *  @param {string} url @param {RequestInit} [options] @returns {Promise<{ message: string, hint?: string } | null>} */
export async function refusal(url, options) {
  try {
    const answer = await fetch(url, options);
    return answer.ok ? null : await answer.json();
  } catch {
    return null;
  }
}

/** A picture; `onBroken` is told why there is none.
 *  @param {string} url @param {string} alt @param {(reason: string) => void} [onBroken] */
export function thumbnail(url, alt, onBroken) {
  const image = makeElement("img");
  image.loading = "lazy"; image.decoding = "async"; image.alt = alt; image.src = url;
  image.onerror = async () => {
    if (!onBroken) return;
    image.remove();
    onBroken((await refusal(url))?.message ?? "cannot be shown");
  };
  return image;
}
