// A conversation with a system whose name is not told.

import { byId, element, persist, said as saying, show, tell, text, warn } from "./core.js";

let chat = null;
let busy = false;
let onState = () => {};

export function setUp(next) {
  onState = next;
  byId("chat-form").addEventListener("submit", (event) => {
    event.preventDefault();
    say(byId("chat-message").value.trim());
  });
  byId("chat-message").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      say(byId("chat-message").value.trim());
    }
  });
  byId("chat-open").addEventListener("click", () => say(chat.opening));
  byId("chat-retry").addEventListener("click", () => say(chat.turns.at(-1), chat.turns.length - 1));
  byId("chat-end").addEventListener("click", end);
}

export function showChat(state) {
  const fresh = byId("chat").hidden;
  chat = state;
  byId("chat-title").textContent = text("chat_title", { done: chat.done + 1, of: chat.of });
  byId("chat-hint").textContent = text("chat_hint", { min: chat.min, max: chat.max });
  byId("chat-open").textContent = text("chat_open", { opening: chat.opening });
  byId("progress-box").hidden = true;
  draw();
  show("chat");
  if (fresh) byId("chat-title").focus();
}

function draw() {
  const waits = chat.turns.length % 2 === 1;
  const log = byId("chat-log");
  // Only what is new is added, so that a screen reader does not begin anew.
  if (log.children.length > chat.turns.length) log.replaceChildren();
  chat.turns.slice(log.children.length).forEach((said) => {
    const own = log.children.length % 2 === 0;
    const line = element("li", `turn ${own ? "speaker-a" : "speaker-b"}`);
    line.append(element("span", "speaker", text(own ? "chat_you" : "chat_partner")));
    line.append(saying(said));
    log.append(line);
  });
  log.lastElementChild?.scrollIntoView({ block: "nearest" });
  byId("chat-open").hidden = chat.turns.length > 0;
  byId("chat-form").hidden = chat.turns.length === 0;
  byId("chat-retry").hidden = !waits || busy;
  byId("chat-end").hidden = waits || chat.turns.length < chat.min;
  byId("chat-count").textContent = text("chat_count", {
    count: chat.turns.length,
    min: chat.min,
    max: chat.max,
  });
}

async function say(message, turn = chat.turns.length) {
  if (busy || !message || turn % 2 === 1) return;
  busy = true;
  warn("");
  if (turn === chat.turns.length) chat.turns.push(message);
  byId("chat-message").value = "";
  draw();
  tell(text("chat_waiting"));
  const { status, data } = await persist("POST", "/api/chat/say", { turn, text: message });
  busy = false;
  tell("");
  if (status === 200) {
    if (data.failed) warn(text("chat_failed"));
    if (data.state.stage !== "chat" || data.state.turns.length === 0) byId("chat-log").replaceChildren();
    onState(data.state);
    if (data.state.stage === "chat") byId("chat-message").focus();
  } else {
    byId("chat-log").replaceChildren();
    onState((await persist("GET", "/api/state")).data);
    warn(status === 409 ? text("conflict") : text("refused", { why: data.error ?? status }));
  }
}

async function end() {
  if (busy) return;
  const { status, data } = await persist("POST", "/api/chat/end", {});
  if (status === 200) {
    byId("chat-log").replaceChildren();
    byId("chat").hidden = true;
    onState(data.state);
  } else warn(text("refused", { why: data.error ?? status }));
}
