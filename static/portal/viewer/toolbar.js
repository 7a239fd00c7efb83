// The tools over the stage: they act on the pane that was last touched, and show how it stands.

import { ZOOM_STEP } from "./gestures.js";

const MODES = new Set(["pan", "window", "length", "magnifier"]);
const CHANGED = "changed"; // the window of no preset

// Browsers call a select :focus-visible after a click too, so what was used last is noted here.
let isByPointer = false;
document.addEventListener("pointerdown", () => (isByPointer = true), true);
document.addEventListener("keydown", () => (isByPointer = false), true);

/** After a choice by pointer keys mean tools again; who chooses by keyboard goes on choosing. */
export function leave(select) {
  if (isByPointer) select.blur();
}

export class Toolbar {
  constructor(root, pane) {
    this.root = root;
    this.presets = root.querySelector("[data-presets]");
    this.zoom = root.querySelector("[data-zoom]");
    this.mode = "pan";
    this.panes = new Set();
    this.add(pane);
    this.pane = pane; // that tools act on
    root.addEventListener("click", (event) => {
      const tool = event.target.closest("[data-tool]")?.dataset.tool;
      if (tool) this.use(tool);
    });
    this.presets.addEventListener("change", () => {
      this.pane.setWindow(this.windows[this.presets.value]);
      leave(this.presets);
    });
  }

  add(pane) {
    this.panes.add(pane);
    pane.onChange((changed) => this.show(changed));
    for (const event of ["pointerdown", "focus"]) pane.stage.addEventListener(event, () => this.activate(pane));
    pane.stage.dataset.mode = this.mode;
    pane.magnifier.turn(this.mode === "magnifier");
  }

  remove(pane) {
    this.panes.delete(pane);
    [this.pane] = this.panes;
    this.show(this.pane);
  }

  activate(pane) {
    this.pane = pane;
    this.show(pane);
  }

  use(tool) {
    const { pane } = this;
    if (MODES.has(tool)) this.choose(tool);
    if (tool === "invert") pane.invert();
    if (tool === "zoom-in") pane.look((view) => view.zoomTo(view.zoom * ZOOM_STEP));
    if (tool === "zoom-out") pane.look((view) => view.zoomTo(view.zoom / ZOOM_STEP));
    if (tool === "fit") pane.look((view) => view.fit());
    if (tool === "actual") pane.look((view) => view.zoomTo(view.actualZoom));
    if (tool === "zoom") pane.look((view) => (view.isFitted ? view.zoomTo(view.actualZoom) : view.fit()));
    if (tool === "rotate") pane.look((view) => view.rotate());
    if (tool === "flip") pane.look((view) => view.flip());
    if (tool === "reset") {
      pane.reset();
      this.choose("pan");
    }
  }

  choose(mode) {
    this.mode = mode;
    for (const pane of this.panes) {
      pane.stage.dataset.mode = mode;
      pane.magnifier.turn(mode === "magnifier");
    }
    this.press((tool) => (MODES.has(tool) ? tool === mode : null));
  }

  show(pane) {
    if (pane !== this.pane) return;
    const { view } = pane;
    this.zoom.value = `${Math.round(view.zoom * view.ratio * 100)} %`;
    const pressed = { invert: pane.isInverted, flip: view.flipped };
    this.press((tool) => pressed[tool] ?? null);
    this.offer(pane);
  }

  press(isPressed) {
    for (const button of this.root.querySelectorAll("[data-tool][aria-pressed]")) {
      const on = isPressed(button.dataset.tool);
      if (on !== null) button.setAttribute("aria-pressed", on);
    }
  }

  offer(pane) {
    this.presets.disabled = !pane.grey;
    if (!pane.grey) return;
    if (this.offered !== pane.grey) {
      this.offered = pane.grey;
      const presets = pane.grey.presets();
      this.windows = presets.map(({ window }) => window);
      this.presets.replaceChildren(
        ...presets.map(({ name }, index) => new Option(name, index)),
        new Option("Changed", CHANGED),
      );
      this.presets.lastElementChild.disabled = true;
    }
    const isSame = (one, other) =>
      one === other || (one && other && one.centre === other.centre && one.width === other.width);
    const found = this.windows.findIndex((window) => isSame(window, pane.window));
    this.presets.value = found < 0 ? CHANGED : found;
  }
}
