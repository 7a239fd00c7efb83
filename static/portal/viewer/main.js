// The image area of a case page: panes, tools, heatmap, comparison, and the keys for all of them.

import { on } from "../keys.js";
import { Beside } from "./beside.js";
import { Gestures } from "./gestures.js";
import { Heatmap } from "./heatmap.js";
import { Pane } from "./pane.js";
import { Toolbar } from "./toolbar.js";

const FADE_STEP = 10; // per cent of opacity

function start(root) {
  const pane = new Pane(root.querySelector("[data-pane]"));
  const toolbar = new Toolbar(root, pane);
  const heatmap = new Heatmap(pane);
  new Gestures(pane, toolbar);
  new Beside(root, pane, toolbar);
  for (const key of ["pan", "window", "length", "magnifier", "invert", "zoom", "fit", "rotate", "flip"]) {
    on(key, () => toolbar.use(key));
  }
  root.addEventListener("click", (event) => {
    if (event.target.closest("[data-tool=reset]")) heatmap.show(false);
  });
  on("reset", () => {
    toolbar.use("reset");
    heatmap.show(false);
  });
  on("heatmap", () => heatmap.show(!heatmap.isOn));
  on("outline", () => heatmap.restyle());
  on("fainter", () => heatmap.fade(-FADE_STEP));
  on("stronger", () => heatmap.fade(FADE_STEP));
}

for (const root of document.querySelectorAll("[data-viewer]")) start(root);
