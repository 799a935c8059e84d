// Served is not seen: a card counts as seen when at least half of it was in view for a second, and the event says for
// how long.

import { noteImpression } from "./outbox.js";

const SEEN_MS = 1000;
const ENOUGH_MS = 10_000;   // a longer look is reported without waiting for its end
const HALF = .5;
const looks = new Map();    // card -> {since, total, timer}

function begin(card) {
  const look = looks.get(card);
  if (!look || look.since) return;
  look.since = performance.now();
  look.seenTimer = setTimeout(() => { card.seen = true; }, Math.max(0, SEEN_MS - look.total));
  look.timer = setTimeout(() => report(card), ENOUGH_MS - look.total);
}

function pause(card) {
  const look = looks.get(card);
  if (!look?.since) return;
  look.total += performance.now() - look.since;
  look.since = 0;
  clearTimeout(look.timer);
  clearTimeout(look.seenTimer);
  if (look.total >= SEEN_MS) report(card);
}

function report(card) {
  const look = looks.get(card);
  if (!look) return;
  const total = look.total + (look.since ? performance.now() - look.since : 0);
  forget(card);
  card.seen = true;
  noteImpression(card.shown, total);
}

function forget(card) {
  const look = looks.get(card);
  if (!look) return;
  clearTimeout(look.timer);
  clearTimeout(look.seenTimer);
  looks.delete(card);
  watcher.unobserve(card);
}

const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) entry.intersectionRatio >= HALF && !document.hidden ? begin(entry.target) : pause(entry.target);
}, { threshold: [0, HALF] });

export function watch(card) {
  looks.set(card, { since: 0, total: 0, timer: 0, seenTimer: 0 });
  watcher.observe(card);
}

/** The card leaves the page: what was seen of it is reported. */
export function unwatch(card) {
  pause(card);
  forget(card);
}

function pauseAll() { for (const card of [...looks.keys()]) pause(card); }
addEventListener("pagehide", pauseAll, { capture: true });
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return pauseAll();
  for (const card of looks.keys()) { watcher.unobserve(card); watcher.observe(card); }
});
