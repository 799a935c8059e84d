// Whose eyes one looks through.

import { call, profileOf } from "./api.js";
import { $, iconButton, make } from "./dom.js";
import { emit, session } from "./session.js";
import { initials } from "./words.js";

const SHOWN = 24;
const EVENTS_GOOD = [80, 500];  // a good history, but not someone who has seen everything

export function setUser(person) {
  session.user = person;
  session.saved.clear();
  session.boards = new Map();
  session.board = "Ideas";
  session.interests = [];
  $("user-name").textContent = person.name;
  $("user-avatar").textContent = person.isNew ? "?" : initials(person.name);
  history.replaceState(null, "", `?user=${encodeURIComponent(person.id)}${location.hash}`);
  emit("user");
}

export function newVisitor() {
  return { id: `visitor-${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`, name: "New visitor", isNew: true };
}

export function openPeople() {
  const dialog = $("people");
  const choose = (person) => { dialog.close(); setUser(person); };
  const entry = (person, about) => make("button", { class: "person", type: "button", "aria-current": String(person.id === session.user?.id), onclick: () => choose(person) },
    make("span", { class: "avatar", "aria-hidden": "true" }, person.isNew ? "?" : initials(person.name)),
    make("span", {}, make("b", {}, person.name), make("small", {}, about)));
  dialog.replaceChildren(
    make("div", { class: "panel-head" }, make("h2", { id: "people-title" }, "Look through someone's eyes"), iconButton("close", "Close", () => dialog.close())),
    make("p", { class: "quiet" }, "Each has a history. A new visitor has none: watch the feed find its way."),
    entry(newVisitor(), "no history at all"),
    make("div", { class: "people" }, session.people.map((person) => entry(person, person.about || person.id))));
  dialog.showModal();
}

/** The demo's people, those with a good history first, each with what they are about. */
export async function loadPeople() {
  const people = await call("GET", "/demo/users");
  await Promise.all(people.map(async (person) => {
    const profile = await profileOf(person.id);
    person.events = Number(profile.events || 0);
    person.about = (profile.interests || []).slice(0, 2).map((interest) => interest.category).join(", ");
  }));
  const good = (person) => person.events >= EVENTS_GOOD[0] && person.events <= EVENTS_GOOD[1];
  session.people = people.sort((a, b) => good(b) - good(a) || b.events - a.events).slice(0, SHOWN);
}

/** Who the address names, else the first of the demo's people. */
export function firstUser() {
  const wanted = new URLSearchParams(location.search).get("user");
  const known = session.people.find((person) => person.id === wanted);
  if (known) return known;
  if (wanted) return { id: wanted, name: wanted.startsWith("visitor-") ? "New visitor" : wanted, isNew: wanted.startsWith("visitor-") };
  return session.people[0] || newVisitor();
}
