// The conversation. It is in this page alone, and sent whole with each message.

import { Trouble, about, findKey, reply, useKey } from "./talk.js";

const byId = (id) => document.getElementById(id);

let model = { name: "Model" };
/** What was said so far: texts, the person's first. */
let turns = [];
let conversation = "";
/** Ends the reply under way. */
let abort = null;
/** How much of the beginning was not read at the last reply. */
let leftOut = 0;

/** A new element with a class and a text; text is never read as HTML. */
function element(tag, className, content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (content !== undefined) made.textContent = content;
  return made;
}

function tell(message) {
  byId("status").textContent = message;
}

function warn(message) {
  byId("trouble").textContent = message;
  byId("trouble").hidden = message === "";
  if (message) byId("trouble").scrollIntoView({ block: "nearest" });
}

/** Whether the end of the page is in view, so that it should stay there. */
const atEnd = () => innerHeight + scrollY >= document.documentElement.scrollHeight - 80;

function showEnd(wanted) {
  if (wanted) scrollTo(0, document.documentElement.scrollHeight);
}

function addTurn(own, content) {
  const line = element("li", own ? "turn own" : "turn");
  line.append(element("span", "speaker", own ? "You" : model.name));
  const said = element("p", "said", content);
  said.dir = "auto";
  line.append(said);
  byId("log").append(line);
  byId("empty").hidden = true;
  return line;
}

function note(content) {
  byId("log").append(element("li", "note", content));
}

/** The candidates of a reply, to be opened. */
function why(candidates) {
  const details = element("details");
  const count = candidates.length === 1 ? "1 candidate" : `${candidates.length} candidates`;
  details.append(element("summary", "", `${count}, with scores`));
  const list = element("ol", "candidates");
  for (const { text, score, dropped } of candidates) {
    const line = element("li");
    line.append(element("span", "score", score === null ? "–" : score.toFixed(3)));
    const nothing = dropped?.unsafe_text ? "(withheld)" : "(nothing)";
    const said = element("span", "said", text === "" ? nothing : text);
    said.dir = "auto";
    line.append(said);
    if (dropped) line.append(element("span", "why", `not given: ${dropped.why}`));
    list.append(line);
  }
  details.append(list);
  details.append(element("p", "quiet", "The score is the mean ln p of a token; the best is given."));
  return details;
}

/** What is read of the conversation, where it is not all of it. */
function sayWhatIsRead({ turns_left_out: count, last_turn_cut: cut }) {
  if (cut) note("Your message is longer than what can be read at once: its beginning was left out.");
  else if (count > 0 && leftOut === 0) note("The beginning of this conversation is no longer read.");
  leftOut = count;
}

/** The turns that the server takes: a long conversation loses its beginning, both sides alike. */
function taken(all) {
  const { turns: most, bytes } = model.limits;
  const size = (some) => new TextEncoder().encode(JSON.stringify(some)).length + 1024;
  let some = all;
  while (some.length > 2 && (some.length > most || size(some) > bytes)) some = some.slice(2);
  return some;
}

function chosen() {
  const value = (id) => (byId(id).value === "" ? undefined : Number(byId(id).value));
  return { candidates: value("candidates"), temperature: value("temperature"), seed: value("seed") };
}

function busy(is) {
  document.body.classList.toggle("busy", is);
  byId("send").hidden = is;
  byId("stop").hidden = !is;
}

