// @ts-check
// The verdict beside the media, and the reasoning below them.

/** @import { Answer, Audit, Item, Progress, ReadStep, Share, Standing } from "../types" */
import { makeElement } from "../elements.js";
import { SETTLING, SIDES, ruledWords, sideName } from "./standing.js";
import { Blocks, appendText, duration, percent, words } from "./text.js";

/** @param {Item} item @param {Answer | null | undefined} side */
function sideChip(item, side) {
  return makeElement("b", side === "first" || side === "second" ? side : "dim", sideName(item, side));
}

/** `stands` is the decision that counts; see standing().
 *  @param {Element} parent @param {Item} item @param {Standing} stands @param {string} person */
export function drawVerdict(parent, item, stands, person) {
  const who = makeElement("div", "who");
  for (const { label, side } of [{ label: "judge", side: item.answer }, { label: "human", side: item.preferred }]) {
    const one = makeElement("span");
    one.append(makeElement("span", "dim", label + " "), sideChip(item, side));
    who.append(one);
  }
  parent.append(who, decisionLine(item, stands, person));
  if (item.why) drawWhy(parent, item, item.why);
  drawScores(parent, item);
  if (item.margin !== null) parent.append(makeElement("div", "dim", "margin " + item.margin));
  if (item.flaws.length) {
    const list = makeElement("div", "flaws");
    for (const flaw of item.flaws) list.append(makeElement("span", "flawname", words(flaw)));
    parent.append(list);
  }
}

const SHOWN_RUNS = 6;

/** Why a label is suspect: which answers are against it, of how many runs, and how sure they were.
 *  @param {Element} parent @param {Item} item @param {NonNullable<Item["why"]>} why */
function drawWhy(parent, item, { against, answers, runs }) {
  const other = SIDES.find((side) => side !== item.preferred);
  const box = makeElement("div", "whybox");
  box.append(makeElement("b", "", "Suspect label"), makeElement("span", "",
    `${against} of ${answers} answers say ${sideName(item, other)}, the label says ${sideName(item, item.preferred)}; ${runs.length === 1 ? "one run" : runs.length + " runs"}`));
  for (const run of runs.slice(0, SHOWN_RUNS)) {
    const line = makeElement("span", "dim");
    appendText(line, `run ${run.run} · ${run.model}`);
    const sure = run.lead === null ? "" : `, leading by ${shownNumber(run.lead)} on average`;
    const orders = run.orders > 1 ? ", in both orders" : "";
    line.append(`: ${run.against} of ${run.answers}${orders}${sure}`);
    box.append(line);
  }
  if (runs.length > SHOWN_RUNS) box.append(makeElement("span", "dim", `and ${runs.length - SHOWN_RUNS} more runs`));
  parent.append(box);
}

/** The decision in force, who made it, and what it replaced.
 *  @param {Item} item @param {Standing} stands @param {string} person */
function decisionLine(item, stands, person) {
  const line = makeElement("div", "decision");
  line.append(makeElement("span", "chip " + stands.effective, stands.effective));
  const by = makeElement("span", "dim");
  const below = makeElement("span", "dim replaced");
  const said = ruledWords(item, stands.ruling, stands.relabel);
  const own = stands.who === person; // what one has said oneself stands below, with the note
  if (!stands.ruling || !stands.who) {
    by.textContent = words(item.reason);
  } else if (!SETTLING.has(stands.ruling)) {
    by.textContent = words(item.reason);
    if (!own) appendText(below, `${stands.who}: ${said}`);
  } else {
    appendText(by, own ? "by you" : `${stands.who}: ${said}`);
    below.textContent = `${stands.effective === item.decision ? "confirms" : "replaces"} the filter's ${item.decision} (${words(item.reason)})`;
  }
  line.append(by);
  if (below.childNodes.length) line.append(below);
  return line;
}

