"use strict";
// The demo page: a person's home feed, served and learned from through the public API. No build step, nothing from elsewhere.

const PAGE = 30;                 // items asked for at once
const EXCLUDE_MAX = 1000;        // the API's limit
const SEEN_MS = 1000;            // this long, half in view, counts as seen
const SEND_EVERY_MS = 1500;      // impressions wait this long for company
const FIELDS = ["title", "image_url", "categories", "price"];
const ICONS = {
  save: '<path d="M6 4h12v16l-6-4.5L6 20z"/>',
  hide: '<path d="M4 4l16 16M9.9 5.2A10 10 0 0 1 12 5c5 0 8.5 4 9.5 7-.4 1.2-1.2 2.6-2.4 3.8M6.3 7.3C4.3 8.6 3 10.5 2.5 12c1 3 4.5 7 9.5 7 1.4 0 2.7-.3 3.8-.8"/>',
  why: '<circle cx="12" cy="12" r="9"/><path d="M12 11v5M12 8v.1"/>',
  buy: '<path d="M5 8h14l-1 12H6zM9 8a3 3 0 0 1 6 0"/>',
  cloud: '<path d="M7 18a4 4 0 0 1-.5-8A6 6 0 0 1 18 9.5a4.3 4.3 0 0 1-1 8.5M9.5 14.5l5 5M14.5 14.5l-5 5"/>',
  nest: '<path d="M3 12c2 6 6 8 9 8s7-2 9-8M3 12h18M8 12c0-4 2-7 4-7s4 3 4 7"/>',
};
const NAMES = {
  for_you: "Your taste", because: "Goes with what you chose", trending: "Trending now", fresh: "Just arrived",
  similar: "Similar items", popular: "Popular now", fallback: "More to discover", ials: "Your taste",
  near: "Close to what you chose", session: "Close to this visit", session_category: "Topic of this visit",
  co_occurrence: "Goes with what you chose", affinity: "Topics you like", interest: "Lasting interest", interest_fine: "Lasting interest, in detail", tired: "Had a lot of it lately",
  quality: "Liked by those who see it", popularity: "Liked by many", seen: "Seen before", untrained: "New to the engine",
};

const AGAINST = new Set(["tired", "seen"]);  // features that lower the score

const $ = (id) => document.getElementById(id);
const state = { user: null, people: [], cursor: "", more: true, loading: false, generation: 0, shown: new Map(), saved: new Set(), interests: new Map() };
const outbox = [];
let closeup = null;

// ---- The API ----

class Problem extends Error {
  constructor(title, detail) { super(detail || title); this.title = title; }
}

async function call(method, path, body) {
  let response;
  try {
    response = await fetch(path, { method, headers: body ? { "content-type": "application/json" } : {}, body: body ? JSON.stringify(body) : undefined });
  } catch {
    throw new Problem("The server cannot be reached", "Is it still running? Try again in a moment.");
  }
  const text = await response.text();
  let json = {};
  try { json = text ? JSON.parse(text) : {}; } catch { /* not JSON: the status says enough */ }
  if (!response.ok) throw new Problem(json.title || `The server answered ${response.status}`, json.detail || "");
  return json;
}

const recommend = (request) => call("POST", "/v1/recommend", { user: state.user.id, explain: true, fields: FIELDS, context: { device: innerWidth < 700 ? "phone" : "desktop" }, ...request });

function eventOf(type, shown, more = {}) {
  return {
    type, user: state.user.id, item: shown.id, surface: shown.surface, request_id: shown.request, position: shown.position,
    client_id: crypto.randomUUID ? crypto.randomUUID() : `c${Date.now()}-${Math.random()}`, time: new Date().toISOString(), ...more,
  };
}

async function send(events) {
  const answer = await call("POST", "/v1/events", { events });
  if (answer.rejected) throw new Problem("An event was not accepted", answer.verdicts?.find((v) => v.detail)?.detail || "");
}

async function act(type, shown, more) {
  try {
    await flush();
    await send([eventOf(type, shown, more)]);
    return true;
  } catch (problem) {
    toast(`${problem.title}. ${problem.message}`, true);
    return false;
  }
}

async function flush() {
  const batch = outbox.splice(0, 100);
  if (!batch.length) return;
  try { await send(batch); } catch { outbox.unshift(...batch.slice(0, 400)); }
}

