// @ts-check
// What the room asks our routes.

/** @import { Trouble } from "../types" */

/** A refusal in the server's words, or that it does not answer (`status` 0). */
class Refused extends Error {
  /** @param {string} message @param {string} hint @param {number} status */
  constructor(message, hint, status) {
    super(message);
    this.hint = hint;
    this.status = status;
  }
}

/** What was thrown, in words. @param {unknown} error @returns {Trouble} */
export function troubleOf(error) {
  if (error instanceof Refused) return error;
  return { message: error instanceof Error ? error.message : String(error), hint: "", status: 0 };
}

/** Ask a route of ours: GET without a body, POST with one. Throws {@link Refused}.
 *  @param {string} token @param {string} path @param {unknown} [body] @param {RequestInit} [options]
 *  @returns {Promise<any>} */
export async function callServer(token, path, body, options = {}) {
  /** @type {Record<string, string>} */
  const headers = { Authorization: "Bearer " + token };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), 20000);
  let answer;
  try {
    answer = await fetch(new URL("winnow/review/" + path, document.baseURI), {
      method: body === undefined ? "GET" : "POST",
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: abort.signal,
      credentials: "same-origin",
      ...options,
    });
  } catch {
    throw new Refused("the server does not answer", "your rulings are kept in this browser", 0);
  } finally {
    clearTimeout(timer);
  }
  const text = await answer.text();
  let value = null;
  try { value = JSON.parse(text); } catch { /* not ours: a proxy's page */ }
  if (!answer.ok || value === null) {
    throw new Refused(value?.message || "the server answered " + answer.status, value?.hint || "", answer.status);
  }
  return value;
}