async function say(message) {
  if (abort || message.trim() === "") return;
  abort = new AbortController();
  warn("");
  // A reset begins another list.
  const spoken = turns;
  spoken.push(message);
  const own = addTurn(true, message);
  byId("message").value = "";
  fit();
  busy(true);
  tell("Sent");
  showEnd(true);
  const request = { turns: taken(spoken), conversation, ...chosen() };
  let line = null;
  let text = "";
  let done = null;
  const told = (name, data) => {
    const end = atEnd();
    if (name === "start" && data.waiting > 0) {
      tell(data.waiting === 1 ? "One reply comes first." : `${data.waiting} replies come first.`);
    } else if (name === "begin") {
      tell(`${model.name} writes`);
    } else if (name === "piece" && data.text) {
      line ??= addTurn(false, "");
      line.classList.add("writing");
      text += data.text;
      line.querySelector(".said").textContent = text;
    } else if (name === "piece" && line === null) {
      tell(`${model.name} writes: ${data.tokens} tokens`);
    } else if (name === "done") {
      done = data;
    }
    showEnd(end);
  };
  const finish = () => {
    const stay = atEnd();
    tell("");
    if (done?.reply) {
      line ??= addTurn(false, "");
      text = done.reply;
      line.querySelector(".said").textContent = text;
      spoken.push(text);
      line.append(why(done.candidates));
      sayWhatIsRead(done.read);
      if (done.finish === "time") note("The reply took too long and was ended.");
      byId("heard").textContent = `${model.name}: ${text}`;
    } else if (done) {
      // Nothing that may be said: what the person said is taken back, too.
      line?.remove();
      spoken.pop();
      const empty = element("li", "turn");
      empty.append(element("p", "quiet", "Nothing that may be said; say it in other words."), why(done.candidates));
      byId("log").append(empty);
      byId("heard").textContent = "There is no reply.";
    }
    showEnd(stay);
  };
  try {
    await reply(request, abort.signal, told);
    finish();
  } catch (error) {
    tell("");
    if (spoken !== turns) return;
    if (text !== "") {
      // What has come stays, and is a part of the conversation.
      spoken.push(text);
    } else {
      spoken.pop();
      own.remove();
      byId("message").value = message;
      byId("empty").hidden = byId("log").children.length > 0;
      fit();
    }
    if (error.name === "AbortError") tell("Stopped.");
    else if (error instanceof Trouble) trouble(error);
    else throw error;
  } finally {
    line?.classList.remove("writing");
    abort = null;
    busy(false);
    if (document.activeElement === document.body) byId("message").focus();
  }
}

function trouble(error) {
  if (error.status === 401) askForKey(error.message);
  else warn(error.message);
}

function stop() {
  abort?.abort();
  byId("message").focus();
}

function reset() {
  abort?.abort();
  turns = [];
  leftOut = 0;
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  conversation = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  byId("log").replaceChildren();
  byId("empty").hidden = false;
  byId("heard").textContent = "A new conversation begins.";
  warn("");
  tell("");
}

/** The field is as high as what is in it. */
function fit() {
  const field = byId("message");
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}

/** Shows the conversation, or takes it away. */
function shown(is) {
  for (const id of ["chat", "composer", "reset"]) byId(id).hidden = !is;
}

function askForKey(message) {
  shown(false);
  byId("key-form").hidden = false;
  byId("kept").textContent = message;
  byId("key").focus();
}

// How often the model was asked for: only the last answer counts, whichever comes last.
let asked = 0;

/** Asks for the model and shows the conversation; `refused` is what is said without a right key. */
async function open(refused) {
  asked += 1;
  const mine = asked;
  try {
    const answer = await about();
    if (mine !== asked) return;
    model = answer;
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (mine !== asked) return;
    if (error.status === 401) return askForKey(refused);
    byId("chat").hidden = false;
    return warn(`${error.message} Load the page again.`);
  }
  document.title = `Talk to ${model.name}`;
  byId("title").textContent = `Talk to ${model.name}`;
  byId("kept").textContent = model.kept
    ? "What is said here is kept: the server writes it to a file."
    : "Nothing that is said here is kept by the server.";
  byId("candidates").max = model.limits.candidates;
  byId("candidates").placeholder = model.candidates;
  byId("temperature").placeholder = model.temperature;
  byId("key-form").hidden = true;
  shown(true);
  byId("message").focus();
}

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  say(byId("message").value);
});
byId("message").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    say(byId("message").value);
  }
});
byId("message").addEventListener("input", fit);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && abort) stop();
});
byId("stop").addEventListener("click", stop);
byId("reset").addEventListener("click", () => {
  reset();
  byId("message").focus();
});
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(byId("key").value.trim());
  byId("key").value = "";
  open("This is not the server's key.");
});

reset();
byId("heard").textContent = "";
findKey();
open("This server wants its key.");
