// A rater's session by keyboard alone, a conversation, and a researcher's day, in Chromium.
//
// node session.mjs PLAN.json: the plan has the server's address, the raters' tokens and the
// password. With `pictures`, screenshots are left in that folder. Any fault ends it with status 1.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { focus, start, text } from "../../../web-server/browser/browser.mjs";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { browser, complaints, open, picture, check } = await start(plan);

const visible = (page, id) =>
  page.waitForFunction((id) => !document.getElementById(id).hidden, { timeout: 10000 }, id);
const settled = (page) => page.waitForFunction(() => !document.body.classList.contains("busy"));

/** Presses a key and waits until the page shows another place, or another part. */
async function press(page, ...keys) {
  for (const key of keys) {
    await page.keyboard.press(key);
    await settled(page);
  }
}

/** Tabs to an element, as somebody without a mouse does. */
async function tabTo(page, id) {
  for (let count = 0; count < 40; count += 1) {
    if ((await focus(page)) === id) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`#${id} cannot be reached by the Tab key`);
}

async function readGuideline(page) {
  await visible(page, "guideline");
  assert.equal(await focus(page), "guideline-title");
  await tabTo(page, "agree");
  await press(page, "Enter");
}

/** Without single keys, digits and letters do nothing, and nothing speaks of them. */
async function withoutKeys(page, place, name) {
  const shown = (selector) => page.$$eval(selector, (all) => all.filter((one) => one.checkVisibility()).length);
  assert.ok((await shown("kbd")) > 0 && (await shown("#keys")) === 1);
  await tabTo(page, "keys-switch");
  await press(page, "Enter");
  assert.deepEqual([await shown("kbd"), await shown("#keys")], [0, 0]);
  const still = await place();
  await press(page, "1", "2", "s", "b");
  assert.equal(await place(), still);
  assert.equal(await shown("#skip-form"), 0);
  await picture(page, `without-keys-${name}`);
  await check(page, `without keys ${name}`);
  await page.reload();
  await visible(page, "item");
  assert.equal(await shown("kbd"), 0, "the choice is remembered");
  await tabTo(page, "keys-switch");
  await press(page, "Enter");
  assert.ok((await shown("kbd")) > 0);
}

async function rater(token, scheme, width) {
  const name = `${scheme}-${width}`;
  const page = await open(`/r/${token}`, { scheme, width });
  await visible(page, "guideline");
  await picture(page, `guideline-${name}`);
  await check(page, `guideline ${name}`);
  await readGuideline(page);

  // Practice: an answer, what the guideline says, on.
  let practised = 0;
  for (;;) {
    await visible(page, "item");
    if (await page.$eval("#practice", (element) => element.hidden)) break;
    assert.equal(await focus(page), "item-title");
    await press(page, "1");
    if (practised === 0) {
      await picture(page, `item-${name}`);
      await check(page, `item ${name}`);
    }
    await press(page, "1");
    await visible(page, "feedback");
    assert.equal(await focus(page), "verdict");
    if (practised === 0) {
      await picture(page, `feedback-${name}`);
      await check(page, `feedback ${name}`);
    }
    await tabTo(page, "go-on");
    await press(page, "Enter");
    practised += 1;
  }
  assert.equal(practised, plan.practice);

  // Text is text.
  assert.ok((await text(page, "response")).startsWith("<img src=x"));
  assert.equal(await page.evaluate(() => document.images.length), 0);

  const saved = () => page.waitForFunction(() => document.getElementById("status").textContent === "Saved.");
  const place = () => text(page, "progress-text");
  const begun = await place();
  await press(page, "1", "2");
  await saved();
  assert.notEqual(await place(), begun);

  // Back, and another answer.
  await press(page, "b");
  await page.waitForFunction(() => !document.getElementById("own").hidden);
  assert.match(await text(page, "own"), /makes sense, not specific/);
  await press(page, "2");
  await page.waitForFunction(() => document.getElementById("own").hidden);

  // A phone has no keys to speak of.
  if (width > 640) await withoutKeys(page, place, name);

  // A comment, and the keys in it are letters.
  await press(page, "c");
  await page.keyboard.type("s 1 2 b");
  await press(page, "Escape");
  assert.equal(await text(page, "item-title"), "Conversation");
  await press(page, "2");
  await saved();

  // Without a connection the answer is kept and said to be unsaved.
  const before = await place();
  await page.setOfflineMode(true);
  // On a busy machine it takes a moment until requests fail.
  await page.waitForFunction(() => fetch("/assets/base.css", { cache: "no-store" }).then(() => false, () => true));
  await page.keyboard.press("2");
  await page.waitForFunction(() => document.getElementById("trouble").textContent.includes("Not saved yet"));
  await picture(page, `offline-${name}`);
  await check(page, `offline ${name}`);
  assert.equal(await place(), before);
  await page.setOfflineMode(false);
  await page.waitForFunction((old) => document.getElementById("progress-text").textContent !== old, { timeout: 20000 }, before);

  // Skipping, with the arrow keys.
  await press(page, "s");
  await visible(page, "skip-form");
  await picture(page, `skip-${name}`);
  await check(page, `skip ${name}`);
  await page.keyboard.press("ArrowDown");
  await press(page, "Enter");

  // The page closed and opened again goes on at the same place; so does a second window.
  await settled(page);
  const here = await place();
  await page.reload();
  await visible(page, "item");
  assert.equal(await place(), here);
  const second = await page.browserContext().newPage();
  await second.goto(`${plan.url}/r/${token}`);
  await visible(second, "item");
  await page.bringToFront();
  await press(page, "2");
  await saved();
  await second.bringToFront();
  await press(second, "1", "1");
  await second.waitForFunction(() => document.getElementById("trouble").textContent.includes("another window"));
  await second.close();
  await page.bringToFront();

  for (let count = 0; count < 60; count += 1) {
    if (!(await page.$eval("#item", (element) => !element.hidden))) break;
    await press(page, "2");
  }
  await visible(page, "message");
  await picture(page, `done-${name}`);
  await check(page, `done ${name}`);
  // The last answer can be changed like all others.
  await press(page, "b");
  await visible(page, "item");
  assert.match(await text(page, "own"), /makes no sense/);
  await tabTo(page, "forward");
  await press(page, "Enter");
  await visible(page, "message");
  await page.browserContext().close();
}

