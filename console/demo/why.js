// Why an item is there, and why another one is not.

import { make, icon } from "./dom.js";
import { capital, nameOf } from "./words.js";

const AGAINST = new Set(["tired", "seen"]);  // features that lower a score

function row(name, value, share) {
  return make("div", { class: "why-row" }, make("span", {}, name), make("span", { class: "number" }, value),
    share === undefined ? null : make("span", { class: "meter", "aria-hidden": "true" }, make("i", { style: `width:${(100 * share).toFixed(0)}%` })));
}

/** The parts of an explanation: who found the item, what counted, which rules touched it. */
export function whyParts(explanation) {
  const parts = [];
  const sources = explanation?.sources || [];
  const known = (explanation?.features || []).filter((feature) => Math.abs(feature.value) > .0005)
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const forIt = known.filter((feature) => !AGAINST.has(feature.name)).slice(0, 5);
  const against = known.filter((feature) => AGAINST.has(feature.name));
  if (sources.length) {
    parts.push(make("h4", {}, "Found by"), ...sources.map((source) => row(nameOf(source.generator), `no. ${source.rank}`)));
  }
  if (forIt.length) {
    const most = Math.abs(forIt[0].value);
    parts.push(make("h4", {}, "What counted"), ...forIt.map((feature) => row(nameOf(feature.name), feature.value.toFixed(2), Math.abs(feature.value) / most)));
  }
  if (against.length) parts.push(make("h4", {}, "What spoke against it"), ...against.map((feature) => row(nameOf(feature.name), feature.value.toFixed(2))));
  if (explanation?.rules?.length) parts.push(make("h4", {}, "Rules"), ...explanation.rules.map((rule) => row(rule, "")));
  if (explanation) parts.push(make("h4", {}, "Score"), row("After rules and diversity", Number(explanation.final_score || 0).toFixed(3)));
  return parts;
}

// The way of an item to the page, and where each code ends it.
const STEPS = [
  ["Known to the catalog", ["unknown_item", "withdrawn", "unavailable"]],
  ["Within the filters", ["surface_filter", "request_filter"]],
  ["Not hidden, seen or shown", ["hidden", "seen", "excluded", "shown_earlier", "is_the_item"]],
  ["Found by a generator", ["not_proposed", "candidates_max"]],
  ["Ranked high enough", ["ranked_below", "buried", "seen_demoted"]],
  ["Kept by the blend", ["category_cap", "diversity", "displaced_by_pin", "not_drawn", "not_drafted"]],
];

/** An item's way to the first page of the feed, up to the step that ended it. */
export function outcomeSteps(outcome) {
  const ended = STEPS.findIndex(([, codes]) => codes.includes(outcome.code));
  const shown = outcome.code === "shown";
  return make("section", { class: "outcome", "data-code": outcome.code },
    make("h3", {}, shown ? `In your feed, at position ${outcome.position}` : "Why it is not in your feed"),
    shown ? null : make("p", {}, `${capital(outcome.detail)}.`),
    make("ol", {}, STEPS.map(([name], index) => {
      const state = shown || index < ended ? "passed" : index === ended ? "ended" : "open";
      const said = { passed: "passed", ended: "this is where it ended", open: "not reached" }[state];
      return make("li", { class: state }, state === "passed" ? icon("check") : state === "ended" ? icon("close") : make("span", { class: "dot", "aria-hidden": "true" }),
        make("span", {}, name), make("span", { class: "sr" }, `: ${said}`));
    })));
}
