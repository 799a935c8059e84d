"use strict";
// Runs before the first paint: the theme that was chosen here, else the system's.
(() => {
  const KEY = "bowerbird-theme";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const current = () => localStorage.getItem(KEY) || (dark.matches ? "dark" : "light");
  const show = () => {
    root.dataset.theme = current();
    document.getElementById("theme")?.setAttribute("aria-pressed", String(current() === "dark"));
  };
  show();
  dark.addEventListener("change", show);
  addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme").addEventListener("click", () => {
      const other = current() === "dark" ? "light" : "dark";
      // Back to what the system says is no choice any more.
      if (other === (dark.matches ? "dark" : "light")) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, other);
      show();
    });
  });
})();
