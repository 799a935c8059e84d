// The home feed: pages by cursor as one scrolls, and a new answer for what was not looked at yet after each action.

import { recommend, shownOfAnswer } from "./api.js";
import { makeCard, settled } from "./card.js";
import { isDown } from "./connection.js";
import { $, noteBox } from "./dom.js";
import { unwatch, watch } from "./impressions.js";
import { becameFresh } from "./live.js";
import { openPeople } from "./people.js";
import { loadProfile } from "./profile.js";
import { emit, on, session } from "./session.js";
import { addToToast } from "./toasts.js";
import { Wall } from "./wall.js";
import { plural } from "./words.js";

export const PAGE = 30;
const EXCLUDE_MAX = 1000;       // the API's limit
const FRESH_TRIES = 8;          // asking again for a feed that follows an action
const FRESH_WAIT_MS = 60;
const TEACHES = new Set(["save", "click", "closeup", "purchase"]);

const wall = new Wall($("feed"));
const feed = { cursor: "", more: true, loading: false, generation: 0, topic: "" };

const ids = () => wall.cards().map((card) => card.shown.id);
const query = () => ({ surface: "home", n: PAGE, ...(feed.topic && { filter: `categories contains ${JSON.stringify(feed.topic)}` }) });

function note(...content) { $("feed-note").replaceChildren(...content); }

export async function startFeed() {
  const generation = ++feed.generation;
  Object.assign(feed, { cursor: "", more: true, loading: false });
  wall.cards().forEach(unwatch);
  wall.clear();
  note();
  wall.placeholders();
  if (scrollY > 0) scrollTo({ top: 0 });
  await Promise.all([loadPage(generation), loadProfile()]);
}

export function filterFeed(topic) {
  feed.topic = topic;
  emit("filter", topic);
  startFeed();
}
export const filteredTopic = () => feed.topic;

async function askNext() {
  const request = query();
  if (feed.cursor) request.cursor = feed.cursor;
  else if (wall.cards().length) request.exclude = ids().slice(-EXCLUDE_MAX);
  return recommend(request);
}

/** Puts an answer at the feed's end; nothing if the feed began anew meanwhile. */
async function show(answer, generation, { gone = [], isNew = () => false } = {}) {
  const leaving = new Set(gone.map((card) => card.shown.id));
  const known = new Set(ids().filter((id) => !leaving.has(id)));
  const cards = shownOfAnswer(answer, "home").filter((shown) => !known.has(shown.id)).map((shown) => {
    const card = makeCard(shown);
    if (isNew(shown.id)) card.classList.add("is-new");
    return card;
  });
  await settled(cards);
  if (generation !== feed.generation) return [];
  feed.cursor = answer.next_cursor || "";
  feed.more = Boolean(feed.cursor);
  gone.forEach(unwatch);
  wall.remove(...gone);
  wall.dropPlaceholders();
  wall.append(...cards);
  cards.forEach(watch);
  return cards;
}

async function loadPage(generation = feed.generation) {
  if (feed.loading || !feed.more) return;
  feed.loading = true;
  $("feed").setAttribute("aria-busy", "true");
  try {
    const answer = await askNext();
    if (generation !== feed.generation) return;
    await show(answer, generation);
    if (generation !== feed.generation) return;
    if (!wall.cards().length) noteEmpty();
    else if (!feed.more) noteEnd();
    else note();
  } catch (problem) {
    if (generation !== feed.generation) return;
    wall.dropPlaceholders();
    wall.layout();
    note(noteBox("cloud", problem.title || "Something went wrong", problem.message, "Try again", retry));
  } finally {
    if (generation === feed.generation) {
      feed.loading = false;
      $("feed").setAttribute("aria-busy", "false");
    }
  }
}

function retry() {
  note();
  if (wall.cards().length) loadPage();
  else startFeed();
}

function noteEmpty() {
  if (feed.topic) note(noteBox("nest", `Nothing left in ${feed.topic}`, "Everything of this topic was seen. The other topics have more.", "Show all topics", () => filterFeed("")));
  else note(noteBox("nest", "Nothing left to show", "This person has seen everything there is. Look through someone else's eyes.", "Choose someone else", openPeople));
}
function noteEnd() {
  note(noteBox("nest", "That was everything", "There is no picture left that was not shown.", "Start again", startFeed));
}

// ---- After an action ----

/** The cards that nobody looked at yet: below the fold, neither seen nor acted on. */
function unlooked() {
  return wall.cards().filter((card) => !card.seen && !session.saved.has(card.shown.id) && !card.classList.contains("is-hidden") &&
    card.getBoundingClientRect().top > innerHeight);
}

let updating = Promise.resolve();

/** What was not looked at makes room for an answer that knows of the action acknowledged at `at`. */
function follow({ type, at }) {
  updating = updating.then(async () => {
    const generation = feed.generation;
    if (feed.loading || isDown() || generation !== feed.generation) return;
    const stale = new Set(unlooked().map((card) => card.shown.id));
    const expected = [...stale];
    const exclude = ids().filter((id) => !stale.has(id)).slice(-EXCLUDE_MAX);
    feed.loading = true;
    try {
      let answer;
      for (let tries = 0; tries < FRESH_TRIES; ++tries) {
        answer = await recommend({ ...query(), exclude });
        if (generation !== feed.generation) return;
        const changed = answer.items.some((item, index) => index < expected.length && item.id !== expected[index]) || !expected.length;
        if (changed && expected.length) becameFresh(performance.now() - at);
        if (changed || !TEACHES.has(type)) break;
        await new Promise((resolve) => setTimeout(resolve, FRESH_WAIT_MS));
      }
      const gone = wall.cards().filter((card) => stale.has(card.shown.id));
      const cards = await show(answer, generation, { gone, isNew: (id) => !stale.has(id) });
      const fresh = cards.filter((card) => card.classList.contains("is-new"));
      if (fresh.length && expected.length && TEACHES.has(type)) addToToast(`${plural(fresh.length, "new picture")} below`);
    } catch { /* the banner says that the server is gone; the feed stays as it was */
    } finally {
      if (generation === feed.generation) feed.loading = false;
    }
  });
  return updating;
}

on("acted", (action) => {
  loadProfile();
  if (action.type !== "unhide" && session.user) follow(action);
});
on("connection", (isUp) => { if (isUp && !wall.cards().length && session.user) startFeed(); });
on("user", () => { feed.topic = ""; startFeed(); });

new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting) && wall.cards().length && !isDown()) loadPage();
}, { rootMargin: "1200px" }).observe($("feed-end"));
$("refresh").addEventListener("click", startFeed);
