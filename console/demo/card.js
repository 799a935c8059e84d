// One picture on a wall.

import { hide, save, unhide } from "./actions.js";
import { openBoardMenu } from "./board_menu.js";
import { make, icon, iconButton } from "./dom.js";
import { on, session } from "./session.js";
import { price } from "./words.js";
import { whyParts } from "./why.js";

const PICTURES_WAIT_MS = 1500;

let openCloseup = () => {};
/** The closeup needs cards, and cards open it: it says here how. */
export function onOpen(open) { openCloseup = open; }

export function saveButton(shown, { wide = false } = {}) {
  const label = make("span", {}, "Save");
  const button = make("button", { class: wide ? "button main save" : "save", type: "button", onclick: (event) => {
    if (session.saved.has(shown.id)) openBoardMenu(shown, event.currentTarget);
    else save(shown);
  } }, icon("save"), label);
  button.show = () => {
    const saved = session.saved.has(shown.id);
    button.classList.toggle("saved", saved);
    button.setAttribute("aria-pressed", String(saved));
    button.setAttribute("aria-label", saved ? `Saved: ${shown.title}. Choose another board` : `Save ${shown.title}`);
    label.textContent = saved ? "Saved" : "Save";
  };
  button.show();
  return button;
}

on("saved", (id) => {
  for (const button of document.querySelectorAll(".save")) button.show?.();
  for (const card of document.querySelectorAll(".card")) if (card.shown?.id === id) card.classList.toggle("is-saved", session.saved.has(id));
});

/** Waits until the pictures of cards are there and their heights known, but not long. */
export function settled(cards) {
  return Promise.race([Promise.all(cards.map((card) => card.ready)), new Promise((resolve) => setTimeout(resolve, PICTURES_WAIT_MS))]);
}

/** `why`: with the line that says why it is there; `tools`: with save and hide. */
export function makeCard(shown, { why = true, tools = true } = {}) {
  const picture = make("img", { src: shown.image, alt: shown.title, decoding: "async", draggable: "false" });
  const open = make("button", { class: "card-open", type: "button", "aria-label": `Open ${shown.title}`, onclick: () => openCloseup(shown) },
    make("span", { class: "picture" }, picture));
  const card = make("article", { class: "card", "aria-label": shown.title });
  const face = make("div", { class: "card-face" }, open);
  if (shown.price) face.append(make("span", { class: "tag" }, price(shown.price)));
  if (tools) {
    face.append(make("div", { class: "card-tools" },
      make("button", { class: "board-pick", type: "button", "aria-haspopup": "menu", "aria-label": `Choose a board for ${shown.title}`,
        onclick: (event) => openBoardMenu(shown, event.currentTarget) }, make("span", { class: "board-name" }, session.board), icon("down")),
      saveButton(shown)),
    iconButton("hide", `Hide ${shown.title}`, () => hide(shown), { class: "icon-button card-hide" }));
  }
  const text = make("div", { class: "card-text" }, make("h3", {}, shown.title));
  const panel = make("div", { class: "why-panel", hidden: true });
  if (why && shown.reason) {
    const line = make("button", { class: "why-line", type: "button", "aria-expanded": "false", onclick: () => card.toggleWhy() }, icon("why"), make("span", {}, shown.reason));
    card.toggleWhy = () => {
      panel.hidden = !panel.hidden;
      line.setAttribute("aria-expanded", String(!panel.hidden));
      if (!panel.hidden && !panel.firstChild) panel.append(...whyParts(shown.explanation));
    };
    text.append(line);
  }
  card.append(face, text, panel);
  // Settled either way: a picture that does not come leaves a grey box with its title below.
  card.ready = picture.decode().catch(() => { picture.classList.add("broken"); });
  card.shown = shown;
  card.classList.toggle("is-saved", session.saved.has(shown.id));
  const gone = make("div", { class: "card-gone", hidden: true }, make("p", {}, "Hidden. You will not see it again."),
    make("button", { class: "button small", type: "button", onclick: () => unhide(shown) }, icon("undo"), "Undo"));
  card.append(gone);
  card.setHidden = (hidden) => {
    card.classList.toggle("is-hidden", hidden);
    gone.hidden = !hidden;
    face.inert = text.inert = hidden;
    if (hidden && card.contains(document.activeElement)) gone.querySelector("button").focus({ preventScroll: true });
    if (!hidden && gone.contains(document.activeElement)) open.focus({ preventScroll: true });
  };
  card.focusOpen = () => (card.classList.contains("is-hidden") ? gone.querySelector("button") : open).focus();
  return card;
}
