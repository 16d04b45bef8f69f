// Other samples and orders of one pair, as tabs: arrows move among them, Enter opens, Tab leaves.

const TABS = {
  drawTabs(item, base) {
    const { tabs, verdict } = this.part;
    const focused = tabs.contains(this.root.activeElement);
    const several = base !== null && !this.closed(base) && base.siblings.length > 1;
    tabs.hidden = !several;
    verdict.toggleAttribute("role", false);
    if (!several) {
      tabs.replaceChildren();
      if (focused) this.room.focus({ preventScroll: true });
      return;
    }
    verdict.setAttribute("role", "tabpanel");
    const own = standing(base, this.data.person).effective;
    const rows = [];
    for (const order of [...new Set(base.siblings.map((one) => one.order))]) {
      const row = makeElement("div", "order");
      row.setAttribute("role", "presentation");
      const label = makeElement("span", "dim", orderWords(order) + ", sample");
      label.setAttribute("aria-hidden", "true");
      row.append(label, ...base.siblings.filter((one) => one.order === order).map((one) =>
        this.tabOf(one, one.id === base.prediction ? own : one.effective, one.id === item.prediction)));
      rows.push(row);
    }
    tabs.replaceChildren(...rows);
    if (focused) (tabs.querySelector("[aria-selected=true]") || this.room).focus({ preventScroll: true });
  },

  tabOf(sibling, effective, selected) {
    const mark = effective ? (effective === "accepted" ? "ok" : "no") : "";
    const tab = makeElement("button", mark, String(sibling.sample + 1));
    tab.type = "button";
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-selected", String(selected));
    tab.setAttribute("aria-controls", "verdict stage reasoning");
    tab.setAttribute("aria-label", [`sample ${sibling.sample + 1}`, orderWords(sibling.order), effective].filter(Boolean).join(", "));
    tab.tabIndex = selected ? 0 : -1;
    tab.addEventListener("click", () => this.openSibling(sibling.id));
    return tab;
  },

  tabKey(event) {
    const all = [...this.part.tabs.querySelectorAll("[role=tab]")];
    const at = all.indexOf(event.target.closest("[role=tab]"));
    const to = { ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    all[(to + all.length) % all.length].focus();
  },
};
