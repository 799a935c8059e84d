// Finding a picture by its words, to ask why the feed does not show it.

import { call } from "./api.js";
import { openItem } from "./closeup.js";
import { $, make } from "./dom.js";
import { problemToast } from "./toasts.js";

const WAIT_MS = 120;
let timer = 0;
let asked = "";
let found = [];
let active = -1;

function close() {
  $("finder-list").hidden = true;
  $("finder-input").setAttribute("aria-expanded", "false");
  $("finder-input").removeAttribute("aria-activedescendant");
  active = -1;
}

function activate(index) {
  active = found.length ? (index + found.length) % found.length : -1;
  [...$("finder-list").children].forEach((node, at) => node.setAttribute("aria-selected", String(at === active)));
  if (active >= 0) {
    $("finder-input").setAttribute("aria-activedescendant", `found-${active}`);
    $("finder-list").children[active].scrollIntoView({ block: "nearest" });
  }
}

function choose(index) {
  const item = found[index];
  if (!item) return;
  close();
  $("finder-input").value = "";
  $("finder-input").blur();
  openItem(item.id).catch(problemToast);
}

async function search() {
  const words = $("finder-input").value.trim();
  asked = words;
  if (!words) return close();
  let answer;
  try { answer = await call("GET", `/demo/find?q=${encodeURIComponent(words)}`); } catch { return close(); }
  if (asked !== words) return;
  found = answer;
  $("finder-list").replaceChildren(...found.map((item, index) => make("li", { id: `found-${index}`, role: "option", "aria-selected": "false",
    onpointerdown: (event) => { event.preventDefault(); choose(index); } },
  make("img", { src: `/demo/pictures/${encodeURIComponent(item.id)}.svg`, alt: "" }), make("span", {}, make("b", {}, item.title), make("small", {}, item.topic)))));
  if (!found.length) $("finder-list").replaceChildren(make("li", { class: "none", role: "option", "aria-disabled": "true" }, "No picture has these words."));
  $("finder-list").hidden = false;
  $("finder-input").setAttribute("aria-expanded", "true");
  activate(0);
}

export const focusFinder = () => { $("finder-input").focus(); $("finder-input").select(); };

export function start() {
  const input = $("finder-input");
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(search, WAIT_MS); });
  input.addEventListener("focus", () => { if (input.value) search(); });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      activate(active + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Escape") {
      if (!$("finder-list").hidden) close();
      else input.blur();
      event.stopPropagation();
    }
  });
  $("finder").addEventListener("submit", (event) => { event.preventDefault(); choose(active); });
}
