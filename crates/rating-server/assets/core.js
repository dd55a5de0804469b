// What all parts of the raters' page share: texts, requests, and telling what happens.

const token = location.pathname.split("/").pop();

export const byId = (id) => document.getElementById(id);

/** A text of the page in its language, with `{names}` filled in. */
export function text(name, values = {}) {
  const source = document.querySelector(`#texts [data-name="${name}"]`).textContent;
  return source.replace(/\{(\w+)\}/g, (hole, key) => (key in values ? values[key] : hole));
}

/** A new element with a class and a text; text is never read as HTML. */
export function element(tag, className, content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (content !== undefined) made.textContent = content;
  return made;
}

/** What somebody said, in the direction of its own language. */
export function said(content) {
  const made = element("p", "said", content);
  made.dir = "auto";
  return made;
}

/** What went well or is going on; read aloud when there is time. */
export function tell(message) {
  byId("status").textContent = message;
}

/** What went wrong; read aloud at once. An empty text takes it away. */
export function warn(message) {
  byId("trouble").textContent = message;
  byId("trouble").hidden = message === "";
}

/** Shows one of the page's parts. */
export function show(part) {
  for (const section of document.querySelectorAll("main > section")) {
    section.hidden = section.id !== part;
  }
}

/** One request. Gives the status (0 without a connection) and what came. */
export async function request(method, path, body) {
  const options = { method, headers: { Authorization: `Bearer ${token}` }, cache: "no-store" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  try {
    const response = await fetch(path, options);
    const data = await response.json().catch(() => ({}));
    return { status: response.status, data };
  } catch {
    return { status: 0, data: {} };
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Whether trying again may help. */
const passing = (status) => status === 0 || status === 429 || status >= 500;

/** A request that is tried until the server has decided. */
export async function persist(method, path, body) {
  for (let wait = 500; ; wait = Math.min(wait * 2, 15000)) {
    const answer = await request(method, path, body);
    if (!passing(answer.status)) {
      warn("");
      return answer;
    }
    tell("");
    if (answer.status === 0) warn(text("offline"));
    else if (answer.status === 429) warn(text("too_fast"));
    else warn(text("not_saved"));
    await pause(wait);
  }
}

// An answer that is not acknowledged yet outlives a closed page.
const kept = `unsaved ${location.pathname}`;

export function keep(answer) {
  try {
    localStorage.setItem(kept, JSON.stringify(answer));
  } catch {
    // Private windows may have no storage; the open page still tries again.
  }
}

export function unkeep() {
  try {
    localStorage.removeItem(kept);
  } catch {
    // As above.
  }
}

export function keptAnswer() {
  try {
    return JSON.parse(localStorage.getItem(kept));
  } catch {
    return null;
  }
}

/** A name for one answer, so that sending it twice gives one. */
export function nonce() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
