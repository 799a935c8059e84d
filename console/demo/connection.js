// Whether the server answers. While it does not, a banner says so and it is asked again, less and less often.

import { $, make } from "./dom.js";
import { emit, session } from "./session.js";
import { plural } from "./words.js";

const WAITS_S = [1, 2, 4, 8, 15];
let gone = false;
let tries = 0;
let nextAt = 0;
let timer = 0;
let waiting = 0;

export const isDown = () => gone;

/** Events that wait to be sent, for the banner. */
export function setWaiting(number) {
  waiting = number;
  if (gone) show();
}

export function down(retryAfterS = 0) {
  if (!gone) {
    gone = true;
    tries = 0;
    emit("connection", false);
  }
  schedule(retryAfterS || WAITS_S[Math.min(tries, WAITS_S.length - 1)]);
}

export function up() {
  if (!gone) return;
  gone = false;
  clearInterval(timer);
  $("banner").className = "banner back";
  $("banner").replaceChildren("Back online");
  setTimeout(() => { if (!gone) $("banner").hidden = true; }, 1800);
  emit("connection", true);
}

function schedule(seconds) {
  nextAt = Date.now() + seconds * 1000;
  clearInterval(timer);
  timer = setInterval(() => { if (Date.now() >= nextAt) ask(); else show(); }, 250);
  show();
}

async function ask() {
  clearInterval(timer);
  ++tries;
  try {
    const response = await fetch("/healthz", { cache: "no-store" });
    if (response.ok) return up();
  } catch { /* still gone */ }
  schedule(WAITS_S[Math.min(tries, WAITS_S.length - 1)]);
}

function show() {
  const banner = $("banner");
  const text = `The server is not answering. Trying again in ${Math.max(1, Math.ceil((nextAt - Date.now()) / 1000))} s.`;
  const kept = waiting && session.user ? ` ${plural(waiting, "action")} of yours will be sent then.` : "";
  if (banner.hidden || banner.className !== "banner" || !banner.querySelector("button")) {
    banner.className = "banner";
    banner.replaceChildren(make("span", { "aria-live": "off" }), make("button", { class: "button small", type: "button", onclick: ask }, "Try now"));
    banner.hidden = false;
  }
  banner.firstChild.textContent = text + kept;
}
