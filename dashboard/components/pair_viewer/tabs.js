// @ts-check
// Other samples and orders of one pair, as tabs: arrows move among them, Enter opens, Tab leaves.

/** @import { Decision, Item, Sibling } from "../types" */
/** @import { Viewer } from "./viewer.js" */
import { makeElement } from "../elements.js";
import { openSibling } from "./moving.js";
import { isClosed } from "./ruling.js";
import { orderWords, standing } from "./standing.js";

/** @param {Viewer} viewer @param {Item | null} item @param {Item | null} base */
export function drawTabs(viewer, item, base) {
  const { tabs, verdict } = viewer.part;
  const focused = tabs.contains(viewer.root.activeElement);
  const several = base !== null && !isClosed(viewer, base) && base.siblings.length > 1;
  tabs.hidden = !several;
  verdict.toggleAttribute("role", false);
  if (!several) {
    tabs.replaceChildren();
    if (focused) viewer.room.focus({ preventScroll: true });
    return;
  }
  verdict.setAttribute("role", "tabpanel");
  const own = standing(base, viewer.data.person).effective;
  const rows = [];
  for (const order of [...new Set(base.siblings.map((one) => one.order))]) {
    const row = makeElement("div", "order");
    row.setAttribute("role", "presentation");
    const label = makeElement("span", "dim", orderWords(order) + ", sample");
    label.setAttribute("aria-hidden", "true");
    row.append(label, ...base.siblings.filter((one) => one.order === order).map((one) =>
      tabOf(viewer, one, one.id === base.prediction ? own : one.effective, one.id === item?.prediction)));
    rows.push(row);
  }
  tabs.replaceChildren(...rows);
  if (focused) (/** @type {HTMLElement | null} */ (tabs.querySelector("[aria-selected=true]")) ?? viewer.room).focus({ preventScroll: true });
}

/** @param {Viewer} viewer @param {Sibling} sibling @param {Decision | null} effective @param {boolean} selected */
function tabOf(viewer, sibling, effective, selected) {
  const mark = effective ? (effective === "accepted" ? "ok" : "no") : "";
  const tab = makeElement("button", mark, String(sibling.sample + 1));
  tab.type = "button";
  tab.setAttribute("role", "tab");
  tab.setAttribute("aria-selected", String(selected));
  tab.setAttribute("aria-controls", "verdict stage reasoning");
  tab.setAttribute("aria-label", [`sample ${sibling.sample + 1}`, orderWords(sibling.order), effective].filter(Boolean).join(", "));
  tab.tabIndex = selected ? 0 : -1;
  tab.addEventListener("click", () => openSibling(viewer, sibling.id));
  return tab;
}

/** @param {Viewer} viewer @param {KeyboardEvent} event */
export function tabKey(viewer, event) {
  const all = /** @type {HTMLElement[]} */ ([...viewer.part.tabs.querySelectorAll("[role=tab]")]);
  const at = all.findIndex((tab) => event.composedPath().includes(tab));
  const to = { ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1, Home: 0, End: all.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  all[(to + all.length) % all.length].focus();
}
