// A chat by keyboard alone, in Chromium: pieces, candidates, stop, a new conversation, the key.
//
// node session.mjs PLAN.json: the plan has the addresses of two servers, one of which wants a key
// and keeps what is said. With `pictures`, screenshots are left in that folder. Any fault ends it
// with status 1.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { focus, start, text } from "../../../web-server/browser/browser.mjs";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { browser, complaints, open, picture, check } = await start(plan);

const EVIL = [
  "<img src=x onerror=alert(1)>",
  "<marquee>hi</marquee>",
  "&lt;b&gt;",
  "</p><script>document.title='taken'</script>",
  "hi<|endoftext|>bye",
  "\u202etxt.exe",
];

const ready = (page) => page.waitForFunction(() => document.activeElement.id === "message");
const turns = (page) => page.$$eval("#log .turn > .said", (all) => all.map((one) => one.textContent));
const idle = (page) => page.waitForFunction(() => !document.body.classList.contains("busy"));
const narrow = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);

async function until(holds) {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Types a message, sends it by Enter, and waits for the end of the reply. */
async function say(page, message) {
  await page.keyboard.type(message);
  await page.keyboard.press("Enter");
  await idle(page);
}

/** Tabs to an element, as somebody without a mouse does. */
async function tabTo(page, id) {
  for (let count = 0; count < 40; count += 1) {
    if ((await focus(page)) === id) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`#${id} cannot be reached by the Tab key`);
}

async function chat(scheme, width, height) {
  const name = `${scheme}-${width}`;
  const page = await open("/", { scheme, width, height });
  await ready(page);
  assert.equal(await page.title(), `Talk to ${plan.name}`);
  assert.match(await text(page, "kept"), /^Nothing that is said here is kept/);
  await picture(page, `empty-${name}`, false);
  await check(page, `empty ${name}`);

  // Text is text: the page shows characters, no element comes of them.
  for (const evil of EVIL) await say(page, evil);
  assert.deepEqual(await turns(page), EVIL.flatMap((evil) => [evil, evil]));
  assert.equal(await page.$$eval("#log img, #log marquee, #log b, #log script, h1 script", (all) => all.length), 0);
  assert.equal(await page.title(), `Talk to ${plan.name}`);
  assert.equal(await text(page, "heard"), `${plan.name}: ${EVIL.at(-1)}`);
  assert.ok(await narrow(page));
  // The stub reads four turns.
  assert.match(await text(page, "log"), /The beginning of this conversation is no longer read/);
  assert.equal((await page.$$("#log .note")).length, 1);

  await tabTo(page, "reset");
  await page.keyboard.press("Enter");
  assert.deepEqual(await turns(page), []);
  assert.equal(await focus(page), "message");

  // Pieces show as they come, and Escape stops the reply.
  await page.keyboard.type("count");
  await page.keyboard.press("Enter");
  const said = () => page.$$eval("#log .turn:last-child > .said", ([one]) => one?.textContent ?? "");
  await page.waitForFunction(() => document.querySelector("#log .writing .said")?.textContent.startsWith("1 2 "));
  const early = (await said()).length;
  await page.waitForFunction((early) => document.querySelector("#log .writing .said").textContent.length > early + 9, {}, early);
  assert.equal(await page.$eval("#stop", (button) => button.hidden), false);
  await picture(page, `writing-${name}`, false);
  await check(page, `writing ${name}`);
  await page.keyboard.press("Escape");
  await idle(page);
  const stopped = await said();
  assert.ok(stopped.length > early && !stopped.endsWith("200 "), stopped);
  assert.equal(await text(page, "status"), "Stopped.");
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(await said(), stopped);

  // The same by the button, and what was said stays a part of the conversation.
  await page.keyboard.type("count");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("#log .writing .said")?.textContent.startsWith("1 2 "));
  await tabTo(page, "stop");
  await page.keyboard.press("Enter");
  await idle(page);
  assert.equal((await turns(page)).length, 4);

  // Several candidates: the best one, and the others on demand.
  await tabTo(page, "settings-open");
  await page.keyboard.press("Enter");
  await tabTo(page, "candidates");
  await page.keyboard.type("3");
  await picture(page, `settings-${name}`, false);
  await check(page, `settings ${name}`);
  await tabTo(page, "message");
  await say(page, "Do you like to swim in the sea, or would you rather go up a hill?");
  const last = "#log .turn:not(:has(~ .turn)) details";
  await page.waitForSelector(last);
  await page.focus(`${last} summary`);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("#log details[open] li"));
  assert.deepEqual(await page.$$eval(`${last} .score`, (all) => all.map((one) => one.textContent)), ["-0.500", "-0.625", "-0.750"]);
  await page.$eval(last, (details) => details.scrollIntoView({ block: "center" }));
  await picture(page, `candidates-${name}`, false);
  await check(page, `candidates ${name}`);
  await tabTo(page, "message");
  await say(page, "an awful thing");
  assert.match(await text(page, "log"), /Nothing that may be said.*not given: holds an offensive word/s);

  // What goes wrong is said, and the message is not lost.
  await page.setOfflineMode(true);
  await say(page, "are you there?");
  assert.equal(await text(page, "trouble"), "The server cannot be reached.");
  assert.equal(await page.$eval("#message", (field) => field.value), "are you there?");
  await picture(page, `offline-${name}`, false);
  await check(page, `offline ${name}`);
  await page.setOfflineMode(false);
  await page.keyboard.press("Enter");
  await idle(page);
  assert.equal(await page.$eval("#trouble", (box) => box.hidden), true);

  // Long words and many lines stay within the page.
  await page.$eval("#candidates", (field) => (field.value = ""));
  await page.keyboard.type("x".repeat(300));
  await page.keyboard.down("Shift");
  await page.keyboard.press("Enter");
  await page.keyboard.up("Shift");
  await say(page, "second line");
  assert.equal((await turns(page)).at(-1), `${"x".repeat(300)}\nsecond line`);
  assert.ok(await narrow(page));
  await picture(page, `long-${name}`, false);
  await check(page, `long ${name}`);
  await page.browserContext().close();
}

