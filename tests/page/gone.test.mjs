// The server dies while the page is open.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { feedReady, openPage, startBrowser, startDemo, visitor } from "./demo.mjs";

let demo, chromium;
before(async () => { demo = await startDemo(); chromium = await startBrowser(); });
after(async () => { await chromium?.close(); });

test("says that the server is gone, keeps what is there, and goes on trying", async () => {
  const page = await openPage(chromium.browser, demo.origin, { user: visitor() });
  await feedReady(page);
  const cards = await page.locator("#feed .card").count();
  await demo.kill();
  await page.locator("#feed .card").first().hover();
  await page.locator("#feed .save").first().click();
  await page.locator("#banner", { hasText: "Trying again in" }).waitFor();
  assert.equal(await page.locator("#feed .card").count(), cards, "the feed stays");
  await page.locator("#feed .card-open").nth(1).click();
  await page.locator("#closeup", { hasText: "The server cannot be reached" }).waitFor();
  await page.keyboard.press("Escape");
  await page.click(".tabs [data-view=compare]");
  await page.locator(".side.personal", { hasText: "The server cannot be reached" }).waitFor();
  await page.click(".tabs [data-view=feed]");
  await page.click("#refresh");
  await page.locator("#feed-note", { hasText: "The server cannot be reached" }).waitFor();
  await page.getByRole("button", { name: "Try again" }).waitFor();
  assert.ok(page.complaints.every((complaint) => complaint.includes("ERR_CONNECTION_REFUSED") || complaint.includes("ERR_EMPTY_RESPONSE")), page.complaints.join("\n"));
  await page.close();
});
