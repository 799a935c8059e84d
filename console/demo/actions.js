// What a person does with a picture: save, hide, undo, open, buy. Shown at once, told to the server, taken back if it
// refuses.

import { act } from "./outbox.js";
import { emit, session } from "./session.js";
import { problemToast, toast } from "./toasts.js";

export const cardsOf = (id) => [...document.querySelectorAll(".card")].filter((card) => card.shown?.id === id);
let lastHidden = null;

export async function save(shown, board = session.board) {
  const was = session.saved.has(shown.id);
  session.saved.add(shown.id);
  session.board = board;
  emit("saved", shown.id);
  toast(`Saved to ${board}`);
  try {
    const at = await act("save", shown, { collection: board });
    session.boards.set(board, (session.boards.get(board) || 0) + 1);
    emit("acted", { type: "save", shown, at });
  } catch (problem) {
    if (!was) session.saved.delete(shown.id);
    emit("saved", shown.id);
    problemToast(problem);
  }
}

export async function hide(shown) {
  lastHidden = shown;
  for (const card of cardsOf(shown.id)) card.setHidden(true);
  try {
    const at = await act("hide", shown);
    emit("acted", { type: "hide", shown, at });
  } catch (problem) {
    for (const card of cardsOf(shown.id)) card.setHidden(false);
    problemToast(problem);
  }
}

/** Takes the newest hide back, or that of `shown`. */
export async function unhide(shown = lastHidden) {
  if (!shown) return;
  if (lastHidden?.id === shown.id) lastHidden = null;
  for (const card of cardsOf(shown.id)) card.setHidden(false);
  toast("Back in your feed");
  try {
    const at = await act("unhide", shown);
    emit("acted", { type: "unhide", shown, at });
  } catch (problem) {
    for (const card of cardsOf(shown.id)) card.setHidden(true);
    problemToast(problem);
  }
}

export async function buy(shown) {
  try {
    const at = await act("purchase", shown, { value: shown.price });
    toast("Bought (it is only a demo)");
    emit("acted", { type: "purchase", shown, at });
  } catch (problem) { problemToast(problem); }
}

export async function click(shown) {
  try { emit("acted", { type: "click", shown, at: await act("click", shown) }); } catch { /* the closeup shows what is wrong */ }
}

export async function lookedCloser(shown, dwellMs) {
  try { emit("acted", { type: "closeup", shown, at: await act("closeup", shown, { dwell_ms: Math.round(dwellMs) }) }); } catch { /* as above */ }
}
