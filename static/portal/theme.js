// Loaded before the page is drawn, so that a light page never flashes up in a dark room.
"use strict";

(() => {
  const root = document.documentElement;
  const kept = localStorage.getItem("theme");
  if (kept === "light" || kept === "dark") root.dataset.bsTheme = kept;

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    root.dataset.bsTheme = root.dataset.bsTheme === "light" ? "dark" : "light";
    localStorage.setItem("theme", root.dataset.bsTheme);
  });
})();