async function withKey() {
  const page = await open(plan.guarded);
  await page.waitForFunction(() => document.activeElement.id === "key");
  await picture(page, "key", false);
  await check(page, "key");
  assert.equal(await text(page, "kept"), "This server wants its key.");
  await page.keyboard.type("wrong");
  await page.keyboard.press("Enter");
  const refused = () => document.getElementById("kept").textContent === "This is not the server's key.";
  await page.waitForFunction(refused);

  // A refusal that comes after the right key's welcome changes nothing.
  await page.setRequestInterception(true);
  let held;
  page.once("request", (request) => (held = request));
  await page.keyboard.type("wrong again");
  await page.keyboard.press("Enter");
  await until(() => held);
  page.on("request", (request) => request.continue());
  await page.keyboard.type(plan.key);
  await page.keyboard.press("Enter");
  await ready(page);
  assert.match(await text(page, "kept"), /is kept/);
  const late = page.waitForResponse((response) => response.status() === 401);
  await held.continue();
  await (await late).text();
  assert.match(await text(page, "kept"), /is kept/);
  await say(page, "Hi");
  await page.browserContext().close();
  // With the key in the address, which it leaves at once.
  const other = await open(`${plan.guarded}/#key=${encodeURIComponent(plan.key)}`);
  await ready(other);
  assert.equal(await other.evaluate(() => location.href), `${plan.guarded}/`);
  await say(other, "Hi");
  assert.deepEqual(await turns(other), ["Hi", "Hi"]);
  await other.browserContext().close();
}

try {
  await chat("light", 1100, 800);
  await chat("dark", 360, 700);
  await withKey();
  assert.deepEqual(complaints, []);
} catch (error) {
  console.error(error.message, complaints.join("\n"), error.stack);
  process.exitCode = 1;
} finally {
  await browser.close();
}
