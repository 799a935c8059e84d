// How names and numbers are said to people.

const NAMES = {
  for_you: "Your taste", because: "Goes with what you chose", trending: "Trending now", fresh: "Just arrived",
  similar: "Similar pictures", popular: "Popular now", ials: "Your taste", near: "Close to what you chose",
  session: "Close to this visit", session_category: "Topic of this visit", co_occurrence: "Goes with what you chose",
  affinity: "Topics you like", interest: "Lasting interest", interest_fine: "Lasting interest, in detail",
  tired: "Had a lot of it lately", quality: "Liked by those who see it", popularity: "Liked by many",
  seen: "Seen before", untrained: "New to the engine",
};

export const capital = (text) => text ? text[0].toUpperCase() + text.slice(1) : "";
export const nameOf = (name) => NAMES[name] || capital(String(name).replaceAll("_", " "));
export const price = (value) => new Intl.NumberFormat("en", { style: "currency", currency: "EUR" }).format(value);
export const count = (value) => Number(value).toLocaleString("en");
export const percent = (share) => `${Math.max(1, Math.round(share * 100))}%`;
export const initials = (name) => name.split(/[\s-]+/).map((word) => word[0]).join("").slice(0, 2).toUpperCase();
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** A duration in the unit that a person would use: "0.8 ms", "14 ms", "1.2 s". */
export function duration(ms) {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  return ms < 999.5 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** The q-quantile of numbers, by rank. */
export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}
