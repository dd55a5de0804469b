// Items and pairs: showing them, taking answers, going back, skipping.

import { byId, element, keep, nonce, persist, request, said, show, tell, text, unkeep, warn } from "./core.js";

let shown = null; // The item on the page.
let votes = {}; // Answers given so far to its questions.
let since = 0; // When it was shown, by a clock that does not jump.
let busy = false;
let onState = () => {};

/** `next` is called with what the server wants shown next. */
export function setUp(next) {
  onState = next;
  byId("undo").addEventListener("click", back);
  byId("message-back").addEventListener("click", last);
  byId("forward").addEventListener("click", forward);
  byId("skip").addEventListener("click", openSkip);
  byId("skip-cancel").addEventListener("click", closeSkip);
  byId("skip-form").addEventListener("submit", (event) => {
    event.preventDefault();
    skip();
  });
  byId("skip-form").addEventListener("change", () => {
    byId("skip-other").hidden = chosenReason() !== "other";
  });
  for (const button of document.querySelectorAll("button[data-question]")) {
    button.addEventListener("click", () => vote(button.dataset.question, button.dataset.value));
  }
  byId("go-on").addEventListener("click", async () => {
    const pending = byId("feedback").next;
    byId("feedback").next = null;
    if (pending) onState(pending);
  });
  document.addEventListener("keydown", key);
  byId("keys-switch").addEventListener("click", switchKeys);
}

// Single keys disturb who speaks to the page (WCAG 2.1.4): whoever likes turns them off.
const KEYS = "rating-keys";
let keysWork = storedKeys() !== "off";

function storedKeys() {
  try {
    return localStorage.getItem(KEYS);
  } catch {
    return null;
  }
}

function switchKeys() {
  keysWork = !keysWork;
  try {
    localStorage.setItem(KEYS, keysWork ? "on" : "off");
  } catch {
    // The choice then lasts as long as the page is open.
  }
  showKeys();
}

function showKeys() {
  document.body.classList.toggle("without-keys", !keysWork);
  byId("keys-switch").textContent = text(keysWork ? "keys_off" : "keys_on");
}

/** Shows an item. */
export function showItem(item) {
  shown = item;
  votes = {};
  since = performance.now();
  const pair = item.kind === "pair";
  byId("practice").hidden = item.kind !== "practice";
  const context = byId("context");
  context.replaceChildren(
    ...item.context.map((turn) => {
      const line = element("li", `turn speaker-${turn.speaker === "A" ? "a" : "b"}`);
      line.append(element("span", "speaker", text("speaker", { name: turn.speaker })));
      line.append(said(turn.text));
      return line;
    }),
  );
  byId("no-context").hidden = item.context.length > 0;
  byId("single").hidden = pair;
  byId("sides").hidden = !pair;
  if (pair) {
    reply("left", item.responses[0]);
    reply("right", item.responses[1]);
  } else {
    reply("response", item.responses[0]);
  }
  byId("ask-sensible").textContent = item.questions.sensible;
  byId("ask-specific").textContent = item.questions.specific;
  byId("ask-human_like").textContent = item.questions.human_like ?? "";
  byId("comment").value = item.own?.comment ?? "";
  byId("comment-box").open = Boolean(item.own?.comment);
  byId("keys").textContent = text(pair ? "keys_pair" : "keys");
  showKeys();
  byId("undo").hidden = !item.has_before;
  byId("forward").hidden = item.revision === 0;
  byId("skip").hidden = item.kind === "practice";
  const own = ownAnswer(item);
  byId("own").hidden = !own;
  byId("own").textContent = own ? text("own_answer", { answer: own }) : "";
  closeSkip(false);
  progress(item.done, item.of);
  questions();
  show("item");
  byId("item-title").focus();
}

/** Fills in a reply; one without a word is said to be empty. */
function reply(id, content) {
  const empty = content.trim() === "";
  byId(id).textContent = empty ? text("empty_reply") : content;
  byId(id).classList.toggle("quiet", empty);
}

export function progress(done, of) {
  byId("progress-text").textContent = text("progress", { done, of });
  byId("progress").max = Math.max(of, 1);
  byId("progress").value = done;
  byId("progress-box").hidden = false;
}

function ownAnswer(item) {
  const own = item.own;
  if (!own) return "";
  if (own.skip !== null) return text("answer_skipped");
  if (own.choice) {
    const names = { left: "better_left", right: "better_right", tie: "tie", "both-bad": "both_bad" };
    return text(names[own.choice]);
  }
  return text(label(own.sensible, own.specific));
}

function label(sensible, specific) {
  if (!sensible) return "answer_not_sensible";
  return specific ? "answer_specific" : "answer_sensible";
}

