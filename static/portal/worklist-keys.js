// Keys of the worklist: up and down its rows, and to the search. Enter opens the row, as it does with any link.

import { on } from "./keys.js";

function move(step) {
  const rows = [...document.querySelectorAll("#worklist-rows .row-link")];
  const at = rows.indexOf(document.activeElement);
  const next = at === -1 ? 0 : Math.min(Math.max(at + step, 0), rows.length - 1);
  rows[next]?.focus();
}

on("row-down", () => move(1));
on("row-up", () => move(-1));
on("search", (event) => {
  event.preventDefault(); // the sign itself is not searched for
  document.querySelector("#worklist input[type=search]").focus();
});
