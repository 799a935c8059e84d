// The real binary with a small world, and Debian's Chromium on its page.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BINARY = process.env.BOWERBIRD_BINARY || join(ROOT, "build/dev/bowerbird");
const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium";
export const SCREENSHOTS = join(ROOT, "build/page");
export const DESKTOP = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };
mkdirSync(SCREENSHOTS, { recursive: true });

/** Starts `bowerbird demo` on a free port and resolves when it says where the page is. */
export function startDemo() {
  const child = spawn(BINARY, ["demo", "--port", "0", "--items", "900", "--users", "300", "--days", "20", "--seed", "7"], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const ended = new Promise((resolve) => child.on("exit", resolve));
  return new Promise((resolve, reject) => {
    const look = (data) => {
      output += data;
      const found = output.match(/http:\/\/([\d.:]+)\/demo\//);
      if (found) resolve({ origin: `http://${found[1]}`, kill: () => { child.kill("SIGKILL"); return ended; }, stop: () => { child.kill("SIGTERM"); return ended; } });
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`the demo ended with ${code}:\n${output}`)));
  });
}

export async function startBrowser() {
  const profile = mkdtempSync(join(tmpdir(), "bowerbird-page-"));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM, headless: true, viewport: DESKTOP, colorScheme: "light",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  browser.setDefaultTimeout(30_000);
  return { browser, close: async () => { await browser.close(); rmSync(profile, { recursive: true, force: true }); } };
}

/** A page with its complaints (console errors, uncaught exceptions) in `page.complaints`. */
export async function openPage(browser, origin, { path = "", user, size = DESKTOP, colorScheme = "light", reducedMotion = "no-preference" } = {}) {
  const page = await browser.newPage();
  page.complaints = [];
  page.on("console", (message) => { if (message.type() === "error") page.complaints.push(message.text()); });
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  await page.setViewportSize(size);
  await page.emulateMedia({ colorScheme, reducedMotion });
  const query = user ? `?user=${encodeURIComponent(user)}` : "";
  await page.goto(`${origin}/demo/${query}${path}`);
  return page;
}

/** A new visitor, so that no test sees what another did. */
let visitors = 0;
export const visitor = () => `visitor-test${process.pid}x${++visitors}`;

export async function feedReady(page) {
  await page.waitForSelector("#feed .card");
  await page.waitForSelector("#feed[aria-busy=false]");
}

export const api = (origin) => ({
  profile: async (user) => (await fetch(`${origin}/v1/users/${encodeURIComponent(user)}/profile`)).json(),
  recommend: async (request) => (await fetch(`${origin}/v1/recommend`, { method: "POST", body: JSON.stringify(request) })).json(),
  events: async (events) => (await fetch(`${origin}/v1/events`, { method: "POST", body: JSON.stringify({ events }) })).json(),
  items: async (batch) => (await fetch(`${origin}/v1/items:batch`, { method: "POST", body: JSON.stringify(batch) })).json(),
});

/** Waits for a condition on the server's side. */
export async function eventually(what, check) {
  for (let tries = 0; tries < 100; ++tries) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`did not come about: ${what}`);
}

export const idsOf = (page, wall = "#feed") => page.$$eval(`${wall} .card`, (cards) => cards.map((card) => card.shown.id));