/** @param {Element} parent @param {Item} item */
function drawScores(parent, item) {
  const dimensions = item.scores.dimensions || [];
  const totals = item.scores.totals || [null, null];
  if (!dimensions.length && totals[0] === null && totals[1] === null) {
    parent.append(makeElement("div", "dim", "no scores in the text"));
    return;
  }
  const grid = makeElement("div", "scores");
  /** @type {[number | null, number | null]} */
  const sums = [0, 0];
  for (const [name, first, second] of dimensions) {
    const label = makeElement("span", "name");
    appendText(label, name);
    label.title = label.textContent;
    sums[0] = first === null || sums[0] === null ? null : sums[0] + first;
    sums[1] = second === null || sums[1] === null ? null : sums[1] + second;
    grid.append(label, makeElement("span", "n1", shownNumber(first)), bars(first, second, 10), makeElement("span", "n2", shownNumber(second)));
  }
  if (!dimensions.length) sums[0] = sums[1] = null;
  const most = Math.max(10 * dimensions.length, totals[0] || 0, totals[1] || 0, 1);
  const total = ["total name", "total n1", "total", "total n2"].map((name) => makeElement("span", name));
  total[0].textContent = "Total";
  total[1].append(totalText(totals[0], sums[0]));
  total[2].append(bars(sums[0] ?? totals[0], sums[1] ?? totals[1], most));
  total[3].append(totalText(totals[1], sums[1]));
  grid.append(...total);
  parent.append(grid);
}

/** @param {number | null | undefined} value */
function shownNumber(value) {
  return value === null || value === undefined ? "–" : String(Math.round(value * 100) / 100);
}

/** @param {number | null} stated @param {number | null} sum */
function totalText(stated, sum) {
  const value = makeElement("span", "", shownNumber(stated ?? sum));
  if (stated !== null && sum !== null && Math.abs(stated - sum) > 0.011) {
    value.className = "wrong";
    value.textContent = shownNumber(stated) + "≠" + shownNumber(sum);
    value.title = `the text says ${shownNumber(stated)}; its scores add up to ${shownNumber(sum)}`;
  }
  return value;
}

/** @param {number | null} first @param {number | null} second @param {number} most */
function bars(first, second, most) {
  const pair = makeElement("span", "bars");
  for (const { side, value } of [{ side: "first", value: first }, { side: "second", value: second }]) {
    const bar = makeElement("i", side);
    bar.style.width = Math.max(0, Math.min(100, (100 * (value || 0)) / most)) + "%";
    pair.append(bar);
  }
  pair.setAttribute("aria-hidden", "true");
  return pair;
}

/** @param {Element} parent @param {Item} item @param {() => void} onWhole */
export function drawReasoning(parent, item, onWhole) {
  parent.replaceChildren();
  const blocks = new Blocks(parent);
  let shown = new Set();
  let last = "neither";
  for (const [text, about, flaws] of item.pieces) {
    // A number where the side changes, for eyes that do not tell the colours apart.
    let lead = about !== last && about !== "neither" ? " lead" : "";
    if (text.trim()) last = about;
    for (const flaw of flaws) {
      if (!shown.has(flaw)) blocks.open().append(makeElement("span", "flawname", words(flaw)));
    }
    shown = new Set(flaws);
    blocks.add(text, (part) => {
      const piece = makeElement("span", "p " + about + lead + (flaws.length ? " flaw" : ""));
      lead = "";
      appendText(piece, part);
      if (about !== "neither") piece.title = "about " + sideName(item, about);
      return piece;
    });
  }
  if (!item.length) parent.append(makeElement("span", "dim", "The judge wrote nothing."));
  if (item.cut) {
    const more = makeElement("button", "", `Show all ${item.length.toLocaleString("en")} characters`);
    more.type = "button";
    more.addEventListener("click", onWhole);
    parent.append(document.createElement("br"), more);
  }
  if (item.length) parent.append(item.read_by ? readBy(item.read_by) : askReadBy(onWhole));
  parent.scrollTop = 0;
}

/** @param {() => void} onWhole */
function askReadBy(onWhole) {
  const ask = makeElement("button", "readby", "How this was read");
  ask.type = "button";
  ask.addEventListener("click", onWhole);
  return ask;
}

/** Which rule read what in the text.
 *  @param {ReadStep[]} steps */
