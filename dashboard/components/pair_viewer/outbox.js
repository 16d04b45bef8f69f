// Rulings on their way. Each lies in the browser's storage from the key press until the server says
// that it is on the disk, and is sent again until then; its token makes sure that it counts once.

const OUTBOX_BATCH = 40;
const OUTBOX_LONGEST_WAIT_MS = 10000;

class Outbox {
  constructor(workspace, person, token, onChange, onAnswer) {
    // Another workspace may be served under the same address tomorrow, with other pairs in its queue 1.
    this.prefix = `winnow.ruling.${workspace}.${person}.`;
    this.token = token;
    this.onChange = onChange;
    this.onAnswer = onAnswer;
    this.pending = [];
    this.busy = false;
    this.wait = 0;
    this.timer = null;
    this.trouble = null;
    this.refused = 0;
    this.lastNumber = 0;
    this.load();
  }

  load() {
    for (let i = 0; i < localStorage.length; i++) {
      const name = localStorage.key(i);
      if (!name.startsWith(this.prefix)) continue;
      try {
        this.pending.push({ name, ruling: JSON.parse(localStorage.getItem(name)) });
      } catch { localStorage.removeItem(name); }
    }
    this.pending.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  add(ruling) {
    // Names sort by time, and by number within a millisecond: the order of the keys is kept.
    this.lastNumber = Math.max(this.lastNumber + 1, Date.now() * 1000);
    const name = this.prefix + String(this.lastNumber).padStart(17, "0") + "." + ruling.token;
    const entry = { name, ruling };
    try {
      localStorage.setItem(name, JSON.stringify(ruling));
    } catch { /* Storage is full or forbidden: it still goes out, but would not survive a reload. */ }
    this.pending.push(entry);
    this.onChange();
    // After the next pair is on the screen.
    setTimeout(() => this.send(), 0);
  }

  has(queue, position) {
    return this.pending.some(({ ruling }) => ruling.queue === queue && ruling.position === position);
  }

  /** The newest ruling on its way for one position, as an item carries it. */
  newest(queue, position) {
    const here = this.pending.map(({ ruling }) => ruling).filter((one) => one.queue === queue && one.position === position);
    const found = here.at(-1);
    if (!found || found.ruling === "undo") return null;
    if (found.ruling === "note") {
      const under = here.find(({ token }) => token === found.on.token);
      return withNote({ note: "", tags: [], ...found.on, ...under, fresh: Boolean(under) }, found);
    }
    const { ruling, relabel, token, note, tags, unblinded } = found;
    return { ruling, relabel, token, note, tags, unblinded, fresh: true };
  }

  async send() {
    if (this.busy || !this.pending.length || this.timer) return;
    this.busy = true;
    const batch = this.pending.slice(0, OUTBOX_BATCH);
    try {
      const answer = await callServer(this.token, "rulings", { rulings: batch.map(({ ruling }) => ruling) });
      const settled = new Set([...answer.stored, ...answer.refused.map(({ token }) => token)]);
      for (const { name, ruling } of batch) if (settled.has(ruling.token)) localStorage.removeItem(name);
      this.pending = this.pending.filter(({ ruling }) => !settled.has(ruling.token));
      this.wait = 0;
      this.trouble = null;
      this.onAnswer(answer, batch.map(({ ruling }) => ruling));
    } catch (error) {
      this.wait = Math.min(OUTBOX_LONGEST_WAIT_MS, this.wait ? this.wait * 2 : 500);
      this.trouble = error;
    }
    this.busy = false;
    this.onChange();
    if (!this.pending.length) return;
    if (!this.wait) return void (await this.send());
    this.timer = setTimeout(() => { this.timer = null; this.send(); }, this.wait);
  }

  hurry() {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.send();
  }

  close() {
    if (this.timer) clearTimeout(this.timer);
    this.timer = true;
  }
}

/** Ask a route of ours: GET without a body, POST with one. Throws {message, hint, status}. */
async function callServer(token, path, body, options = {}) {
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
    throw { message: "the server does not answer", hint: "your rulings are kept in this browser", status: 0 };
  } finally {
    clearTimeout(timer);
  }
  const text = await answer.text();
  let value = null;
  try { value = JSON.parse(text); } catch { /* not ours: a proxy's page */ }
  if (!answer.ok || value === null) {
    throw { message: (value && value.message) || "the server answered " + answer.status,
            hint: (value && value.hint) || "", status: answer.status };
  }
  return value;
}
