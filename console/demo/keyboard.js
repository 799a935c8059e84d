// The whole page by keyboard.

import { hide, save, unhide } from "./actions.js";
import { closeBoardMenu, openBoardMenu } from "./board_menu.js";
import { $, iconButton, make } from "./dom.js";
import { focusFinder } from "./finder.js";
import { togglePanel } from "./live.js";

const KEYS = [
  [["j", "k"], "next and previous picture"], [["←", "↑", "↓", "→"], "move on the wall"], [["Enter"], "open"], [["s"], "save"],
  [["b"], "save to another board"], [["h"], "hide"], [["u"], "undo the last hide"], [["w"], "why it is there"],
  [["/"], "find a picture"], [["1", "2", "3"], "For you, Boards, Compare"], [["l"], "latency and freshness"], [["Esc"], "close"], [["?"], "this list"],
];

const scope = () => document.querySelector("dialog[open]") || document;
const cards = () => [...scope().querySelectorAll(".card")].filter((card) => card.offsetParent !== null);
const current = () => document.activeElement?.closest(".card");

function focusCard(card) {
  if (!card) return;
  card.focusOpen();
  card.scrollIntoView({ block: "nearest" });
}

function firstInView(all) {
  return all.find((card) => card.getBoundingClientRect().bottom > 120) || all[0];
}

function step(by) {
  const all = cards(), at = all.indexOf(current());
  focusCard(at < 0 ? firstInView(all) : all[Math.min(all.length - 1, Math.max(0, at + by))]);
}

/** The nearest card in a direction, by the middles of the cards. */
function move(dx, dy) {
  const all = cards(), from = current();
  if (!from) return focusCard(firstInView(all));
  const middle = (card) => { const box = card.getBoundingClientRect(); return [box.left + box.width / 2, box.top + Math.min(box.height, 200) / 2]; };
  const [x, y] = middle(from);
  let best = null, least = Infinity;
  for (const card of all) {
    const [cx, cy] = middle(card);
    const along = (cx - x) * dx + (cy - y) * dy, across = Math.abs((cx - x) * dy) + Math.abs((cy - y) * dx);
    if (along < 8) continue;
    const cost = along + 2.5 * across;
    if (cost < least) { least = cost; best = card; }
  }
  focusCard(best);
}

export function openKeys() {
  const dialog = $("keys");
  if (dialog.open) return;
  dialog.replaceChildren(
    make("div", { class: "panel-head" }, make("h2", { id: "keys-title" }, "Keyboard"), iconButton("close", "Close", () => dialog.close())),
    make("dl", { class: "keys" }, KEYS.flatMap(([keys, what]) => [make("dt", {}, keys.map((key) => make("kbd", {}, key))), make("dd", {}, what)])));
  dialog.showModal();
}

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const VIEWS = { 1: "#/", 2: "#/boards", 3: "#/compare" };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.key === "Escape") {
    if (closeBoardMenu()) event.preventDefault();
    else if (!$("live-panel").hidden) togglePanel(false);
    return;
  }
  if (event.target.closest("input, textarea, .menu")) return;
  const dialog = document.querySelector("dialog[open]");
  if (dialog && dialog.id !== "closeup") return;
  const card = current();
  const shown = card?.shown;
  const run = {
    j: () => step(1), k: () => step(-1),
    s: () => shown && save(shown), b: () => shown && openBoardMenu(shown, card.querySelector(".board-pick") || card.querySelector("button")),
    h: () => shown && hide(shown), u: () => unhide(), w: () => card?.toggleWhy?.(),
    "/": () => { dialog?.close(); focusFinder(); }, "?": openKeys, l: () => togglePanel(),
  }[event.key];
  if (run) run();
  else if (VIEWS[event.key] && !dialog) location.hash = VIEWS[event.key];
  // Arrows scroll as ever until a card has the focus.
  else if (MOVES[event.key] && card) move(...MOVES[event.key]);
  else return;
  event.preventDefault();
}

export function start() {
  document.addEventListener("keydown", onKey);
  $("help").addEventListener("click", openKeys);
}