function readBy(steps) {
  const list = makeElement("dl", "readby");
  for (const [what, rule, result, from] of steps) {
    const told = makeElement("dd", "", rule === "none" ? `${result}: no rule reads it so that it is sure, in: `
      : `${result}, by “${rule}”, in: `);
    appendText(told, from);
    list.append(makeElement("dt", "", what), told);
  }
  return list;
}

/** @param {Element} parent @param {Item} item @param {boolean} blind */
export function drawOwn(parent, item, blind) {
  parent.replaceChildren();
  const own = item.mine;
  if (!own) return;
  parent.append(makeElement("span", "dim", "you: "), makeElement("b", "", ruledWords(item, own.ruling, own.relabel)));
  if (blind && !item.withheld && own.ruling === "relabel") {
    const judge = own.relabel === item.answer;
    const label = own.relabel === item.preferred;
    const agreement = judge && label ? "agrees with judge and label" : judge ? "agrees with the judge, not with the label"
      : label ? "agrees with the label, not with the judge" : "agrees with neither judge nor label";
    parent.append(makeElement("span", "", " · " + agreement));
  }
  if (own.unblinded) parent.append(makeElement("span", "dim", " · said with the verdict open; audits keep your blind choice"));
  if (own.note) { parent.append(" · "); appendText(parent, own.note.slice(0, 200)); }
}

/** The one figure above the media: an estimate where the queue is a random sample, else a count.
 *  @param {Audit} given @param {string} kind */
export function headFigures({ precision, rejection, rulings }, kind) {
  const rejected = kind === "audit_rejected" || !precision.n;
  const figure = rejected ? rejection : precision;
  if (!figure.n) return rulings ? [`${rulings} ruled on`] : [];
  if (figure.share === null) return [`${figure.hits} of ${figure.n} ${rejected ? "rejected" : "accepted"} stand`];
  const name = rejected ? "rightly rejected" : "precision";
  const parts = [`${name} ${percent(figure.share)} (${interval(figure)})`];
  if (figure.more) parts.push(`about ${figure.more.n} more for ±${Math.round(100 * figure.more.half_width)} points`);
  return parts;
}

/** @param {{ low: number, high: number }} given */
function interval({ low, high }) {
  return `${(100 * low).toFixed(0)}–${(100 * high).toFixed(0)}`;
}

/** @param {Element} parent @param {Progress} progress @param {Partial<Audit>} audit */
export function drawAudit(parent, progress, audit) {
  parent.replaceChildren();
  const list = document.createElement("dl");
  /** @param {string} name @param {string} value */
  const row = (name, value) => list.append(makeElement("dt", "", name), makeElement("dd", "", value));
  /** @type {[string, Share | undefined][]} */
  const shares = [["accepted that stand", audit.precision], ["rejected that stand", audit.rejection],
                  ["with the judge", audit.judge], ["with the label", audit.label]];
  for (const [name, one] of shares) {
    if (!one?.n) continue;
    if (one.share === null) row(name, `${one.hits} of ${one.n}`);
    else row(`${name} (${one.n})`, `${percent(one.share, 0)}, ${interval(one)}`);
  }
  for (const { name, value } of [{ name: "accepted", value: audit.precision }, { name: "rejected", value: audit.rejection }]) {
    if (value?.more) row(`${name} to ±${Math.round(100 * value.more.half_width)}`, `about ${value.more.n} more`);
  }
  if (audit.agreement && (audit.reviewers ?? 0) > 1) {
    const { alpha, low, high, items, same } = audit.agreement;
    row("reviewers agree", items ? `${same} of ${items}` : "no pair in common");
    if (items) row("Krippendorff's α", alpha === null ? "all alike" :
      alpha.toFixed(2) + (low === null || high === null ? "" : `, ${low.toFixed(2)}–${high.toFixed(2)}`));
  }
  if (audit.pace_s) {
    row("pace", audit.pace_s.toFixed(1) + " s a pair");
    row("remaining", duration(audit.pace_s * Math.max(0, progress.items - progress.done)));
  }
  parent.append(list);
  if (audit.why) parent.append(makeElement("p", "dim why", audit.why));
}
