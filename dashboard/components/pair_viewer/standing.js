// The decision that counts for a prediction, and whose it is. The server knows it when it sends an item;
// rulings made since then are applied here by the same rule (backend/domain/rulings.py).

const SETTLING = new Set(["accept", "reject", "relabel"]);

function effectiveDecision(item, ruling, relabel) {
  if (ruling === "accept") return "accepted";
  if (ruling === "reject") return "rejected";
  if (ruling === "relabel") return item.answer === relabel && relabel !== "tie" ? "accepted" : "rejected";
  return item.decision;
}

/** {ruling, relabel, who, effective}: the ruling in force, its reviewer, and what it makes of the prediction. */
function standing(item, person) {
  const served = item.stale
    ? { ruling: null, relabel: null, who: null, effective: item.decision }
    : { ruling: item.ruling, relabel: item.relabel, who: item.reviewer, effective: item.effective };
  let own = item.mine;
  // Neither a note nor a flag hides what settled the matter.
  while (own?.fresh && (own.noted || !SETTLING.has(own.ruling)) && own.under) own = own.under;
  if (!own?.fresh || (!SETTLING.has(own.ruling) && SETTLING.has(served.ruling))) return served;
  return { ruling: own.ruling, relabel: own.relabel, who: person, effective: effectiveDecision(item, own.ruling, own.relabel) };
}

/** One's own ruling with a note that was stored beside it later: `under` is what it stands on. */
function withNote(ruling, { token, note, tags }) {
  return { ruling: ruling.ruling, relabel: ruling.relabel, unblinded: ruling.unblinded, token, note, tags, fresh: true, noted: true, under: ruling };
}

/** One's own ruling without the notes beside it. */
function withoutNote(own) {
  return own?.noted ? own.under : own;
}

/** What somebody said, in words: "accept", "Image 2 is better". */
function ruledWords(item, ruling, relabel) {
  if (ruling !== "relabel") return ruling;
  if (!relabel) return "another side is better";
  return sideName(item, relabel) + (relabel === "tie" ? "" : " is better");
}

function orderWords(order) {
  return `${order} order`;
}

/** Which of the dataset's two is shown first, and which second. The only place where the order is asked. */
function datasetSides(order) {
  return order === "swapped" ? ["second", "first"] : ["first", "second"];
}
