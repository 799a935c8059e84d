import { $, make } from "./dom.js";

/** A short word at the bottom; with `action`, a button in it and more time. */
export function toast(text, { bad = false, action, run } = {}) {
  const node = make("div", { class: bad ? "toast bad" : "toast" }, make("span", {}, text));
  if (action) node.append(make("button", { type: "button", onclick: () => { node.remove(); run(); } }, action));
  $("toasts").append(node);
  while ($("toasts").children.length > 2) $("toasts").firstChild.remove();
  setTimeout(() => node.remove(), action || bad ? 7000 : 3000);
  return node;
}

/** Goes on with what the newest toast says, while it is there. */
export function addToToast(text) {
  const last = $("toasts").lastElementChild;
  if (last && !last.querySelector("button")) last.firstChild.textContent += `. ${text}`;
  else toast(text);
}

export const problemToast = (problem) => toast(`${problem.title || "Something went wrong"}. ${problem.message}`, { bad: true });
