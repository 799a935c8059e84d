// What a person does on the page, in a real browser, against the real binary.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DESKTOP, PHONE, api, eventually, feedReady, idsOf, openPage, startBrowser, startDemo, visitor } from "./demo.mjs";

let demo, chromium, server;
before(async () => {
  demo = await startDemo();
  server = api(demo.origin);
  chromium = await startBrowser();
});
after(async () => {
  await chromium?.close();
  await demo?.stop();
});

const open = (options) => openPage(chromium.browser, demo.origin, options);

async function done(page) {
  assert.deepEqual(page.complaints, []);
  await page.close();
}

test("shows pictures with titles and reasons", async () => {
  const page = await open();
  await feedReady(page);
  const pictures = await page.$$eval("#feed img", (images) => images.map((image) => ({ width: image.naturalWidth, alt: image.alt })));
  assert.ok(pictures.length >= 20, `${pictures.length} pictures`);
  assert.ok(pictures.every((picture) => picture.width > 0 && picture.alt), "every picture is loaded and named");
  assert.match(await page.textContent("#feed .why-line"), /\w/);
  assert.match(await page.textContent("#live-latency"), /ms|s/);
  await page.click("#feed .why-line");
  assert.match(await page.textContent("#feed .why-panel:not([hidden])"), /Found by|What counted/);
  await done(page);
});

test("scrolls on by cursor, no picture twice, and reports what was seen", async () => {
  const user = visitor();
  const impressions = [];
  const page = await open({ user });
  page.on("request", (request) => {
    if (request.url().endsWith("/v1/events")) impressions.push(...JSON.parse(request.postData()).events.filter((event) => event.type === "impression"));
  });
  await feedReady(page);
  const first = (await idsOf(page)).length;
  await eventually("further pages", async () => {
    await page.mouse.wheel(0, 2500);
    return (await idsOf(page)).length > 2 * first;
  });
  const ids = await idsOf(page);
  assert.equal(new Set(ids).size, ids.length);
  await page.evaluate(() => scrollTo(0, 0));
  await page.waitForTimeout(1500);
  await page.evaluate(() => scrollTo(0, 4000));
  await eventually("impressions", () => impressions.length > 0);
  for (const event of impressions) {
    assert.ok(event.dwell_ms >= 1000, "seen is at least a second");
    assert.ok(event.request_id && event.position >= 1 && event.surface === "home" && event.client_id);
  }
  await eventually("the server counts them", async () => Number((await server.profile(user)).events) >= impressions.length);
  await done(page);
});

test("a save moves the feed and the interests", async () => {
  const user = visitor();
  const page = await open({ user });
  await feedReady(page);
  const before = await idsOf(page);
  const card = page.locator("#feed .card").nth(1);
  const saved = before[1];
  await card.hover();
  await card.locator(".save").click();
  await page.waitForSelector("#feed .card.is-new");
  const after = await idsOf(page);
  assert.notDeepEqual(after, before);
  assert.ok(after.includes(saved), "what was looked at stays");
  await page.waitForFunction(() => document.getElementById("live-fresh").textContent !== "–");
  await page.waitForSelector("#chips .chip:nth-child(2)");
  const profile = await server.profile(user);
  assert.equal(profile.sequence[0].type, "save");
  assert.equal(profile.sequence[0].item, saved);
  assert.equal(await card.locator(".save").getAttribute("aria-pressed"), "true");
  await done(page);
});

test("hide removes, undo restores", async () => {
  const user = visitor();
  const page = await open({ user });
  await feedReady(page);
  const card = page.locator("#feed .card").first();
  const id = (await idsOf(page))[0];
  await card.hover();
  await card.locator(".card-hide").click();
  await card.locator(".card-gone").waitFor();
  await eventually("hidden in the state", async () => (await server.profile(user)).hidden.includes(id));
  assert.ok(!(await server.recommend({ surface: "home", user, n: 200 })).items.some((item) => item.id === id));
  await card.locator("button", { hasText: "Undo" }).click();
  await eventually("no longer hidden", async () => !(await server.profile(user)).hidden.includes(id));
  await card.locator(".card-open").waitFor();
  assert.equal(await card.locator(".card-gone").isVisible(), false);
  const [outcome] = (await server.recommend({ surface: "home", user, n: 10, explain_items: [id] })).outcomes;
  assert.notEqual(outcome.code, "hidden");
  await done(page);
});

