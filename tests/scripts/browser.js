// As much of a browser as the scripts need that draw nothing.

const stored = () => {
  const kept = Object.create({
    getItem(name) { return Object.hasOwn(kept, name) ? kept[name] : null; },
    setItem(name, value) { kept[name] = String(value); },
    removeItem(name) { delete kept[name]; },
  });
  return kept;
};

/** Put a new browser in place; what is returned is what the server was asked, and what it answers. */
export function newBrowser() {
  const server = { asked: [], answers: [] };
  globalThis.localStorage = stored();
  globalThis.sessionStorage = stored();
  globalThis.window = new EventTarget();
  globalThis.document = { baseURI: "http://winnow.test/" };
  globalThis.fetch = async (url, options) => {
    server.asked.push({ url: String(url), body: options.body && JSON.parse(options.body), headers: options.headers });
    const answer = server.answers.shift();
    if (answer === undefined) throw new TypeError("no server");
    return { ok: (answer.status ?? 200) < 400, status: answer.status ?? 200, text: async () => answer.text ?? JSON.stringify(answer.body) };
  };
  return server;
}

/** Run what was put off until now, and the answers it waits for. */
export const settle = () => new Promise((done) => setTimeout(done, 5));
