// The heatmap over an image. The controls are part of what the server sends again when a run ends or the reader's
// first impression is given, so they are looked up at each use.

import { contour, misplaced } from "./contour.js";
import { leave } from "./toolbar.js";

const STRONG = 0.5 * 255; // the outline goes around what is at least half as strong as the strongest can be
const percent = (share) => `${Math.round(100 * share)} %`;

export class Heatmap {
  constructor(pane) {
    this.root = pane.root;
    this.overlay = pane.root.querySelector("[data-overlay]");
    this.outline = pane.root.querySelector("[data-outline]");
    this.size = pane.size;
    pane.onChange(() => this.place(pane.view.matrix()));
    this.place(pane.view.matrix());
    this.overlay.addEventListener("load", () => this.loaded());
    document.addEventListener("click", (event) => {
      if (event.target.closest("[data-heatmap-toggle]")) this.show(!this.isOn);
      if (event.target.closest("[data-heatmap-outline]")) this.restyle();
    });
    document.addEventListener("change", (event) => {
      if (!event.target.matches("[data-heatmap-class]")) return;
      this.show(true);
      leave(event.target);
    });
    document.addEventListener("input", (event) => {
      if (event.target.matches("[data-heatmap-opacity]")) this.show(true);
    });
  }

  /** The outline is drawn in image pixels; the overlay is one of the pane's layers. */
  place(matrix) {
    for (const line of this.outline.children) line.setAttribute("transform", `matrix(${matrix})`);
  }

  find(name) {
    return document.querySelector(`[data-heatmap-${name}]`);
  }

  isPressed(name) {
    return this.find(name)?.getAttribute("aria-pressed") === "true";
  }

  get isOn() {
    return this.isPressed("toggle");
  }

  show(on) {
    const toggle = this.find("toggle");
    if (!toggle) return;
    toggle.setAttribute("aria-pressed", on);
    const chosen = this.find("class").selectedOptions[0];
    const { src, description } = chosen.dataset;
    this.isShown = on && src !== undefined; // false where the chosen class has no usable map
    this.carry(chosen.value);
    this.overlay.hidden = !this.isShown;
    this.root.classList.toggle("has-heatmap", this.isShown);
    if (!this.isShown) {
      this.outline.classList.remove("is-shown");
      this.note(on ? "No usable map for this class. The model found nothing that speaks for it." : "");
      return;
    }
    this.overlay.alt = description;
    if (this.overlay.getAttribute("src") !== src) {
      this.map = null;
      this.overlay.src = src;
    }
    this.dress();
  }

  /** A report that is opened from here shows the map that is shown here. */
  carry(uid) {
    const link = document.querySelector("[data-report]");
    link.search = this.isShown ? new URLSearchParams({ heatmap: uid }) : "";
  }

  /** Brings colour or outline, opacity and warning to what is chosen; the values may come later. */
  dress() {
    const asOutline = this.isPressed("outline") && this.map !== undefined;
    const opacity = this.find("opacity").value / 100;
    this.overlay.style.opacity = asOutline ? 0 : opacity;
    this.outline.style.opacity = Math.min(1, opacity + 0.4); // a line is thin
    this.outline.classList.toggle("is-shown", asOutline);
    this.root.classList.toggle("has-outline", asOutline);
    this.note(this.map ? this.warning() : "");
  }

  loaded() {
    this.map = this.values();
    const path = this.map ? contour(this.map, STRONG, this.size) : "";
    for (const line of this.outline.children) line.setAttribute("d", path);
    if (this.isShown) this.dress();
  }

  /** The picture's opacity is its value; undefined where it comes from another origin and cannot be read. */
  values() {
    const { naturalWidth: width, naturalHeight: height } = this.overlay;
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    context.drawImage(this.overlay, 0, 0);
    try {
      const { data } = context.getImageData(0, 0, width, height);
      return { width, height, values: Uint8Array.from({ length: width * height }, (_, index) => data[4 * index + 3]) };
    } catch {
      return undefined;
    }
  }

  /** With its numbers and the rule behind it; the lungs are where the audit of the models puts them. */
  warning() {
    const geometry = JSON.parse(this.find("controls").dataset.geometry);
    const { outside, border } = misplaced(this.map, geometry);
    if (outside <= geometry.outside_at_most && border <= geometry.border_at_most) return "";
    return (
      `Doubtful map: ${percent(outside)} outside the lungs, ${percent(border)} at the border. Rule of thumb with two ` +
      `fixed ellipses: at most ${percent(geometry.outside_at_most)} and ${percent(geometry.border_at_most)}.`
    );
  }

  note(text) {
    this.find("note").value = text;
  }

  fade(step) {
    const slider = this.find("opacity");
    if (!slider) return;
    slider.value = Number(slider.value) + step;
    if (this.isShown) this.dress();
  }

  restyle() {
    const button = this.find("outline");
    if (!button) return;
    button.setAttribute("aria-pressed", !this.isPressed("outline"));
    this.show(true);
  }
}
