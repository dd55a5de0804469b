// Chromium for tests of pages: windows of a size and colour scheme, pictures, axe-core's checks.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import puppeteer from "puppeteer-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/**
 * A browser for a plan, which has `url`, `chromium`, its program, and perhaps `pictures`, a folder
 * for screenshots. What pages complain of is collected in `complaints`.
 */
export async function start(plan) {
  const browser = await puppeteer.launch({
    executablePath: plan.chromium,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  const complaints = [];

  async function open(path, { scheme = "light", width = 1100, height = 900 } = {}) {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    await page.setViewport({ width, height });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    page.on("console", (message) => {
      const text = message.text();
      // A refused or unreachable request is announced by the browser as well.
      if (message.type() === "error" && !text.startsWith("Failed to load resource")) complaints.push(text);
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(new URL(path, plan.url).href);
    return page;
  }

  async function picture(page, name, fullPage = true) {
    if (plan.pictures) await page.screenshot({ path: join(plan.pictures, `${name}.png`), fullPage });
  }

  async function check(page, where) {
    // Not through the page's own scripts: its policy forbids foreign ones, and is to stay on.
    const { frameTree } = await (await page.createCDPSession()).send("Page.getFrameTree");
    const session = await page.createCDPSession();
    const { executionContextId } = await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
    const evaluate = (expression) =>
      session.send("Runtime.evaluate", {
        expression,
        contextId: executionContextId,
        awaitPromise: true,
        returnByValue: true,
      });
    await evaluate(axe + ";0");
    const { result } = await evaluate(
      `axe.run(document, {runOnly: ${JSON.stringify(TAGS)}}).then((r) => JSON.stringify(r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html + " " + n.failureSummary).join(" | "))))`,
    );
    for (const violation of JSON.parse(result.value)) complaints.push(`axe, ${where}: ${violation}`);
  }

  return { browser, complaints, open, picture, check };
}

/** The id of the element that has the focus. */
export const focus = (page) => page.evaluate(() => document.activeElement.id);

/** The text of the element with this id. */
export const text = (page, id) => page.$eval(`#${id}`, (element) => element.textContent);
