// The same moment side by side: this person's feed, and what is most popular with everybody.

import { recommend, shownOfAnswer } from "./api.js";
import { makeCard, settled } from "./card.js";
import { $, make, noteBox } from "./dom.js";
import { unwatch, watch } from "./impressions.js";
import { on, session } from "./session.js";
import { Wall } from "./wall.js";

const SHOWN = 14;
const TOPICS = 5;   // the strongest interests that count as the person's own
let sides = null;
let generation = 0;

const SIDES = [
  { key: "personal", title: () => session.user.isNew ? "For a new visitor" : `For ${session.user.name.split(" ")[0]}`, text: "Bowerbird, from this person's own actions",
    request: () => ({ surface: "home", n: SHOWN }), surface: "home" },
  { key: "popular", title: () => "Most popular", text: "The same for everybody",
    request: () => ({ surface: "popular", user: "", n: SHOWN }), surface: "popular" },
];

export function showCompare() {
  sides = SIDES.map((side) => {
    const node = make("div", { class: "wall", role: "feed", "aria-label": side.text });
    const figure = make("p", { class: "match" });
    return { ...side, node, figure, wall: new Wall(node, { columnWidth: 200, columnsMin: 1 }),
      box: make("section", { class: `side ${side.key}` }, make("div", { class: "side-head" }, make("div", {}, make("h2", {}, side.title()), make("p", { class: "quiet" }, side.text)), figure), node) };
  });
  $("view-compare").replaceChildren(
    make("div", { class: "intro" }, make("div", {}, make("h1", { id: "compare-title", tabindex: "-1" }, "Side by side"),
      make("p", { class: "lead" }, "Save something on the left and see which side follows."))),
    make("div", { class: "sides" }, sides.map((side) => side.box)));
  sides.forEach((side) => side.wall.placeholders(8));
  return load(sides);
}

async function load(which) {
  const mine = ++generation;
  await Promise.all(which.map(async (side) => {
    try {
      const answer = await recommend(side.request());
      const before = new Set(side.wall.cards().map((card) => card.shown.id));
      const cards = shownOfAnswer(answer, side.surface).map((shown) => {
        const card = makeCard(shown, { tools: side.key === "personal", why: side.key === "personal" });
        if (before.size && !before.has(shown.id)) card.classList.add("is-new");
        return card;
      });
      await settled(cards);
      if (mine !== generation || !side.node.isConnected) return;
      side.wall.cards().forEach(unwatch);
      side.wall.clear();
      side.wall.append(...cards);
      if (side.key === "personal") cards.forEach(watch);
      if (!cards.length) side.node.replaceChildren(noteBox("nest", "Nothing to show", "Everything was seen.", null));
      showMatch(side, cards);
    } catch (problem) {
      if (mine !== generation) return;
      side.wall.clear();
      side.node.style.height = "";
      side.node.replaceChildren(noteBox("cloud", problem.title || "Something went wrong", problem.message, "Try again", () => showCompare()));
    }
  }));
}

function showMatch(side, cards) {
  const own = new Set(session.interests.slice(0, TOPICS).map((interest) => interest.category));
  if (!own.size) return side.figure.replaceChildren();
  const matching = cards.filter((card) => card.shown.categories.some((category) => own.has(category))).length;
  side.figure.replaceChildren(make("b", {}, `${matching} of ${cards.length}`), make("small", {}, "in this person's topics"));
}

const visible = () => location.hash === "#/compare" && sides !== null;
on("acted", () => { if (visible()) load([sides[0]]); });
on("user", () => { if (visible()) showCompare(); });
on("profile", () => { if (visible()) for (const side of sides) if (side.wall.cards().length) showMatch(side, side.wall.cards()); });
on("connection", (isUp) => { if (isUp && visible()) showCompare(); });