// ---- Small things ----

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}
function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.innerHTML = ICONS[name];
  return svg;
}
function hue(text) {
  let hash = 0;
  for (const letter of text) hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
  return (hash * 137) % 360;
}
const initials = (name) => name.split(/[\s-]+/).map((word) => word[0]).join("").slice(0, 2).toUpperCase();
const title = (text) => text ? text[0].toUpperCase() + text.slice(1) : "";
const nameOf = (name) => NAMES[name] || title(String(name).replaceAll("_", " "));
const price = (value) => new Intl.NumberFormat("en", { style: "currency", currency: "EUR" }).format(value);

function toast(text, bad = false) {
  const node = make("div", { class: bad ? "toast bad" : "toast" }, text);
  $("toasts").append(node);
  while ($("toasts").children.length > 2) $("toasts").firstChild.remove();
  setTimeout(() => node.remove(), bad ? 6000 : 3200);
}

// ---- Cards and walls ----

function columnsFor(wall) {
  const width = wall.clientWidth || innerWidth;
  return width < 700 ? 2 : Math.max(2, Math.min(7, Math.round(width / 262)));
}
function layout(wall) {
  const cards = [...wall.querySelectorAll(".card")].sort((a, b) => a.order - b.order);
  const columns = Array.from({ length: columnsFor(wall) }, () => make("div", { class: "column" }));
  wall.replaceChildren(...columns);
  for (const card of cards) place(wall, card);
}
function place(wall, card) {
  const columns = [...wall.querySelectorAll(".column")];
  const shortest = columns.reduce((best, column) => column.offsetHeight < best.offsetHeight - 1 ? column : best);
  shortest.append(card);
}
function skeletons(wall, count) {
  wall.replaceChildren(...Array.from({ length: columnsFor(wall) }, () => make("div", { class: "column" })));
  for (let i = 0; i < count; ++i) place(wall, make("div", { class: "skeleton", style: `height:${[250, 330, 290, 380][i % 4]}px` }));
}
const clearSkeletons = (wall) => wall.querySelectorAll(".skeleton").forEach((node) => node.remove());

function whyPanel(explanation, panel) {
  panel.replaceChildren();
  const sources = explanation?.sources || [];
  const known = (explanation?.features || []).filter((feature) => Math.abs(feature.value || 0) > .0005);
  const features = known.filter((feature) => !AGAINST.has(feature.name));
  const against = known.filter((feature) => AGAINST.has(feature.name));
  if (sources.length) {
    panel.append(make("h4", {}, "Found by"));
    for (const source of sources) {
      panel.append(make("div", { class: "row" }, make("span", {}, nameOf(source.generator)),
        make("span", {}, source.rank ? `place ${source.rank}` : "")));
    }
  }
  if (features.length) {
    panel.append(make("h4", {}, "What counted"));
    const most = Math.max(...features.map((feature) => Math.abs(feature.value)));
    features.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    for (const feature of features.slice(0, 6)) {
      panel.append(make("div", { class: "row" }, make("span", {}, nameOf(feature.name)), make("span", {}, feature.value.toFixed(2)),
        make("span", { class: "meter" }, make("i", { style: `width:${(100 * Math.abs(feature.value) / most).toFixed(0)}%` }))));
    }
  }
  if (against.length) panel.append(make("h4", {}, "What spoke against it"));
  for (const feature of against) panel.append(make("div", { class: "row" }, make("span", {}, nameOf(feature.name)), make("span", {}, feature.value.toFixed(2))));
  for (const rule of explanation?.rules || []) panel.append(make("div", { class: "row" }, make("span", {}, `Rule: ${rule}`), ""));
  if (explanation?.final_score !== undefined) {
    panel.append(make("h4", {}, "Score"), make("div", { class: "row" }, make("span", {}, "After rules and diversity"), make("span", {}, Number(explanation.final_score).toFixed(3))));
  }
  if (!panel.childNodes.length) panel.append("Nothing more is known.");
}

function saveButton(shown, onSaved) {
  const label = make("span", {}, state.saved.has(shown.id) ? "Saved" : "Save");
  const button = make("button", { class: "button", type: "button", "aria-label": `Save ${shown.title}` }, icon("save"), label);
  const show = () => { const on = state.saved.has(shown.id); button.classList.toggle("saved", on); button.setAttribute("aria-pressed", on); label.textContent = on ? "Saved" : "Save"; };
  button.addEventListener("click", async (event) => {
    event.stopPropagation();
    if (state.saved.has(shown.id)) return;
    state.saved.add(shown.id);
    show();
    if (!await act("save", shown)) { state.saved.delete(shown.id); show(); return; }
    onSaved?.();
    learned(`Saved. More ${shown.topic || "like this"} coming up`);
  });
  show();
  return button;
}

