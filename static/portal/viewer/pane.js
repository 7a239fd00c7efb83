// One image on its stage: the preview at once, its values as soon as they are there, and all that is laid over it.

import { LengthMarks } from "./lengths.js";
import { OrientationMarks } from "./orientation.js";
import { Magnifier } from "./magnifier.js";
import { Renderer } from "./renderer.js";
import { valuesOf } from "./values.js";
import { View } from "./view.js";

export class Pane {
  /** @param {HTMLElement} root See templates/cases/_pane.html. */
  constructor(root) {
    this.root = root;
    const find = (name) => root.querySelector(`[data-${name}]`);
    this.stage = find("stage");
    this.layers = [...root.querySelectorAll("[data-layer]")];
    this.preview = find("base");
    this.readout = find("readout");
    const told = ["window", "flags", "depth", "sides", "problem"];
    this.parts = Object.fromEntries(told.map((name) => [name, find(name)]));
    this.size = { width: Number(root.dataset.columns), height: Number(root.dataset.rows) };
    this.view = new View(this.size);
    this.renderer = new Renderer(find("canvas"));
    this.lengths = new LengthMarks(find("marks"), root.dataset);
    this.orientation = new OrientationMarks(root);
    this.magnifier = new Magnifier(find("lens"));
    this.window = null; // null: the greys of the preview
    this.isInverted = false;
    this.listeners = [];
    for (const layer of this.layers) {
      layer.style.width = `${this.size.width}px`;
      layer.style.height = `${this.size.height}px`;
    }
    root.classList.add("is-live");
    new ResizeObserver(() => this.resized()).observe(this.stage);
    this.resized();
    this.load();
  }

  /** Has `listener(pane, kind)` called after changes; `kind` is "view" or "window". */
  onChange(listener) {
    this.listeners.push(listener);
  }

  async load() {
    const { pixels: url, deep } = this.root.dataset;
    try {
      await this.preview.decode();
      this.image = await valuesOf(this.preview, { url, isDeep: deep !== undefined });
    } catch (error) {
      this.failed(error);
      return;
    }
    const { bits, orientation } = this.image.grey.about;
    this.parts.depth.textContent = `${bits} bit`;
    this.orientation.learn(orientation);
    this.root.classList.add("has-values");
    this.root.dataset.depthShown = bits;
    this.changed("window");
  }

  /** The preview is still there: what needs the values says why they are missing. */
  failed(error) {
    this.parts.problem.textContent = `${error.message} Only the preview with 256 greys is shown; reload to try again.`;
  }

  get grey() {
    return this.image?.grey;
  }

  get shownWindow() {
    return this.window ?? this.grey?.initial;
  }

  resized() {
    const { clientWidth, clientHeight } = this.stage;
    this.view.resize(clientWidth, clientHeight);
    const { canvas } = this.renderer;
    canvas.width = Math.round(clientWidth * this.view.ratio);
    canvas.height = Math.round(clientHeight * this.view.ratio);
    this.changed("view");
    this.paint(); // a canvas that got another size is empty
  }

  /** Changes the view by `change(view)` and shows it. */
  look(change) {
    change(this.view);
    this.changed("view");
  }

  setWindow(window) {
    if (!this.grey) return;
    this.window = window && this.grey.rounded(window);
    this.changed("window");
  }

  /** By CSS pixels of a drag: to the right wider, upwards brighter. */
  dragWindow(dx, dy) {
    if (!this.grey) return;
    const { centre, width, function: shape } = this.shownWindow;
    const perPixel = Math.max(this.grey.range / 700, 10 ** -this.grey.digits);
    const brighter = this.grey.brightensUpwards ? 1 : -1;
    this.setWindow({ centre: centre + dy * perPixel * brighter, width: width + dx * perPixel, function: shape });
  }

  invert(on = !this.isInverted) {
    this.isInverted = on;
    this.changed("window");
  }

  reset() {
    this.window = null;
    this.isInverted = false;
    this.view.reset();
    this.lengths.clear();
    this.changed("window");
    this.changed("view");
  }

  changed(kind) {
    if (kind === "window" && this.grey) this.table = this.grey.table(this.window, this.isInverted);
    const matrix = this.view.matrix();
    for (const layer of this.layers) layer.style.transform = `matrix(${matrix})`;
    this.stage.classList.toggle("can-pan", !this.view.isFitted);
    this.root.classList.toggle("is-inverted", this.isInverted);
    this.tell();
    this.lengths.draw(this.view);
    this.orientation.draw(this.view);
    this.frame ??= requestAnimationFrame(() => this.paint());
    for (const listener of this.listeners) listener(this, kind);
  }

  tell() {
    const shown = this.shownWindow;
    this.parts.window.textContent = shown
      ? `C ${shown.centre.toFixed(this.grey.digits)}\nW ${shown.width.toFixed(this.grey.digits)}`
      : "";
    this.parts.sides.textContent = this.orientation.isAssumed ? " · sides assumed" : "";
    const { turns, flipped } = this.view;
    const flags = [flipped && "Flipped", turns && `Rotated ${turns * 90}°`, this.isInverted && "Inverted"];
    this.parts.flags.textContent = flags.filter(Boolean).join(" · ");
  }

  paint() {
    cancelAnimationFrame(this.frame);
    this.frame = undefined;
    if (!this.table) return;
    const { ratio } = this.view;
    this.renderer.draw(this.image.levels, this.table, this.view.matrix().map((one) => one * ratio));
    this.magnifier.draw(this);
  }

  /** The value of the image's pixel under a point of the stage, or null beside the image. */
  valueAt(x, y) {
    const point = this.view.toImage(x, y);
    const [column, row] = [Math.floor(point.x), Math.floor(point.y)];
    const isInside = column >= 0 && row >= 0 && column < this.size.width && row < this.size.height;
    if (!isInside || !this.image) return null;
    const number = this.image.levels[0].numbers[row * this.size.width + column];
    return { column, row, value: this.grey.modality[number] };
  }

  /** Shows what is under the pointer; without a point, nothing. */
  point(at) {
    const found = at && this.valueAt(at.x, at.y);
    this.readout.textContent = found
      ? `x ${found.column}  y ${found.row}  value ${Number(found.value.toFixed(this.grey.digits))}`
      : "";
    this.magnifier.move(at);
    if (this.magnifier.isOn) this.magnifier.draw(this);
  }
}