async function comparer(scheme, width) {
  const page = await open(plan.pairs, { scheme, width });
  await readGuideline(page);
  await visible(page, "item");
  await picture(page, `pair-${scheme}-${width}`);
  await check(page, "pair");
  await press(page, "3");
  await visible(page, "message");
  await page.browserContext().close();
}

async function talker(token) {
  const page = await open(`/r/${token}`);
  await readGuideline(page);
  for (let count = 0; count < plan.practice; count += 1) {
    await visible(page, "item");
    await press(page, "2");
    await visible(page, "feedback");
    await tabTo(page, "go-on");
    await press(page, "Enter");
  }
  await visible(page, "chat");
  await tabTo(page, "chat-open");
  await press(page, "Enter");
  const turns = (count) =>
    page.waitForFunction((count) => document.querySelectorAll("#chat-log li").length === count, {}, count);
  await turns(2);
  assert.equal(await focus(page), "chat-message");
  await page.keyboard.type("<b>bold</b> &lt;i&gt; Do you swim?");
  await press(page, "Enter");
  await turns(4);
  assert.equal(await page.$$eval("#chat-log b, #chat-log i", (found) => found.length), 0);
  await picture(page, "chat");
  await check(page, "chat");
  await tabTo(page, "chat-end");
  await press(page, "Enter");
  await page.waitForFunction(() => document.getElementById("chat").hidden);
  await page.browserContext().close();
}

async function researcher(scheme) {
  const page = await open("/admin", { scheme });
  assert.ok(page.url().endsWith("/admin/login"));
  await picture(page, `login-${scheme}`);
  await check(page, `login ${scheme}`);
  await page.keyboard.type(plan.password);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.ok(page.url().endsWith("/admin"), page.url());
  for (const name of ["", "/results", "/raters", "/undecided", "/guideline", "/export", "/log"]) {
    await page.goto(`${plan.url}/admin${name}`);
    await picture(page, `admin${name.replace("/", "-")}-${scheme}`);
    await check(page, `admin${name} ${scheme}`);
    assert.equal(await page.evaluate(() => document.images.length), 0);
  }
  if (scheme === "light") {
    // Two decisions, by keyboard; the results then have the scores both ways.
    for (const why of ["<i>clear</i>", "seen by two"]) {
      await page.goto(`${plan.url}/admin/undecided`);
      await page.focus("input[name=label]");
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Tab");
      await page.keyboard.type(why);
      await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    }
    await page.goto(`${plan.url}/admin/undecided`);
    assert.equal(await page.$$eval('[aria-label="Decisions"] tbody tr', (rows) => rows.length), 2);
    assert.equal(await page.$$eval("td i", (found) => found.length), 0);
    await check(page, "decisions");
    await page.goto(`${plan.url}/admin/results`);
    assert.equal(await page.$$eval('[aria-label="Decisions"] tbody tr', (rows) => rows.length), 2);
    await picture(page, "admin-results-decided");
    await check(page, "results with decisions");
    await page.goto(`${plan.url}/admin/raters`);
    await page.type("#labels", "Ada\n<b>Bob</b>");
    await Promise.all([page.waitForNavigation(), page.click("main form:not(.inline) button.main")]);
    assert.equal(await page.$$eval("code.link", (links) => links.length), 2);
    assert.equal(await page.$$eval("td b, th b", (found) => found.length), 0);
    await check(page, "links");
  }
  await page.browserContext().close();
}

try {
  await rater(plan.tokens[0], "light", 1100);
  await rater(plan.tokens[1], "dark", 1100);
  await rater(plan.tokens[2], "light", 390);
  await comparer("dark", 390);
  await talker(plan.tokens[3]);
  await researcher("light");
  await researcher("dark");
  assert.deepEqual(complaints, []);
} catch (error) {
  console.error(error.message, complaints.join("\n"), error.stack);
  process.exitCode = 1;
} finally {
  await browser.close();
}
