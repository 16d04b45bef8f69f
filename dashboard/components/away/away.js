// @ts-check
// What a person sees while the server is gone, in the place of Streamlit's own dialog: that one says
// nothing of what is stored and what waits, and takes the keys away from the review room.

/** @import { Component } from "../types" */
import { find } from "../elements.js";

const PATIENCE_MS = 1500; // A blink of the connection is nobody's business.
const LOOK_MS = 500;

const streamlit = () => document.querySelector('[data-testid="stApp"]')?.getAttribute("data-test-connection-state");

/** Rulings of this workspace that lie in this browser, whoever made them. @param {string} workspace */
function waiting(workspace) {
  const prefix = `winnow.ruling.${workspace}.`;
  let count = 0;
  try {
    for (const name of Object.keys(localStorage)) if (name.startsWith(prefix)) count++;
  } catch { /* storage is forbidden: nothing can lie there */ }
  return count;
}

/** @param {number} count */
function words(count) {
  if (!count) return "No ruling waits in this browser.";
  const [what, they] = count === 1 ? ["1 ruling is", "it"] : [`${count} rulings are`, "they"];
  return `${what} kept in this browser; ${they} will be sent as soon as it answers.`;
}

/** Close Streamlit's dialog: the style sheet hides it, but it holds the focus. */
function dismiss() {
  for (const dialog of document.querySelectorAll('[data-testid="stDialog"]')) {
    if (dialog.textContent.includes("Connection error")) /** @type {HTMLElement | null} */ (dialog.querySelector('button[aria-label="Close"]'))?.click();
  }
}

/** @typedef {HTMLElement & { workspace: string, leaving?: number, looking?: number | null }} Panel */

/** @param {Component<{ workspace: string }>} component */
export default function ({ data, parentElement }) {
  const panel = /** @type {Panel} */ (find(parentElement, ".away"));
  panel.workspace = data.workspace;
  clearTimeout(panel.leaving);
  if (!panel.looking) {
    /** @type {number | null} */
    let since = null;
    panel.looking = setInterval(() => {
      const gone = streamlit() !== "CONNECTED";
      since = gone ? since ?? Date.now() : null;
      if (gone) dismiss();
      const show = since !== null && Date.now() - since >= PATIENCE_MS;
      if (show) find(panel, '[data-id="waiting"]').textContent = words(waiting(panel.workspace));
      if (show !== panel.matches(":popover-open")) panel.togglePopover(show);
    }, LOOK_MS);
  }
  return () => { panel.leaving = setTimeout(() => { clearInterval(panel.looking ?? undefined); panel.looking = null; }, 300); };
}