async function hideItem(shown) {
  for (const card of document.querySelectorAll(".card")) {
    if (card.shown.id === shown.id) { card.classList.add("gone"); setTimeout(() => card.remove(), 280); }
  }
  if (await act("hide", shown)) learned("Hidden. You will not see it again");
}

function makeCard(shown) {
  const picture = make("img", { src: shown.image, alt: "", decoding: "async" });
  const hide = make("button", { class: "button icon", type: "button", "aria-label": `Hide ${shown.title}`, onclick: (event) => { event.stopPropagation(); hideItem(shown); } }, icon("hide"));
  const open = make("button", { class: "open", type: "button", "aria-label": `Open ${shown.title}`, onclick: () => openCloseup(shown) },
    make("span", { class: "picture" }, picture, shown.price ? make("span", { class: "tag" }, price(shown.price)) : ""),
    make("span", { class: "words" }, make("b", {}, shown.title)));
  const panel = make("div", { class: "why-panel", hidden: true });
  const why = make("button", { class: "why", type: "button", "aria-expanded": "false", onclick: () => {
    panel.hidden = !panel.hidden;
    why.setAttribute("aria-expanded", String(!panel.hidden));
    if (!panel.hidden) whyPanel(shown.explanation, panel);
  } }, icon("why"), make("span", {}, shown.reason));
  const card = make("article", { class: "card", "aria-label": shown.title });
  const save = saveButton(shown, () => card.classList.add("is-saved"));
  card.append(open, make("div", { class: "quick" }, save, hide), why, panel);
  card.classList.toggle("is-saved", state.saved.has(shown.id));
  card.shown = shown;
  card.order = shown.order;
  card.ready = picture.decode().catch(() => {});
  return card;
}

function shownOf(item, request, surface) {
  const fields = item.item || {};
  const categories = fields.categories || [];
  return {
    id: item.id, request, surface, position: Number(item.position || 0), order: state.shown.size, title: fields.title || item.id,
    image: fields.image_url || `/demo/pictures/${encodeURIComponent(item.id)}.svg`, categories, topic: categories[0], price: fields.price,
    explanation: item.explanation, reason: item.explanation?.reason || "Picked for you",
  };
}

// Half in view for a second: then it was seen. Served is not seen.
const timers = new WeakMap();
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const card = entry.target;
    clearTimeout(timers.get(card));
    if (!entry.isIntersecting) continue;
    timers.set(card, setTimeout(() => {
      watcher.unobserve(card);
      card.seen = true;
      outbox.push(eventOf("impression", card.shown, { dwell_ms: SEEN_MS }));
    }, SEEN_MS));
  }
}, { threshold: .5 });
setInterval(flush, SEND_EVERY_MS);
addEventListener("pagehide", () => {
  if (outbox.length) navigator.sendBeacon("/v1/events", new Blob([JSON.stringify({ events: outbox.splice(0, 100) })], { type: "application/json" }));
});

// ---- The home feed ----

function feedState(kind, heading, text, action, run) {
  const box = $("feed-state");
  box.hidden = !kind;
  if (!kind) return;
  box.replaceChildren(icon(kind), make("h2", {}, heading), make("p", {}, text), make("button", { class: "button main", type: "button", onclick: run }, action));
}

async function startFeed() {
  const generation = ++state.generation;
  Object.assign(state, { cursor: "", more: true, loading: false });
  state.shown.clear();
  feedState(null);
  skeletons($("feed"), 2 * columnsFor($("feed")));
  scrollTo({ top: 0 });
  await Promise.all([loadPage(generation), loadProfile()]);
}

// `replaced`: the items that made room, when the page follows an action; returns how many others came.
async function loadPage(generation = state.generation, replaced = null) {
  let others = 0;
  if (state.loading || !state.more) return others;
  state.loading = true;
  const feed = $("feed");
  feed.setAttribute("aria-busy", "true");
  try {
    const request = { surface: "home", n: PAGE };
    if (state.cursor) request.cursor = state.cursor;
    else if (state.shown.size) request.exclude = [...state.shown.keys()].slice(-EXCLUDE_MAX);
    const answer = await recommend(request);
    if (generation !== state.generation) return others;
    state.cursor = answer.next_cursor || "";
    state.more = Boolean(state.cursor);
    const cards = [];
    for (const item of answer.items || []) {
      if (state.shown.has(item.id)) continue;
      const shown = shownOf(item, answer.request_id, "home");
      state.shown.set(item.id, shown);
      cards.push(makeCard(shown));
    }
    await Promise.all(cards.map((card) => card.ready));
    if (generation !== state.generation) return others;
    clearSkeletons(feed);
    cards.forEach((card, index) => {
      card.style.animationDelay = `${Math.min(index * 22, 400)}ms`;
      if (replaced && !replaced.has(card.shown.id)) { card.classList.add("new"); ++others; }
      place(feed, card);
      watcher.observe(card);
    });
    if (!state.shown.size) feedState("nest", "Nothing left to show", "This person has seen everything there is. Look through someone else's eyes.", "Choose someone else", openPeople);
  } catch (problem) {
    if (generation !== state.generation) return others;
    clearSkeletons(feed);
    state.more = false;
    feedState("cloud", problem.title || "Something went wrong", problem.message, "Try again", () => { state.more = true; feedState(null); state.shown.size ? loadPage() : startFeed(); });
  } finally {
    if (generation === state.generation) { state.loading = false; feed.setAttribute("aria-busy", "false"); }
  }
  return others;
}

