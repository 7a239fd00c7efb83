// The image area: fit, zoom, shift, inversion, and the heatmap laid over the image. Image and overlay share one box
// ("film"), so they are always registered to each other and never distorted.

const ZOOM_STEP = 1.25;
const LARGEST_ZOOM = 16; // screen pixels per image pixel
const PAN_STEP = 40; // CSS pixels for an arrow key

class Viewer {
  constructor(root) {
    this.root = root;
    this.stage = root.querySelector("[data-stage]");
    this.film = root.querySelector("[data-film]");
    this.base = root.querySelector("[data-base]");
    // The attributes, not the element's size on the screen: they are the radiograph's columns and rows.
    this.size = { width: Number(this.base.getAttribute("width")), height: Number(this.base.getAttribute("height")) };
    this.film.classList.add("is-ready");
    new ResizeObserver(() => this.fitted && this.fit()).observe(this.stage);
    this.fit();
    this.listen();
  }

  get smallestZoom() {
    const { clientWidth, clientHeight } = this.stage;
    return Math.min(clientWidth / this.size.width, clientHeight / this.size.height);
  }

  fit() {
    this.fitted = true;
    this.zoom = this.smallestZoom;
    this.centre = { x: this.size.width / 2, y: this.size.height / 2 };
    this.draw();
  }

  /** Zooms so that the image point under (x, y), in CSS pixels of the stage, stays where it is. */
  zoomTo(zoom, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    const next = Math.min(LARGEST_ZOOM, Math.max(this.smallestZoom, zoom));
    const dx = x - this.stage.clientWidth / 2;
    const dy = y - this.stage.clientHeight / 2;
    this.centre.x += dx / this.zoom - dx / next;
    this.centre.y += dy / this.zoom - dy / next;
    this.zoom = next;
    this.fitted = next === this.smallestZoom;
    if (this.fitted) this.fit();
    else this.draw();
  }

  /** Shifts the image by CSS pixels. */
  pan(dx, dy) {
    if (this.fitted) return;
    this.centre.x -= dx / this.zoom;
    this.centre.y -= dy / this.zoom;
    this.draw();
  }

  draw() {
    const { width, height } = this.size;
    this.centre.x = Math.min(width, Math.max(0, this.centre.x));
    this.centre.y = Math.min(height, Math.max(0, this.centre.y));
    const left = this.stage.clientWidth / 2 - this.centre.x * this.zoom;
    const top = this.stage.clientHeight / 2 - this.centre.y * this.zoom;
    this.film.style.width = `${width * this.zoom}px`;
    this.film.style.height = `${height * this.zoom}px`;
    this.film.style.transform = `translate(${left}px, ${top}px)`;
    this.root.querySelector("[data-zoom]").value = `${Math.round(this.zoom * 100)} %`;
    this.stage.classList.toggle("can-pan", !this.fitted);
  }

  invert(on = !this.base.classList.contains("is-inverted")) {
    this.base.classList.toggle("is-inverted", on);
    this.root.querySelector("[data-tool=invert]").setAttribute("aria-pressed", on);
  }

  use(tool) {
    if (tool === "zoom-in") this.zoomTo(this.zoom * ZOOM_STEP);
    if (tool === "zoom-out") this.zoomTo(this.zoom / ZOOM_STEP);
    if (tool === "fit") this.fit();
    if (tool === "actual") this.zoomTo(1 / window.devicePixelRatio);
    if (tool === "invert") this.invert();
    if (tool === "reset") {
      this.invert(false);
      this.fit();
      heatmap.show(false);
    }
  }

  listen() {
    this.root.addEventListener("click", (event) => this.use(event.target.closest("[data-tool]")?.dataset.tool));
    this.stage.addEventListener("dblclick", () => this.fit());
    this.stage.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const box = this.stage.getBoundingClientRect();
        const factor = Math.exp(-event.deltaY * 0.0015);
        this.zoomTo(this.zoom * factor, event.clientX - box.left, event.clientY - box.top);
      },
      { passive: false },
    );
    this.listenToPointers();
    this.stage.addEventListener("keydown", (event) => this.pressed(event));
  }

  /** One pointer shifts, two pinch. */
  listenToPointers() {
    const pointers = new Map();
    const spread = () => {
      const [a, b] = [...pointers.values()];
      return Math.hypot(a.x - b.x, a.y - b.y);
    };
    this.stage.addEventListener("pointerdown", (event) => {
      this.stage.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    });
    this.stage.addEventListener("pointermove", (event) => {
      const last = pointers.get(event.pointerId);
      if (!last) return;
      const before = pointers.size === 2 ? spread() : 0;
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (pointers.size === 1) this.pan(event.clientX - last.x, event.clientY - last.y);
      if (pointers.size === 2 && before > 0) {
        const box = this.stage.getBoundingClientRect();
        const [a, b] = [...pointers.values()];
        const middle = { x: (a.x + b.x) / 2 - box.left, y: (a.y + b.y) / 2 - box.top };
        this.zoomTo((this.zoom * spread()) / before, middle.x, middle.y);
      }
    });
    for (const end of ["pointerup", "pointercancel"]) {
      this.stage.addEventListener(end, (event) => pointers.delete(event.pointerId));
    }
  }

  pressed(event) {
    const pans = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (event.key in pans && !this.fitted) {
      const [x, y] = pans[event.key];
      this.pan(x * PAN_STEP, y * PAN_STEP);
      event.preventDefault();
    }
    if (event.key === "+" || event.key === "=") this.use("zoom-in");
    if (event.key === "-") this.use("zoom-out");
    if (event.key === "0") this.use("fit");
  }
}

// The controls are part of what the server sends again when a run ends, so they are looked up at each use.
const heatmap = {
  overlay: document.querySelector("[data-overlay]"),
  find: (name) => document.querySelector(`[data-heatmap-${name}]`),
  get isOn() {
    return this.find("toggle")?.getAttribute("aria-pressed") === "true";
  },

  show(on) {
    const toggle = this.find("toggle");
    if (!toggle) return;
    toggle.setAttribute("aria-pressed", on);
    const { src, description } = this.find("class").selectedOptions[0].dataset;
    this.find("note").value = on && !src ? "No usable map for this class." : "";
    this.overlay.hidden = !(on && src);
    if (on && src) {
      if (this.overlay.getAttribute("src") !== src) this.overlay.src = src;
      this.overlay.alt = description;
      this.overlay.style.opacity = this.find("opacity").value / 100;
    }
  },

  fade(step) {
    const slider = this.find("opacity");
    if (!slider) return;
    slider.value = Number(slider.value) + step;
    this.show(this.isOn);
  },
};

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-heatmap-toggle]")) heatmap.show(!heatmap.isOn);
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-heatmap-class]")) heatmap.show(true);
});
document.addEventListener("input", (event) => {
  if (event.target.matches("[data-heatmap-opacity]")) heatmap.show(true);
});

const root = document.querySelector("[data-viewer]");
if (root) {
  const viewer = new Viewer(root);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input:not([type=range]):not([type=radio]), textarea, select, dialog")) return;
    const keys = {
      h: () => heatmap.show(!heatmap.isOn),
      i: () => viewer.use("invert"),
      r: () => viewer.use("reset"),
      "[": () => heatmap.fade(-10),
      "]": () => heatmap.fade(10),
    };
    keys[event.key.toLowerCase()]?.();
    if (/^[1-9]$/.test(event.key) && !event.repeat) {
      document.querySelector(`[data-impression-key="${event.key}"]`)?.click();
    }
  });
}