test("the closeup shows related pictures, and gives the focus back", async () => {
  const page = await open({ user: visitor() });
  await feedReady(page);
  const opener = page.locator("#feed .card-open").nth(2);
  const title = await page.locator("#feed .card h3").nth(2).textContent();
  await opener.click();
  await page.waitForSelector("#closeup[open] .closeup-related .card");
  assert.equal(await page.textContent("#closeup-title"), title);
  assert.match(await page.textContent(".closeup-why"), /Score/);
  const related = await idsOf(page, "#closeup");
  assert.ok(related.length >= 6);
  await page.locator("#closeup .card-open").first().click();
  await page.waitForFunction((was) => document.getElementById("closeup-title").textContent !== was, title);
  await page.keyboard.press("Escape");
  await page.waitForSelector("#closeup:not([open])", { state: "attached" });
  assert.ok(await opener.evaluate((node) => node === document.activeElement));
  await done(page);
});

test("boards are filled by saves", async () => {
  const user = visitor();
  const page = await open({ user, path: "#/boards" });
  await page.getByText("No boards yet").waitFor();
  await page.click(".tabs [data-view=feed]");
  await feedReady(page);
  const [first, second] = await idsOf(page);
  await page.locator("#feed .card").first().hover();
  await page.locator("#feed .board-pick").first().click();
  await page.fill(".menu input", "Weekend & more");
  await page.keyboard.press("Enter");
  await eventually("the board", async () => (await server.profile(user)).collections.some((board) => board.name === "Weekend & more"));
  // The board that was chosen last takes the next save.
  await page.locator("#feed .card").nth(1).hover();
  await page.locator("#feed .card").nth(1).locator(".save").click();
  await eventually("two saves", async () => (await server.profile(user)).collections[0]?.items === 2);
  await page.click(".tabs [data-view=boards]");
  await page.locator(".board", { hasText: "Weekend & more" }).click();
  await page.waitForSelector("#view-boards .card");
  assert.deepEqual(await idsOf(page, "#view-boards"), [second, first]);
  await done(page);
});

test("works by keyboard", async () => {
  const user = visitor();
  const page = await open({ user });
  await feedReady(page);
  const focused = () => page.evaluate(() => document.activeElement?.closest(".card")?.shown.id);
  await page.keyboard.press("j");
  const ids = await idsOf(page);
  assert.equal(await focused(), ids[0]);
  await page.keyboard.press("j");
  assert.equal(await focused(), ids[1]);
  await page.keyboard.press("k");
  assert.equal(await focused(), ids[0]);
  await page.keyboard.press("ArrowRight");
  assert.equal(await focused(), ids[1], "the second picture stands right of the first");
  await page.keyboard.press("ArrowDown");
  assert.notEqual(await focused(), ids[1]);
  await page.keyboard.press("ArrowUp");
  assert.equal(await focused(), ids[1]);
  await page.keyboard.press("w");
  await page.waitForSelector("#feed .why-panel:not([hidden])");
  await page.keyboard.press("s");
  await eventually("saved", async () => (await server.profile(user)).sequence?.[0]?.item === ids[1]);
  await page.keyboard.press("k");
  await page.keyboard.press("h");
  await eventually("hidden", async () => (await server.profile(user)).hidden.includes(ids[0]));
  await page.keyboard.press("u");
  await eventually("undone", async () => !(await server.profile(user)).hidden.includes(ids[0]));
  await page.keyboard.press("Enter");
  await page.waitForSelector("#closeup[open]");
  await page.keyboard.press("Escape");
  await page.waitForSelector("#closeup:not([open])", { state: "attached" });
  await page.keyboard.press("?");
  await page.waitForSelector("#keys[open]");
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "finder-input");
  await page.keyboard.press("Escape");
  await page.keyboard.press("3");
  await page.waitForSelector("#view-compare:not([hidden]) .card");
  await done(page);
});

test("says why a picture is not in the feed", async () => {
  const user = visitor();
  const { items } = await server.recommend({ surface: "home", user, n: 1, fields: ["title"] });
  const hidden = items[0];
  await server.events([{ type: "hide", user, item: hidden.id }]);
  const page = await open({ user });
  await feedReady(page);
  await page.keyboard.press("/");
  await page.keyboard.type(hidden.item.title);
  await page.waitForSelector("#finder-list [role=option][aria-selected=true]");
  const found = await page.$$eval("#finder-list [role=option] img", (images) => images.map((image) => decodeURIComponent(image.src.split("/").at(-1).replace(".svg", ""))));
  for (let i = found.indexOf(hidden.id); i > 0; --i) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#closeup .outcome[data-code=hidden]");
  assert.match(await page.textContent(".outcome"), /The user hid it/);
  assert.equal(await page.locator(".outcome li.ended").count(), 1);
  await done(page);
});