// After an action: what has not been looked at yet makes room for what is now better.
let updating = Promise.resolve();
function learned(message) {
  toast(message);
  updating = updating.then(async () => {
    const generation = state.generation;
    await loadProfile();
    if (generation !== state.generation || state.loading) return;
    const below = innerHeight * 1.02;
    const replaced = new Set();
    for (const card of document.querySelectorAll("#feed .card")) {
      if (card.seen || state.saved.has(card.shown.id) || card.getBoundingClientRect().top < below) continue;
      watcher.unobserve(card);
      clearTimeout(timers.get(card));
      state.shown.delete(card.shown.id);
      replaced.add(card.shown.id);
      card.remove();
    }
    state.cursor = "";
    state.more = true;
    const others = await loadPage(generation, replaced);
    if (others && generation === state.generation) toast(others === 1 ? "1 new idea below" : `${others} new ideas below`);
  });
}

new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting) && state.shown.size) loadPage();
}, { rootMargin: "900px" }).observe($("feed-end"));

// ---- What is understood of the person ----

async function loadProfile() {
  const user = state.user;
  let profile = {};
  try { profile = await call("GET", `/v1/users/${encodeURIComponent(user.id)}/profile`); } catch { /* a new visitor has no profile yet */ }
  if (user !== state.user) return;
  const interests = (profile.interests || []).filter((interest) => interest.share > .004).slice(0, 10);
  const before = state.interests;
  state.interests = new Map(interests.map((interest) => [interest.category, interest.share]));
  const events = Number(profile.events || 0);
  $("interests-note").textContent = interests.length ? `from ${events.toLocaleString("en")} events` : "";
  $("interests-bar").replaceChildren(...interests.map((interest) => make("i", { style: `--hue:${hue(interest.category)};flex:${interest.share} 0 0` })));
  $("interests-list").replaceChildren(...interests.map((interest) => {
    const grew = before.size && interest.share - (before.get(interest.category) || 0) > .004;
    const node = make("li", { style: `--hue:${hue(interest.category)}`, class: grew ? "up" : null }, title(interest.category), make("b", {}, `${grew ? "\u2191 " : ""}${Math.max(1, Math.round(interest.share * 100))}%`));
    if (grew) setTimeout(() => node.classList.remove("up"), 4000);
    return node;
  }));
  if (!interests.length) $("interests-list").append(make("p", { class: "note" }, "Nothing yet. Open, save or hide something, and this fills up."));
}

// ---- Close up ----

async function openCloseup(shown) {
  if (closeup) await closeCloseup();
  closeup = { shown, since: Date.now() };
  const dialog = $("closeup");
  $("closeup-picture").replaceChildren(make("img", { src: shown.image, alt: shown.title }));
  $("closeup-path").textContent = shown.categories.join(" \u203a ");
  $("closeup-title").textContent = shown.title;
  $("closeup-price").textContent = shown.price ? price(shown.price) : "";
  const save = saveButton(shown);
  save.classList.add("main");
  const actions = [save, make("button", { class: "button", type: "button", onclick: () => { dialog.close(); hideItem(shown); } }, icon("hide"), "Hide")];
  if (shown.price) {
    actions.push(make("button", { class: "button", type: "button", onclick: async (event) => {
      event.currentTarget.disabled = true;
      if (await act("purchase", shown, { value: shown.price })) learned("Bought (it is only a demo)");
    } }, icon("buy"), "Buy"));
  }
  $("closeup-actions").replaceChildren(...actions);
  whyPanel(shown.explanation, $("closeup-why"));
  $("closeup-why").prepend(make("p", { class: "reason" }, shown.reason));
  const related = $("related");
  if (!dialog.open) dialog.showModal();
  dialog.scrollTo({ top: 0 });
  skeletons(related, columnsFor(related));
  act("click", shown);
  try {
    const answer = await recommend({ surface: "related", item: shown.id, n: 15 });
    if (closeup?.shown !== shown) return;
    const cards = (answer.items || []).map((item) => makeCard(shownOf(item, answer.request_id, "related")));
    await Promise.all(cards.map((card) => card.ready));
    if (closeup?.shown !== shown) return;
    related.replaceChildren(...Array.from({ length: columnsFor(related) }, () => make("div", { class: "column" })));
    cards.forEach((card, index) => { card.order = index; place(related, card); watcher.observe(card); });
    if (!cards.length) related.replaceChildren(make("p", { class: "note" }, "Nothing like it yet."));
  } catch (problem) {
    related.replaceChildren(make("p", { class: "note" }, `${problem.title || "Something went wrong"}. ${problem.message}`));
  }
}