/** The question that is to be answered now. */
function current() {
  if (shown.kind === "pair") return "choice";
  if (!("sensible" in votes)) return "sensible";
  if (votes.sensible && !("specific" in votes)) return "specific";
  return shown.questions.human_like && !("human_like" in votes) ? "human_like" : null;
}

function questions() {
  const now = current();
  for (const group of document.querySelectorAll("#item fieldset[data-question]")) {
    const name = group.dataset.question;
    group.hidden = name !== now && !(name in votes);
    for (const button of group.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(String(votes[name]) === button.dataset.value));
    }
  }
}

async function vote(question, value) {
  if (busy || !shown) return;
  if (question === "sensible") votes = {};
  if (question === "specific") delete votes.human_like;
  votes[question] = question === "choice" ? value : value === "true";
  questions();
  const now = current();
  if (now && question !== "choice") {
    const group = document.querySelector(`fieldset[data-question="${now}"]`);
    group.querySelector("button").focus();
    return;
  }
  await send({ ...votes });
}

async function send(votes) {
  const answer = {
    place: shown.place,
    revision: shown.revision,
    nonce: nonce(),
    comment: byId("comment").value || null,
    duration_ms: Math.round(performance.now() - since),
    ...votes,
  };
  await submit(answer);
}

/** Sends an answer until the server has it, then shows what comes next. */
export async function submit(answer) {
  busy = true;
  document.body.classList.add("busy");
  tell(text("saving"));
  keep(answer);
  const { status, data } = await persist("POST", "/api/answer", answer);
  unkeep();
  busy = false;
  document.body.classList.remove("busy");
  if (status === 200) {
    tell(text("saved"));
    if (data.result.saved === "late") warn(text("late"));
    if (data.result.saved === "practice") feedback(data);
    else onState(data.state);
  } else if (status === 409) {
    tell("");
    await reload();
    warn(text("conflict"));
  } else {
    tell("");
    votes = {};
    if (shown) questions();
    else await reload();
    warn(text("refused", { why: data.error ?? status }));
  }
}

async function reload() {
  const { data } = await persist("GET", "/api/state");
  onState(data);
}

function feedback({ result, state }) {
  const names = { "not-sensible": "answer_not_sensible", sensible: "answer_sensible", specific: "answer_specific" };
  const answer = text(names[result.expected]);
  byId("verdict").textContent = result.right
    ? text("practice_right")
    : text("practice_wrong", { answer });
  reply("feedback-reply", shown?.responses[0] ?? "");
  byId("feedback-reply").hidden = !shown;
  byId("explanation").textContent = result.explanation;
  byId("feedback").next = state;
  show("feedback");
  byId("verdict").focus();
}

async function back() {
  if (busy || !shown || !shown.has_before) return;
  await showBefore(shown.place);
}

/** Back from the end, where nothing is left. */
async function last() {
  if (!busy) await showBefore(Number.MAX_SAFE_INTEGER);
}

async function showBefore(place) {
  const { status, data } = await request("GET", `/api/before/${place}`);
  if (status === 200) {
    showItem(data);
    tell(byId("own").textContent);
  }
}

async function forward() {
  if (!busy) await reload();
}

function chosenReason() {
  return byId("skip-form").querySelector("input:checked")?.value ?? "";
}

function openSkip() {
  if (busy || byId("skip").hidden) return;
  byId("skip-form").hidden = false;
  byId("skip-form").querySelector("input").focus();
}

function closeSkip(focus = true) {
  byId("skip-form").hidden = true;
  byId("skip-form").reset();
  byId("skip-other").hidden = true;
  if (focus) byId("skip").focus();
}

async function skip() {
  if (busy) return;
  const chosen = byId("skip-form").querySelector("input:checked");
  if (!chosen) {
    byId("skip-form").querySelector("input").focus();
    return;
  }
  const own = byId("skip-reason").value.trim();
  await send({ skip: chosen.value === "other" ? `other: ${own}` : chosen.value });
}

function key(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.key === "Escape") {
    if (!byId("skip-form").hidden) closeSkip();
    else if (event.target.id === "comment") byId("item-title").focus();
    return;
  }
  if (["TEXTAREA", "INPUT"].includes(event.target.tagName) || !keysWork) return;
  const name = event.key.toLowerCase();
  if (name === "b" && !byId("message").hidden && !byId("message-back").hidden) last();
  if (byId("item").hidden) return;
  const digit = Number(name);
  if (digit >= 1) {
    const group = document.querySelector(`fieldset[data-question="${current()}"]`);
    group?.querySelectorAll("button")[digit - 1]?.click();
  } else if (name === "b") back();
  else if (name === "s") openSkip();
  else if (name === "c") {
    byId("comment-box").open = true;
    byId("comment").focus();
  } else return;
  event.preventDefault();
}
