// Boards: what was saved, by the name that it was saved under.

import { collectionOf, itemOf, shownOf } from "./api.js";
import { makeCard, settled } from "./card.js";
import { $, icon, make, noteBox } from "./dom.js";
import { on, session } from "./session.js";
import { plural } from "./words.js";
import { Wall } from "./wall.js";

const COVER = 4;
const SAVES_SHOWN = 24;
const ALL = "All saves";

let generation = 0;
let wall = null;

async function itemsOf(name) {
  if (name !== ALL) return ((await collectionOf(session.user.id, name)).items || []).map((item) => shownOf(item));
  const ids = [...new Set(session.sequence.filter((action) => action.type === "save").map((action) => action.item))].slice(0, SAVES_SHOWN);
  return Promise.all(ids.map(async (id) => shownOf(await itemOf(id))));
}

function cover(shown) {
  const pictures = shown.slice(0, COVER).map((one) => make("img", { src: one.image, alt: "", loading: "lazy" }));
  while (pictures.length < COVER) pictures.push(make("span", { class: "blank" }));
  return make("span", { class: "cover", "aria-hidden": "true" }, pictures);
}

function head(title, text, back) {
  return make("div", { class: "intro" }, make("div", {},
    back ? make("a", { class: "back", href: "#/boards" }, icon("back"), "Boards") : null,
    make("h1", { id: "boards-title", tabindex: "-1" }, title), make("p", { class: "lead" }, text)));
}

function failed(problem, again) {
  return noteBox("cloud", problem.title || "Something went wrong", problem.message, "Try again", again);
}

export async function showBoards() {
  const mine = ++generation;
  const view = $("view-boards");
  const grid = make("div", { class: "boards" }, Array.from({ length: 3 }, () => make("div", { class: "skeleton board-skeleton" })));
  view.replaceChildren(head("Boards", "What was saved, in order."), grid);
  const saves = (session.sequence || []).some((action) => action.type === "save");
  const names = [...[...session.boards.keys()].reverse(), ...(saves ? [ALL] : [])];
  if (!names.length) {
    view.replaceChildren(head("Boards", "What was saved, in order."),
      noteBox("nest", "No boards yet", "Save a picture and it lands on a board. The arrow beside Save makes new ones.", "Find something to save", () => { location.hash = "#/"; }));
    return;
  }
  try {
    const boards = await Promise.all(names.map(async (name) => ({ name, items: await itemsOf(name) })));
    if (mine !== generation) return;
    grid.replaceChildren(...boards.map(({ name, items }) => make("a", { class: "board", href: `#/boards/${encodeURIComponent(name)}` },
      cover(items), make("b", {}, name), make("small", {}, plural(items.length, "picture")))));
  } catch (problem) {
    if (mine === generation) grid.replaceWith(failed(problem, showBoards));
  }
}

export async function showBoard(name) {
  const mine = ++generation;
  const node = make("div", { class: "wall" });
  $("view-boards").replaceChildren(head(name, "", true), node);
  wall = new Wall(node);
  wall.placeholders();
  try {
    const items = await itemsOf(name);
    const cards = items.map((shown) => makeCard(shown, { why: false, tools: false }));
    await settled(cards);
    if (mine !== generation) return;
    wall.clear();
    $("view-boards").querySelector(".lead").textContent = plural(items.length, "picture");
    wall.append(...cards);
    if (!items.length) node.replaceWith(noteBox("nest", "Nothing here", "What was on this board has left the catalog.", null));
  } catch (problem) {
    if (mine === generation) node.replaceWith(failed(problem, () => showBoard(name)));
  }
}

// The list follows what was saved meanwhile.
on("profile", () => { if (location.hash === "#/boards") showBoards(); });
