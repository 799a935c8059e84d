// Latency of answers and freshness of the feed, as they happen.

import { $, make } from "./dom.js";
import { duration, plural, quantile } from "./words.js";

const KEPT = 60;
const CHARTED_MIN = 3;  // fewer make no line
const answers = [];   // ms from asking to the answer read
const fresh = [];     // ms from an action's acknowledgement to the feed that it changed

export function answered(ms) { keep(answers, ms); }
export function becameFresh(ms) { keep(fresh, ms); }

function keep(values, ms) {
  values.push(ms);
  if (values.length > KEPT) values.shift();
  show();
}

function path(values, width, height) {
  const most = Math.max(...values, 1);
  const step = width / Math.max(1, values.length - 1);
  return values.map((value, index) => `${index ? "L" : "M"}${(index * step).toFixed(1)} ${(height - 2 - (height - 4) * value / most).toFixed(1)}`).join(" ");
}

function show() {
  $("live-latency").textContent = answers.length ? duration(answers.at(-1)) : "–";
  $("live-fresh").textContent = fresh.length ? duration(fresh.at(-1)) : "–";
  if (answers.length >= CHARTED_MIN) $("live-spark").innerHTML = `<path d="${path(answers.slice(-24), 64, 20)}"/>`;
  if (!$("live-panel").hidden) showPanel();
}

function chart(values, label) {
  if (values.length < CHARTED_MIN) return "";
  const figure = make("div", { class: "chart", role: "img", "aria-label": label });
  const width = 320, height = 64;
  const line = path(values, width, height);
  figure.innerHTML = `<svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" aria-hidden="true"><path class="area" d="${line} L${width} ${height} L0 ${height} Z"/><path class="line" d="${line}"/></svg>`;
  return figure;
}

function block(heading, text, values, empty) {
  if (!values.length) return make("section", { class: "live-block" }, make("h3", {}, heading), make("p", { class: "quiet" }, empty));
  const middle = quantile(values, .5), slow = quantile(values, .99);
  return make("section", { class: "live-block" },
    make("h3", {}, heading),
    make("div", { class: "figures" },
      make("div", {}, make("b", {}, duration(values.at(-1))), make("small", {}, "last")),
      make("div", {}, make("b", {}, duration(middle)), make("small", {}, "median")),
      make("div", {}, make("b", {}, duration(slow)), make("small", {}, "slowest 1%"))),
    chart(values, `${heading}: last ${duration(values.at(-1))}, median ${duration(middle)}`),
    make("p", { class: "quiet" }, text.replace("#", plural(values.length, "time"))));
}

function showPanel() {
  $("live-body").replaceChildren(
    block("Answer", "From asking for a page to having it, measured # in this browser.", answers, "Nothing was asked yet."),
    block("Freshness", "From the server's word that an action is safe to the feed that it changed, measured #.", fresh,
      "Save something: this shows how soon the feed follows."));
}

export function togglePanel(open = $("live-panel").hidden) {
  $("live-panel").hidden = !open;
  $("live").setAttribute("aria-expanded", String(open));
  if (open) {
    showPanel();
    $("live-panel").querySelector("[data-close-panel]").focus();
  }
}

export function start() {
  $("live").addEventListener("click", () => togglePanel());
  $("live-panel").querySelector("[data-close-panel]").addEventListener("click", () => { togglePanel(false); $("live").focus(); });
  document.addEventListener("pointerdown", (event) => {
    if (!$("live-panel").hidden && !event.target.closest("#live-panel, #live")) togglePanel(false);
  });
}