test("the personal side follows, the popular one does not", async () => {
  const page = await open({ user: visitor(), path: "#/compare" });
  await page.waitForSelector(".side.personal .card");
  await page.waitForSelector(".side.popular .card");
  const personal = await idsOf(page, ".side.personal"), popular = await idsOf(page, ".side.popular");
  await page.locator(".side.personal .card").first().hover();
  await page.locator(".side.personal .save").first().click();
  await page.waitForSelector(".side.personal .card.is-new");
  assert.notDeepEqual(await idsOf(page, ".side.personal"), personal);
  assert.deepEqual(await idsOf(page, ".side.popular"), popular);
  await page.waitForSelector(".side.personal .match b");
  await done(page);
});

test("dark when the system is, and by the button", async () => {
  const page = await open({ user: visitor(), colorScheme: "dark" });
  await feedReady(page);
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await background();
  assert.equal(await page.getAttribute("html", "data-theme"), "dark");
  await page.click("#theme");
  assert.equal(await page.getAttribute("html", "data-theme"), "light");
  assert.notEqual(await background(), dark);
  await page.reload();
  assert.equal(await page.getAttribute("html", "data-theme"), "light", "what was chosen stays");
  await page.click("#theme");
  assert.equal(await page.getAttribute("html", "data-theme"), "dark", "the system's again");
  await page.emulateMedia({ colorScheme: "light" });
  await page.waitForSelector("html[data-theme=light]");
  await done(page);
});

test("fits a phone in every view", async () => {
  const user = visitor();
  await server.events([{ type: "save", user, item: (await server.recommend({ surface: "home", user, n: 1 })).items[0].id, collection: "A board with a rather long name" }]);
  for (const [path, ready] of [["", "#feed .card"], ["#/boards", ".board"], ["#/compare", ".side.popular .card"]]) {
    const page = await open({ user, path, size: PHONE });
    await page.waitForSelector(ready);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), PHONE.width, path);
    if (path === "") {
      assert.equal(new Set(await page.$$eval("#feed .card", (cards) => cards.map((card) => card.style.left))).size, 2, "two columns");
      await page.locator(".card-open").first().click();
      await page.waitForSelector("#closeup[open] .closeup-related .card");
      assert.ok(await page.$eval("#closeup", (dialog) => dialog.scrollWidth <= dialog.clientWidth));
    }
    await done(page);
  }
});

test("moves little where that was asked for", async () => {
  const page = await open({ user: visitor(), reducedMotion: "reduce" });
  await feedReady(page);
  assert.ok(await page.$eval("#feed .card", (card) => parseFloat(getComputedStyle(card).animationDuration) < .001));
  await done(page);
});

test("says when a topic has nothing left", async () => {
  const user = visitor();
  const { items } = await server.recommend({ surface: "home", user, n: 1, fields: ["categories"] });
  const topic = items[0].item.categories[0];
  await server.events([{ type: "save", user, item: items[0].id }]);
  const page = await open({ user });
  await feedReady(page);
  const filter = `categories contains ${JSON.stringify(topic)}`;
  const all = [];
  // Again until nothing is left: the world makes new items meanwhile.
  for (let found = ["more"]; found.length > 0;) {
    found = (await server.recommend({ surface: "home", user, n: 200, filter })).items.map((item) => item.id);
    if (found.length > 0) await server.items({ withdraw: found });
    all.push(...found);
  }
  await page.locator(`#chips [data-topic="${topic}"]`).click();
  await page.getByText(`Nothing left in ${topic}`).waitFor();
  await page.getByRole("button", { name: "Show all topics" }).click();
  await feedReady(page);
  assert.ok(!(await idsOf(page)).some((id) => all.includes(id)), "withdrawn items are gone");
  await done(page);
});

test("keeps what is done while the server is away, and sends it then", async () => {
  const user = visitor();
  const page = await open({ user });
  await feedReady(page);
  const id = (await idsOf(page))[0];
  await chromium.browser.setOffline(true);
  await page.locator("#feed .card").first().hover();
  await page.locator("#feed .save").first().click();
  await page.locator("#banner", { hasText: "The server is not answering" }).waitFor();
  await page.locator("#banner", { hasText: "1 action of yours will be sent then" }).waitFor();
  await chromium.browser.setOffline(false);
  await page.getByRole("button", { name: "Try now" }).click();
  await eventually("the save arrived", async () => (await server.profile(user)).sequence?.[0]?.item === id);
  await page.locator("#banner", { hasText: "Back online" }).waitFor();
  assert.ok(page.complaints.every((complaint) => complaint.includes("ERR_INTERNET_DISCONNECTED")), page.complaints.join("\n"));
  await page.close();
});
