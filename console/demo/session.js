// What the modules share: who is looking, what is known of them, and word of changes.

export const session = {
  user: null,             // {id, name, isNew}
  people: [],
  saved: new Set(),       // item ids
  boards: new Map(),      // name -> number of items
  board: "Ideas",         // where a save goes
  interests: [],          // [{category, share}], strongest first
  events: 0,              // folded into the person's state
};

const listeners = new Map();

/** Names in use: "user", "profile", "saved", "acted", "connection". */
export function on(name, listener) {
  listeners.set(name, [...(listeners.get(name) || []), listener]);
}
export function emit(name, detail) {
  for (const listener of listeners.get(name) || []) listener(detail);
}
