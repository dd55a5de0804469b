// Requests to the server, and events as they come.

const KEPT = "key of this server";
let key = "";

/** The key in the address, behind #key=, whatever signs it has. */
function keyOfAddress() {
  if (!location.hash.startsWith("#key=")) return "";
  const given = location.hash.slice("#key=".length);
  try {
    return decodeURIComponent(given);
  } catch {
    // A percent sign that encodes nothing.
    return given;
  }
}

/** The key: in the address, from which it is taken away, or of this tab. */
export function findKey() {
  const given = keyOfAddress();
  if (given) {
    history.replaceState(null, "", location.pathname);
    useKey(given);
    return;
  }
  try {
    key = sessionStorage.getItem(KEPT) ?? "";
  } catch {
    // Private windows may have no storage.
  }
}

export function useKey(given) {
  key = given;
  try {
    sessionStorage.setItem(KEPT, given);
  } catch {
    // As above.
  }
}

function headers() {
  const all = { "Content-Type": "application/json" };
  if (key) all.Authorization = `Bearer ${key}`;
  return all;
}

/** What went wrong, with the status of the response, 0 without one. */
export class Trouble extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function trouble(response) {
  const body = await response.json().catch(() => ({}));
  let message = body.error?.message ?? `The server answers ${response.status}.`;
  const seconds = response.headers.get("Retry-After");
  if (seconds) message += ` (${seconds} s)`;
  return new Trouble(response.status, message);
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: headers(), cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(0, "The server cannot be reached.");
  }
  if (!response.ok) throw await trouble(response);
  return response;
}

export async function about() {
  return (await ask("/api/about", {})).json();
}

/** Asks for a reply; `told(name, data)` hears each event. Ends when the reply does. */
export async function reply(request, signal, told) {
  const body = JSON.stringify({ ...request, stream: true });
  const response = await ask("/api/chat", { method: "POST", body, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  let over = false;
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Trouble(0, "The connection broke off.");
    }
    if (piece.done) break;
    const blocks = (held + piece.value).split("\n\n");
    held = blocks.pop();
    for (const block of blocks) {
      let name = "message";
      let data = "";
      for (const line of block.split("\n")) {
        if (line.startsWith("event:")) name = line.slice(6).trim();
        if (line.startsWith("data:")) data += line.slice(5);
      }
      if (!data) continue;
      const value = JSON.parse(data);
      if (name === "error") throw new Trouble(503, value.error.message);
      over ||= name === "done";
      told(name, value);
    }
  }
  if (!over) throw new Trouble(0, "The connection broke off.");
}
