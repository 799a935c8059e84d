// What the engine understands of the person: interests as chips that filter the feed, boards, what was saved.

import { profileOf } from "./api.js";
import { $, make } from "./dom.js";
import { filterFeed, filteredTopic } from "./feed.js";
import { emit, on, session } from "./session.js";
import { capital, count, percent } from "./words.js";

const CHIPS = 10;
const SHARE_MIN = .004;

export async function loadProfile() {
  const user = session.user;
  let profile;
  try { profile = await profileOf(user.id); } catch { return; }
  if (user !== session.user) return;
  const before = new Map(session.interests.map((interest) => [interest.category, interest.share]));
  session.interests = profile.interests || [];
  session.events = Number(profile.events || 0);
  session.boards = new Map((profile.collections || []).map((collection) => [collection.name, Number(collection.items)]));
  session.sequence = profile.sequence || [];
  for (const action of session.sequence) if (action.type === "save") session.saved.add(action.item);
  showChips(before);
  emit("profile");
}

function showChips(before = new Map()) {
  const interests = session.interests.filter((interest) => interest.share > SHARE_MIN).slice(0, CHIPS);
  const topic = filteredTopic();
  if (topic && !interests.some((interest) => interest.category === topic)) interests.unshift({ category: topic });
  const focused = document.activeElement?.closest("#chips button")?.dataset.topic;
  $("chips").replaceChildren(
    make("button", { type: "button", class: "chip", "data-topic": "", "aria-pressed": String(!topic), onclick: () => filterFeed("") }, "All"),
    ...interests.map(({ category, share }) => {
      const grew = before.size && share - (before.get(category) || 0) > SHARE_MIN;
      return make("button", { type: "button", class: grew ? "chip grew" : "chip", "data-topic": category, "aria-pressed": String(category === topic),
        title: share ? `${percent(share)} of what this person does` : null, onclick: () => filterFeed(category === topic ? "" : category) },
      capital(category), share ? make("small", {}, percent(share)) : null);
    }));
  if (focused !== undefined) [...$("chips").children].find((chip) => chip.dataset.topic === focused)?.focus();
  const person = session.user;
  $("feed-title").textContent = person.isNew ? "Hello, stranger" : `For ${person.name.split(" ")[0]}`;
  $("feed-lead").textContent = !interests.length ? "Nothing is known yet. Save two or three things and watch the feed find its way."
    : `Learned from ${count(session.events)} events. Save what you like, hide what you don't: the next picture already knows.`;
}

on("filter", () => showChips());
