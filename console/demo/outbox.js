// Events on their way to the server. Each has a client id, so that sending one twice counts once; what cannot be sent
// waits, in order, until the server is back.

import { Problem, call } from "./api.js";
import { isDown, setWaiting } from "./connection.js";
import { on, session } from "./session.js";

const BATCH_MAX = 100;
const QUEUE_MAX = 1000;
const COMPANY_MS = 1500;   // impressions wait this long for company
const queue = [];          // {event, done: {resolve, reject}}
let sending = null;

const clientId = () => crypto.randomUUID ? crypto.randomUUID() : `c${Date.now()}-${Math.random().toString(36).slice(2)}`;

function eventOf(type, shown, more) {
  const event = { type, user: session.user.id, item: shown.id, client_id: clientId(), time: new Date().toISOString(), ...more };
  if (shown.request) Object.assign(event, { surface: shown.surface, request_id: shown.request, position: shown.position });
  return event;
}

function enqueue(event) {
  return new Promise((resolve, reject) => {
    queue.push({ event, resolve, reject });
    // What was merely seen gives way first.
    if (queue.length > QUEUE_MAX) queue.splice(Math.max(0, queue.findIndex((entry) => entry.event.type === "impression")), 1);
    setWaiting(queue.filter((entry) => entry.event.type !== "impression").length);
  });
}

/** Sends an action now; resolves with the time (performance.now) at which it was acknowledged. */
export async function act(type, shown, more = {}) {
  const acknowledged = enqueue(eventOf(type, shown, more));
  flush();
  return acknowledged;
}

/** Notes that something was seen; sent soon, with others. */
export function noteImpression(shown, visibleMs) {
  enqueue(eventOf("impression", shown, { dwell_ms: Math.round(visibleMs) })).catch(() => {});
}

export function flush() {
  sending = sending || drain().finally(() => { sending = null; });
  return sending;
}

async function drain() {
  while (queue.length && !isDown()) {
    const batch = queue.slice(0, BATCH_MAX);
    let answer;
    try {
      answer = await call("POST", "/v1/events", { events: batch.map((entry) => entry.event) });
    } catch (problem) {
      if (problem.gone) return;
      batch.forEach((entry) => entry.reject(problem));
    }
    queue.splice(0, batch.length);
    setWaiting(queue.filter((entry) => entry.event.type !== "impression").length);
    if (!answer) continue;
    const at = performance.now();
    batch.forEach((entry, index) => {
      const verdict = answer.verdicts?.[index];
      if (verdict?.verdict === "rejected") entry.reject(new Problem("The event was not accepted", verdict.detail));
      else entry.resolve(at);
    });
  }
}

setInterval(flush, COMPANY_MS);
on("connection", (isUp) => { if (isUp) flush(); });
addEventListener("pagehide", () => {
  if (!queue.length) return;
  const events = queue.splice(0, BATCH_MAX).map((entry) => entry.event);
  navigator.sendBeacon("/v1/events", new Blob([JSON.stringify({ events })], { type: "application/json" }));
});
