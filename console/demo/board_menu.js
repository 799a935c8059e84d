// The small menu that chooses the board of a save.

import { save } from "./actions.js";
import { make, icon } from "./dom.js";
import { session } from "./session.js";

const NAME_MAX = 60;
let menu = null;
let opener = null;

export const boardNames = () => [...new Set([session.board, ...session.boards.keys(), "Ideas"])];

export function closeBoardMenu() {
  if (!menu) return false;
  menu.remove();
  menu = null;
  opener?.focus({ preventScroll: true });
  return true;
}

export function openBoardMenu(shown, button) {
  closeBoardMenu();
  opener = button;
  const choose = (name) => { closeBoardMenu(); save(shown, name); };
  const input = make("input", { type: "text", maxlength: NAME_MAX, placeholder: "New board", "aria-label": "Name of a new board" });
  menu = make("div", { class: "menu", role: "dialog", "aria-label": `Save ${shown.title} to` },
    make("p", { class: "menu-title" }, "Save to"),
    make("div", { class: "menu-list" }, boardNames().map((name) => make("button", { type: "button", onclick: () => choose(name) },
      make("span", {}, name), session.boards.get(name) ? make("small", {}, String(session.boards.get(name))) : null))),
    make("form", { onsubmit: (event) => { event.preventDefault(); if (input.value.trim()) choose(input.value.trim()); } },
      input, make("button", { class: "icon-button", type: "submit", "aria-label": "Make the board and save" }, icon("plus"))));
  // Inside an open dialog, so that it is not behind it.
  (button.closest("dialog") || document.body).append(menu);
  const place = button.getBoundingClientRect();
  const left = Math.min(Math.max(8, place.left), innerWidth - menu.offsetWidth - 8);
  const below = place.bottom + 6 + menu.offsetHeight < innerHeight;
  menu.style.left = `${left}px`;
  menu.style.top = `${below ? place.bottom + 6 : Math.max(8, place.top - menu.offsetHeight - 6)}px`;
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { event.preventDefault(); event.stopPropagation(); closeBoardMenu(); }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const stops = [...menu.querySelectorAll(".menu-list button, input")];
      const at = stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      stops[(at + stops.length) % stops.length].focus();
    }
  });
  menu.querySelector("button").focus({ preventScroll: true });
}

document.addEventListener("pointerdown", (event) => {
  if (menu && !event.target.closest(".menu")) { opener = null; closeBoardMenu(); }
});
addEventListener("scroll", () => { if (menu) { opener = null; closeBoardMenu(); } }, { passive: true });
