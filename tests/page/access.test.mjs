// Whether everybody can use the page: axe's rules for WCAG 2.1 AA, in every view and both themes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { PHONE, feedReady, openPage, startBrowser, startDemo, visitor } from "./demo.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let demo, chromium;
before(async () => { demo = await startDemo(); chromium = await startBrowser(); });
after(async () => { await chromium?.close(); await demo?.stop(); });

async function check(page, what) {
  await page.waitForTimeout(600);  // fading in is not yet legible
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }));
  assert.deepEqual(violations.map((violation) => `${what}: ${violation.id}: ${violation.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.failureSummary}`).join(" | ")}`), []);
}

for (const colorScheme of ["light", "dark"]) {
  test(`every view, ${colorScheme}`, async () => {
    const page = await openPage(chromium.browser, demo.origin, { colorScheme, reducedMotion: "reduce" });
    await feedReady(page);
    await page.click("#feed .why-line");
    await page.locator("#feed .card").nth(3).locator(".card-hide").click({ force: true });
    await check(page, "feed");
    await page.click("#live");
    await check(page, "live");
    await page.keyboard.press("Escape");
    await page.locator("#feed .card-open").nth(1).click();
    await page.waitForSelector("#closeup .closeup-related .card");
    await check(page, "closeup");
    await page.keyboard.press("Escape");
    await page.click("#user");
    await check(page, "people");
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await check(page, "keys");
    await page.keyboard.press("Escape");
    await page.click(".tabs [data-view=boards]");
    await page.waitForSelector(".board, .note-box");
    await check(page, "boards");
    await page.click(".tabs [data-view=compare]");
    await page.waitForSelector(".side.popular .card");
    await check(page, "compare");
    await page.close();
  });
}

test("on a phone, for a new visitor", async () => {
  const page = await openPage(chromium.browser, demo.origin, { size: PHONE, user: visitor(), reducedMotion: "reduce" });
  await feedReady(page);
  await check(page, "phone");
  await page.close();
});
