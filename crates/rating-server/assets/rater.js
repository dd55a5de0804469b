// The raters' page: shows what the server wants shown.

import * as chat from "./chat.js";
import { byId, element, keptAnswer, persist, show, text } from "./core.js";
import * as items from "./items.js";

function message(title, detail) {
  byId("message-title").textContent = title;
  byId("message-detail").textContent = detail;
  byId("message-back").hidden = true;
  show("message");
  byId("message-title").focus();
}

function guideline(state) {
  byId("guideline-title").textContent = state.title;
  byId("guideline-text").replaceChildren(
    ...state.sections.flatMap((part) => [element("h3", "", part.heading), element("p", "", part.text)]),
  );
  show("guideline");
  byId("guideline-title").focus();
}

function render(state) {
  if (state.stage === "item") items.showItem(state);
  else if (state.stage === "guideline") guideline(state);
  else if (state.stage === "chat") chat.showChat(state);
  else if (state.stage === "paused") message(text("paused"), "");
  else if (state.stage === "nothing") {
    byId("progress-box").hidden = true;
    message(text("nothing"), text("nothing_more", { done: state.done }));
    byId("message-back").hidden = !state.has_before;
  } else message(text("unknown_link"), "");
}

items.setUp(render);
chat.setUp(render);
byId("agree").addEventListener("click", async () => {
  const { data } = await persist("POST", "/api/guideline", {});
  render(data.state ?? data);
});

const unsaved = keptAnswer();
if (unsaved) await items.submit(unsaved);
else render((await persist("GET", "/api/state")).data);
