// @ts-check
// The decision that counts for a prediction, and whose it is. The server knows it when it sends an item;
// rulings made since then are applied here by the same rule (backend/domain/rulings.py).

/** @import { Answer, Decision, Item, Order, Own, RulingName, Side, Standing } from "../types" */

/** @type {Set<string | null>} */
export const SETTLING = new Set(["accept", "reject", "relabel"]);

/** @param {Pick<Item, "answer" | "decision">} item @param {RulingName | null} ruling @param {Answer | null} relabel
 *  @returns {Decision} */
export function effectiveDecision(item, ruling, relabel) {
  if (ruling === "accept") return "accepted";
  if (ruling === "reject") return "rejected";
  if (ruling === "relabel") return item.answer === relabel && relabel !== "tie" ? "accepted" : "rejected";
  return item.decision;
}

/** Whether an answer can train, whatever is decided about it.
 *  @param {Answer | null} answer @returns {answer is Side} */
export function trains(answer) {
  return answer === "first" || answer === "second";
}

/** {ruling, relabel, who, effective}: the ruling in force, its reviewer, and what it makes of the prediction.
 *  @param {Item} item @param {string} person @returns {Standing} */
export function standing(item, person) {
  const served = item.stale
    ? { ruling: null, relabel: null, who: null, effective: item.decision }
    : { ruling: item.ruling, relabel: item.relabel, who: item.reviewer, effective: item.effective };
  let own = item.mine;
  // Neither a note nor a flag hides what settled the matter.
  while (own?.fresh && (own.noted || !SETTLING.has(own.ruling)) && own.under) own = own.under;
  if (!own?.fresh || (!SETTLING.has(own.ruling) && SETTLING.has(served.ruling))) return served;
  return { ruling: own.ruling, relabel: own.relabel, who: person, effective: effectiveDecision(item, own.ruling, own.relabel) };
}

/** One's own ruling with a note that was stored beside it later: `under` is what it stands on.
 *  @param {Own} ruling @param {Pick<Own, "token" | "note" | "tags">} given @returns {Own} */
export function withNote(ruling, { token, note, tags }) {
  return { ruling: ruling.ruling, relabel: ruling.relabel, unblinded: ruling.unblinded, token, note, tags, fresh: true, noted: true, under: ruling };
}

/** One's own ruling without the notes beside it.
 *  @param {Own | null} own @returns {Own | null} */
export function withoutNote(own) {
  return own?.noted && own.under ? own.under : own;
}

/** @type {Side[]} */
export const SIDES = ["first", "second"];
/** @type {Record<Side, string>} */
const SIDE_WORDS = { first: "1", second: "2" };

/** @param {Item} item @param {Answer | null | undefined} side */
export function sideName(item, side) {
  if (side === "tie") return "Tie";
  if (!side) return "unreadable";
  return (item.kind === "video" ? "Video " : "Image ") + SIDE_WORDS[side];
}

/** What somebody said, in words: "accept", "Image 2 is better".
 *  @param {Item} item @param {RulingName | null} ruling @param {Answer | null} relabel */
export function ruledWords(item, ruling, relabel) {
  if (ruling !== "relabel") return ruling ?? "";
  if (!relabel) return "another side is better";
  return sideName(item, relabel) + (relabel === "tie" ? "" : " is better");
}

/** @param {Order} order */
export function orderWords(order) {
  return `${order} order`;
}

/** Which of the dataset's two is shown first, and which second. The only place where the order is asked.
 *  @param {Order | null} order @returns {[Side, Side]} */
export function datasetSides(order) {
  return order === "swapped" ? ["second", "first"] : ["first", "second"];
}
