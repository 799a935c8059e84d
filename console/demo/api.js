// The public API, and nothing else of the server.

import { down, up } from "./connection.js";
import * as live from "./live.js";
import { session } from "./session.js";

export class Problem extends Error {
  /** `gone`: the server did not answer, so that trying again later makes sense. */
  constructor(title, detail, gone = false) {
    super(detail || title);
    this.title = title;
    this.gone = gone;
  }
}

export async function call(method, path, body) {
  let response, text;
  try {
    response = await fetch(path, { method, headers: body ? { "content-type": "application/json" } : {}, body: body && JSON.stringify(body) });
    text = await response.text();
  } catch {
    down();
    throw new Problem("The server cannot be reached", "It will be asked again in a moment.", true);
  }
  if ([429, 502, 503, 504].includes(response.status)) {
    down(Number(response.headers.get("retry-after")) || 0);
    throw new Problem("The server is busy", "It will be asked again in a moment.", true);
  }
  up();
  let json = {};
  try { json = text ? JSON.parse(text) : {}; } catch { /* not JSON: the status says enough */ }
  if (!response.ok) throw new Problem(json.title || `The server answered ${response.status}`, json.detail || "");
  return json;
}

const FIELDS = ["title", "image_url", "categories", "price"];

/** One page of a surface, measured. `user` is whoever is looking, unless the request names one. */
export async function recommend(request) {
  const since = performance.now();
  const answer = await call("POST", "/v1/recommend", {
    user: session.user.id, explain: true, fields: FIELDS, context: { device: innerWidth < 700 ? "phone" : "desktop" }, ...request,
  });
  live.answered(performance.now() - since);
  return answer;
}

export const profileOf = (id) => call("GET", `/v1/users/${encodeURIComponent(id)}/profile`);
export const collectionOf = (id, name) => call("GET", `/v1/users/${encodeURIComponent(id)}/collections/${encodeURIComponent(name)}`);
export const itemOf = (id) => call("GET", `/v1/items/${encodeURIComponent(id)}`);

/** An item's document as the page uses it: what is shown, and what an event about it must say. */
export function shownOf(document, answer = {}) {
  const categories = document.categories || [];
  return {
    id: answer.id || document.id, request: answer.request, surface: answer.surface, position: answer.position,
    title: document.title || answer.id || document.id,
    image: document.image_url || `/demo/pictures/${encodeURIComponent(answer.id || document.id)}.svg`,
    categories, topic: categories[0], price: document.price,
    explanation: answer.explanation, reason: answer.explanation?.reason || "",
  };
}

/** The items of an answer, ready to be shown. */
export function shownOfAnswer(answer, surface) {
  return (answer.items || []).map((item) => shownOf(item.item || {}, {
    id: item.id, request: answer.request_id, surface, position: Number(item.position || 0), explanation: item.explanation,
  }));
}