async function closeCloseup() {
  const { shown, since } = closeup;
  closeup = null;
  if (await act("closeup", shown, { dwell_ms: Math.min(Date.now() - since, 600000) })) loadProfile();
}
$("closeup").addEventListener("close", () => { if (closeup) closeCloseup(); });

// ---- Who is looking ----

function setUser(person) {
  state.user = person;
  state.saved.clear();
  state.interests = new Map();
  $("user-name").textContent = person.name;
  $("user-avatar").textContent = person.isNew ? "+" : initials(person.name);
  $("user-avatar").style.setProperty("--hue", hue(person.id));
  $("hello").textContent = person.isNew ? "Hello, stranger" : `For you, ${person.name.split(" ")[0]}`;
  $("lead").textContent = person.isNew ? "Nothing is known about you. Save two or three things and watch." : "Save what you like, hide what you don't. The next page already knows.";
  history.replaceState(null, "", `?user=${encodeURIComponent(person.id)}`);
  startFeed();
}
function newVisitor() {
  return { id: `visitor-${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`, name: "New visitor", isNew: true };
}
function openPeople() {
  $("people").replaceChildren(...state.people.map((person) => make("button", {
    class: "person", type: "button", "aria-current": String(person.id === state.user?.id), onclick: () => { $("users").close(); setUser(person); },
  }, make("span", { class: "avatar", "aria-hidden": "true", style: `--hue:${hue(person.id)}` }, initials(person.name)),
  make("span", {}, make("b", {}, person.name), make("small", {}, person.about || person.id)))));
  $("users").showModal();
}

$("user").addEventListener("click", openPeople);
$("new-user").addEventListener("click", () => { $("users").close(); setUser(newVisitor()); });
$("refresh").addEventListener("click", startFeed);
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => { if (event.target === dialog || event.target.closest("[data-close]")) dialog.close(); });
}
const theme = (name) => document.documentElement.setAttribute("data-theme", name);
const dark = matchMedia("(prefers-color-scheme: dark)");
theme(dark.matches ? "dark" : "light");
dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
$("theme").addEventListener("click", () => theme(document.documentElement.getAttribute("data-theme") === "dark" ? "light" : "dark"));
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === width) return;
  width = innerWidth;
  layout($("feed"));
  if ($("closeup").open) layout($("related"));
});

// Those with a good history first (not the few who have seen everything), each with what they are about.
async function loadPeople() {
  let people = [];
  try { people = await call("GET", "/demo/users"); } catch { return []; }
  await Promise.all(people.map(async (person) => {
    try {
      const profile = await call("GET", `/v1/users/${encodeURIComponent(person.id)}/profile`);
      person.events = Number(profile.events || 0);
      person.about = (profile.interests || []).slice(0, 2).map((interest) => interest.category).join(", ");
    } catch { person.events = 0; }
  }));
  const isGood = (person) => person.events >= 80 && person.events <= 500;
  return people.sort((a, b) => isGood(b) - isGood(a) || b.events - a.events).slice(0, 24);
}

async function begin() {
  skeletons($("feed"), 2 * columnsFor($("feed")));
  state.people = await loadPeople();
  const wanted = new URLSearchParams(location.search).get("user");
  const known = state.people.find((person) => person.id === wanted);
  if (known) return setUser(known);
  if (wanted) return setUser({ id: wanted, name: wanted.startsWith("visitor-") ? "New visitor" : wanted, isNew: wanted.startsWith("visitor-") });
  setUser(state.people[0] || newVisitor());
}
begin();
