// Pictures of the page for people to look at, in build/page.

import { join } from "node:path";
import { after, before, test } from "node:test";
import { DESKTOP, PHONE, SCREENSHOTS, feedReady, idsOf, openPage, startBrowser, startDemo, visitor } from "./demo.mjs";

let demo, chromium;
before(async () => { demo = await startDemo(); chromium = await startBrowser(); });
after(async () => { await chromium?.close(); await demo?.kill(); });

async function shoot(page, name) {
  await page.waitForTimeout(900);  // until everything has faded in
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
}
const open = (options) => openPage(chromium.browser, demo.origin, options);

/** Somebody with three boards. */
async function collector(page) {
  await feedReady(page);
  const boards = ["Weekend", "Weekend", "Weekend", "Weekend", "For the flat", "For the flat", "For the flat", "Later"];
  const cards = page.locator("#feed .card");
  for (const [index, board] of boards.entries()) {
    const id = (await idsOf(page))[index];
    await page.evaluate(async ([id, board]) => {
      const { save } = await import("/demo/assets/actions.js");
      save([...document.querySelectorAll(".card")].find((card) => card.shown.id === id).shown, board);
    }, [id, board]);
    await page.waitForTimeout(250);
  }
  await cards.first().waitFor();
}

for (const [name, size] of [["desktop", DESKTOP], ["phone", PHONE]]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`${name}, ${colorScheme}`, async () => {
      const page = await open({ size, colorScheme });
      await collector(page);
      await page.reload();
      await feedReady(page);
      await shoot(page, `${name}-${colorScheme}`);
      if (size === DESKTOP) {
        await page.locator("#feed .card").nth(1).hover();
        await page.locator("#feed .card").nth(1).locator(".save").click();
        await page.locator("#feed .why-line").nth(2).click();
        await page.click("#live");
        await shoot(page, `${name}-${colorScheme}-live`);
        await page.keyboard.press("Escape");
      }
      await page.locator("#feed .card-open").nth(2).click();
      await page.waitForSelector("#closeup .closeup-related .card");
      await shoot(page, `closeup-${name}-${colorScheme}`);
      await page.keyboard.press("Escape");
      await page.click(".tabs [data-view=boards]");
      await page.waitForSelector(".board img");
      await shoot(page, `boards-${name}-${colorScheme}`);
      await page.locator(".board").last().click();
      await page.waitForSelector("#view-boards .card");
      await shoot(page, `board-${name}-${colorScheme}`);
      await page.click(".tabs [data-view=compare]");
      await page.waitForSelector(".side.popular .card");
      await shoot(page, `compare-${name}-${colorScheme}`);
      await page.close();
    });
  }
}

test("finder, why not, people, keyboard, hidden", async () => {
  const page = await open();
  await feedReady(page);
  await page.locator("#feed .card").nth(1).hover();
  await page.locator("#feed .card").nth(1).locator(".card-hide").click();
  await page.keyboard.press("/");
  await page.keyboard.type("desk");
  await page.waitForSelector("#finder-list li img");
  await shoot(page, "finder");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".outcome");
  await shoot(page, "why-not");
  await page.keyboard.press("Escape");
  await page.click("#user");
  await shoot(page, "people");
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await shoot(page, "keys");
  await page.close();
});

test("new visitor, empty boards, loading, and no server", async () => {
  const page = await open({ user: visitor() });
  await feedReady(page);
  await shoot(page, "new-visitor");
  await page.click(".tabs [data-view=boards]");
  await page.getByText("No boards yet").waitFor();
  await shoot(page, "empty");
  await page.click(".tabs [data-view=feed]");
  let go = () => {};
  const held = new Promise((resolve) => { go = resolve; });
  await page.route("**/v1/recommend", async (route) => { await held; await route.continue(); });
  await page.click("#refresh");
  await shoot(page, "loading");
  go();
  await feedReady(page);
  await page.unroute("**/v1/recommend");
  await demo.kill();
  await page.locator("#feed .save").first().click({ force: true });
  await page.waitForSelector("#banner:not([hidden])");
  await shoot(page, "offline");
  await page.click("#refresh");
  await page.waitForSelector("#feed-note .note-box");
  await shoot(page, "error");
  await page.setViewportSize(PHONE);
  await shoot(page, "error-phone");
  await page.close();
});
