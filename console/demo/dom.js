// Making nodes, and the icons.

const ICONS = {
  save: '<path d="M6.5 4h11v16L12 15.8 6.5 20z"/>',
  hide: '<path d="m4 4 16 16M9.9 5.2A10 10 0 0 1 12 5c5 0 8.5 4 9.5 7-.4 1.2-1.2 2.6-2.4 3.8M6.3 7.3C4.3 8.6 3 10.5 2.5 12c1 3 4.5 7 9.5 7 1.4 0 2.7-.3 3.8-.8"/>',
  why: '<path d="M5 4v7a4 4 0 0 0 4 4h10m-4.5-4.5L19 15l-4.5 4.5"/>',
  buy: '<path d="M5 8h14l-1 12H6zM9 8a3 3 0 0 1 6 0"/>',
  down: '<path d="m7 10 5 5 5-5"/>',
  close: '<path d="m6 6 12 12M18 6 6 18"/>',
  back: '<path d="M11 5l-7 7 7 7M4 12h16"/>',
  undo: '<path d="M9 7 4.5 11.5 9 16M5 11.5h8.5a5 5 0 0 1 0 10H11"/>',
  plus: '<path d="M12 5v14M5 12h14"/>',
  check: '<path d="m5 12.5 4.5 4.5L19 7.5"/>',
  cloud: '<path d="M7 18a4 4 0 0 1-.5-8A6 6 0 0 1 18 9.5a4.3 4.3 0 0 1-1 8.5M9.5 14.5l5 5M14.5 14.5l-5 5"/>',
  nest: '<path d="M3 12c2 6 6 8 9 8s7-2 9-8M3 12h18M8 12c0-4 2-7 4-7s4 3 4 7"/>',
};

export const $ = (id) => document.getElementById(id);

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.innerHTML = ICONS[name];
  return svg;
}

/** `on…` attributes are listeners; null, undefined and false ones are left out. Text is never read as markup. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function iconButton(name, label, onclick, more = {}) {
  return make("button", { class: "icon-button", type: "button", "aria-label": label, title: label, onclick, ...more }, icon(name));
}

/** What stands in place of a wall that has nothing to show. */
export function noteBox(iconName, heading, text, action, run) {
  return make("div", { class: "note-box" }, icon(iconName), make("h2", {}, heading), make("p", {}, text),
    action ? make("button", { class: "button main", type: "button", onclick: run }, action) : null);
}
