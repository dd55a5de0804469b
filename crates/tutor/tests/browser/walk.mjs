// A study as somebody new to it runs it: raters answer by their links, the researcher looks on, and
// the report is opened. Each step's seconds are printed.
//
// node walk.mjs PLAN.json: the plan has the server's address `url`, the raters' `links`, the
// `password`, the `report` to be opened at the end and `chromium`. With `pictures`, screenshots are
// left in that folder. `pace` is how many milliseconds a rater takes to read; 0 in tests.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { start, text } from "../../../web-server/browser/browser.mjs";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { browser, complaints, open, picture, check } = await start(plan);

let began = Date.now();
function step(name) {
  console.log(`${((Date.now() - began) / 1000).toFixed(1)}\t${name}`);
  began = Date.now();
}

const read = (times) => new Promise((resolve) => setTimeout(resolve, times * plan.pace));
const visible = (page, id) =>
  page.waitForFunction((id) => !document.getElementById(id).hidden, { timeout: 10000 }, id);
const settled = (page) => page.waitForFunction(() => !document.body.classList.contains("busy"));

/** Answers as people would: "ok" makes sense and is not specific, everything else is. */
async function answer(page, byHand, values) {
  for (const [question, yes] of values) {
    if (byHand) await page.click(`button[data-question="${question}"][data-value="${yes}"]`);
    else await page.keyboard.press(yes ? "1" : "2");
    await settled(page);
  }
}

async function rater(index, link, view, byHand) {
  const name = `rater-${index + 1}`;
  const page = await open(link, view);
  await visible(page, "guideline");
  await picture(page, `${name}-guideline`);
  await read(5);
  await page.click("#agree");
  for (let practised = 0; ; practised += 1) {
    await visible(page, "item");
    if (await page.$eval("#practice", (element) => element.hidden)) break;
    if (practised === 0) await picture(page, `${name}-practice`);
    await read(1);
    await answer(page, byHand, [["sensible", true], ["specific", true]]);
    await visible(page, "feedback");
    if (practised === 1) await picture(page, `${name}-feedback`);
    await page.click("#go-on");
  }
  let items = 0;
  while (await page.$eval("#item", (element) => !element.hidden)) {
    if (items === 1) await picture(page, `${name}-item`, false);
    await read(1);
    const specific = (await text(page, "response")) !== "ok";
    await answer(page, byHand, [["sensible", true], ["specific", specific]]);
    items += 1;
    assert.ok(items < 1000, "the items do not end");
  }
  await visible(page, "message");
  await picture(page, `${name}-done`);
  await check(page, `${name} done`);
  await page.browserContext().close();
  step(`${name}: guideline, practice and ${items} items`);
  return items;
}

async function researcher(view, name) {
  const page = await open("/admin", view);
  await page.type("input[type=password]", plan.password);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  for (const path of ["", "/results", "/raters", "/export", "/log"]) {
    await page.goto(`${plan.url}/admin${path}`);
    await picture(page, `${name}${path.replace("/", "-")}`);
    await check(page, `${name}${path}`);
  }
  await page.browserContext().close();
  step(`the researcher's pages (${name})`);
}

async function report(view, name) {
  const page = await open(`file://${plan.report}`, view);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `the report is ${wide} pixels wider than the screen (${name})`);
  await picture(page, name);
  await check(page, name);
  await page.browserContext().close();
}

try {
  if (plan.report) {
    await report({ width: 1100 }, "report");
    await report({ width: 390, scheme: "dark" }, "report-phone");
    step("the report, opened");
  } else {
    const views = [{ width: 1100 }, { width: 390, height: 780 }, { width: 1100, scheme: "dark" }];
    for (const [index, link] of plan.links.entries()) {
      await rater(index, link, views[index % views.length], index % views.length === 1);
    }
    await researcher({ width: 1100 }, "admin");
    await researcher({ width: 390, height: 780, scheme: "dark" }, "admin-phone");
  }
  assert.deepEqual(complaints, []);
} catch (error) {
  console.error(error.message, complaints.join("\n"), error.stack);
  process.exitCode = 1;
} finally {
  await browser.close();
}
