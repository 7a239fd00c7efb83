// Another image of the patient, earlier or later, beside the current one. Windows and views follow each other if the reader wants it.

import { Gestures } from "./gestures.js";
import { Pane } from "./pane.js";

export class Beside {
  constructor(root, main, toolbar) {
    this.toolbar = toolbar;
    this.panes = root.querySelector("[data-panes]");
    this.main = main;
    this.links = root.querySelector("[data-links]");
    document.addEventListener("click", (event) => {
      const opener = event.target.closest("[data-beside]");
      if (opener) this.open(opener);
      if (event.target.closest("[data-close-comparison]")) this.close();
    });
    main.onChange((pane, kind) => this.follow(pane, this.comparison, kind));
    this.links.addEventListener("change", () => this.follow(main, this.comparison, "view"));
  }

  open(opener) {
    this.close();
    this.opener = opener;
    opener.setAttribute("aria-pressed", true);
    const copy = document.getElementById(opener.dataset.beside).content.cloneNode(true);
    this.panes.append(copy);
    this.links.hidden = false;
    this.comparison = new Pane(this.panes.lastElementChild);
    new Gestures(this.comparison, this.toolbar);
    this.comparison.onChange((pane, kind) => this.follow(pane, this.main, kind));
    this.toolbar.add(this.comparison);
    this.comparison.stage.focus();
  }

  close() {
    if (!this.comparison) return;
    this.toolbar.remove(this.comparison);
    this.comparison.root.remove();
    this.comparison = null;
    this.links.hidden = true;
    this.opener.setAttribute("aria-pressed", false);
  }

  isLinked(kind) {
    return this.links.querySelector(`[data-link=${kind}]`).checked;
  }

  /** Brings `other` to where `pane` is, each measured by its own beginning: its preview's window, its fitted size. */
  follow(pane, other, kind) {
    if (this.isFollowing || !this.comparison || !this.isLinked(kind)) return;
    this.isFollowing = true;
    if (kind === "window") followWindow(pane, other);
    else followView(pane, other);
    this.isFollowing = false;
  }
}

function followWindow(pane, other) {
  if (other.isInverted !== pane.isInverted) other.invert(pane.isInverted);
  if (!pane.grey || !other.grey) return;
  if (pane.window === null) {
    other.setWindow(null);
    return;
  }
  const [from, to] = [pane.grey.initial, other.grey.initial];
  const scale = to.width / from.width;
  const direction = pane.grey.brightensUpwards === other.grey.brightensUpwards ? 1 : -1;
  other.setWindow({
    centre: to.centre + (pane.window.centre - from.centre) * scale * direction,
    width: pane.window.width * scale,
    function: to.function,
  });
}

function followView(pane, other) {
  other.look((view) => {
    if (pane.view.isFitted) {
      view.fit();
      return;
    }
    view.zoomTo((view.fitZoom * pane.view.zoom) / pane.view.fitZoom);
    const { centre, size } = pane.view;
    view.moveTo((centre.x / size.width) * view.size.width, (centre.y / size.height) * view.size.height);
  });
}
