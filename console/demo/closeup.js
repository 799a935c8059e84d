// A picture close up: what it is, why it is there (or is not in the feed), and more like it.

import { itemOf, recommend, shownOf, shownOfAnswer } from "./api.js";
import { buy, click, hide, lookedCloser } from "./actions.js";
import { makeCard, onOpen, saveButton, settled } from "./card.js";
import { $, icon, iconButton, make } from "./dom.js";
import { PAGE } from "./feed.js";
import { unwatch, watch } from "./impressions.js";
import { session } from "./session.js";
import { capital, price } from "./words.js";
import { Wall } from "./wall.js";
import { outcomeSteps, whyParts } from "./why.js";

const RELATED = 18;
let open = null;     // {shown, since, wall}
let opener = null;

/** From the finder: an item that no answer showed, with why the feed does not have it. */
export async function openItem(id) {
  const shown = shownOf(await itemOf(id));
  return openCloseup(shown, { outcome: true });
}

export function openCloseup(shown, { outcome = false } = {}) {
  const dialog = $("closeup");
  leave();
  if (!dialog.open) opener = document.activeElement;
  const related = make("div", { class: "wall", role: "feed", "aria-labelledby": "related-title", "aria-busy": "true" });
  const why = make("section", { class: "closeup-why", "aria-label": "Why" });
  const actions = make("div", { class: "closeup-actions" }, saveButton(shown, { wide: true }),
    make("button", { class: "button", type: "button", onclick: () => { dialog.close(); hide(shown); } }, icon("hide"), "Hide"),
    shown.price ? make("button", { class: "button", type: "button", onclick: (event) => { event.currentTarget.disabled = true; buy(shown); } }, icon("buy"), "Buy") : null);
  dialog.replaceChildren(
    make("div", { class: "closeup-top" }, iconButton("close", "Close", () => dialog.close())),
    make("div", { class: "closeup-body" },
      make("figure", {}, make("img", { src: shown.image, alt: shown.title })),
      make("div", { class: "closeup-text" },
        make("p", { class: "path" }, shown.categories.map(capital).join(" › ")),
        make("h2", { id: "closeup-title" }, shown.title),
        shown.price ? make("p", { class: "price" }, price(shown.price)) : null,
        actions, why)),
    make("section", { class: "closeup-related" }, make("h3", { id: "related-title" }, "More like this"), related));
  if (shown.explanation) why.append(make("p", { class: "reason" }, icon("why"), shown.reason), ...whyParts(shown.explanation));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTo({ top: 0 });
  open = { shown, since: performance.now(), wall: new Wall(related, { columnWidth: 200 }) };
  open.wall.placeholders();
  if (outcome) explainAbsence(shown, why);
  click(shown);
  return loadRelated(open);
}

async function explainAbsence(shown, why) {
  try {
    const answer = await recommend({ surface: "home", n: PAGE, explain_items: [shown.id] });
    why.prepend(outcomeSteps(answer.outcomes[0]));
  } catch (problem) { why.prepend(make("p", { class: "quiet" }, `${problem.title}. ${problem.message}`)); }
}

async function loadRelated(view) {
  try {
    const answer = await recommend({ surface: "related", item: view.shown.id, n: RELATED });
    if (open !== view) return;
    const cards = shownOfAnswer(answer, "related").map((shown) => makeCard(shown));
    await settled(cards);
    if (open !== view) return;
    view.wall.dropPlaceholders();
    view.wall.append(...cards);
    cards.forEach(watch);
    if (!cards.length) view.wall.node.replaceChildren(make("p", { class: "quiet" }, "Nothing like it yet."));
  } catch (problem) {
    if (open !== view) return;
    view.wall.clear();
    view.wall.node.replaceChildren(make("p", { class: "quiet" }, `${problem.title || "Something went wrong"}. ${problem.message}`));
  } finally {
    view.wall.node.setAttribute("aria-busy", "false");
  }
}

/** Says for how long the picture was looked at. */
function leave() {
  if (!open) return;
  const { shown, since, wall } = open;
  open = null;
  wall.cards().forEach(unwatch);
  if (session.user) lookedCloser(shown, Math.min(performance.now() - since, 600_000));
}

$("closeup").addEventListener("close", () => {
  leave();
  if (opener?.isConnected) opener.focus({ preventScroll: true });
});
onOpen(openCloseup);
