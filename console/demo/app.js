// Where the page begins.

import { showBoard, showBoards } from "./boards.js";
import "./closeup.js";
import { showCompare } from "./compare.js";
import { $, noteBox } from "./dom.js";
import "./feed.js";
import * as finder from "./finder.js";
import * as keyboard from "./keyboard.js";
import * as live from "./live.js";
import { firstUser, loadPeople, openPeople, setUser } from "./people.js";
import { on, session } from "./session.js";

function show(view) {
  for (const name of ["feed", "boards", "compare"]) $(`view-${name}`).hidden = name !== view;
  for (const tab of document.querySelectorAll(".tabs a")) {
    if (tab.dataset.view === view) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
}

/** The address after # says which view: "", "/boards", "/boards/NAME" or "/compare". */
function route() {
  const [, view = "", name] = location.hash.slice(1).split("/");
  if (view === "boards") {
    show("boards");
    if (session.user) name ? showBoard(decodeURIComponent(name)) : showBoards();
  } else if (view === "compare") {
    show("compare");
    if (session.user) showCompare();
  } else {
    show("feed");
  }
}

async function begin() {
  try {
    await loadPeople();
  } catch (problem) {
    $("feed-note").replaceChildren(noteBox("cloud", problem.title, problem.message, "Try again", begin));
    return;
  }
  $("feed-note").replaceChildren();
  setUser(firstUser());
  route();
}

for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}
$("user").addEventListener("click", openPeople);
addEventListener("hashchange", () => { scrollTo({ top: 0 }); route(); });
on("connection", (isUp) => { if (isUp && !session.user) begin(); });
on("user", () => { if (location.hash.startsWith("#/boards")) location.hash = "#/boards"; });
finder.start();
keyboard.start();
live.start();
route();
begin();
