// Pointers, wheel and arrow keys on a stage. One pointer does what the chosen tool says; the right button always
// changes the window, the middle one always moves. Two fingers pinch to zoom, or change the window side by side.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ARROW_STEP = 40; // CSS pixels
const LENGTH_STEP = 4;
const WHEEL_STEP = 0.0015;
const UNDECIDED = 14; // CSS pixels that two fingers move before it is clear what they mean
export const ZOOM_STEP = 1.25;

const TOOL_OF_BUTTON = { 1: "pan", 2: "window" };

export class Gestures {
  /**
   * @param pane The pane whose stage is listened to.
   * @param {{mode: string}} tools Tell what dragging does: "pan", "window", "length" or "magnifier".
   */
  constructor(pane, tools) {
    this.pane = pane;
    this.tools = tools;
    this.pointers = new Map();
    const { stage } = pane;
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => this.up(event));
    stage.addEventListener("pointerleave", () => pane.point(null));
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    stage.addEventListener("dblclick", () => pane.look((view) => view.fit()));
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("keydown", (event) => this.key(event));
  }

  at(event) {
    const box = this.pane.stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  down(event) {
    this.pane.stage.setPointerCapture(event.pointerId);
    const at = this.at(event);
    this.pointers.set(event.pointerId, at);
    if (this.pointers.size === 2) {
      this.stop();
      this.pinch = { meaning: null, start: this.pair() };
      return;
    }
    this.doing = TOOL_OF_BUTTON[event.button] ?? this.tools.mode;
    if (this.doing === "length") this.pane.lengths.start(this.pane.view.toImage(at.x, at.y));
    this.pane.point(at);
  }

  move(event) {
    const at = this.at(event);
    const last = this.pointers.get(event.pointerId);
    if (!last) {
      this.pane.point(at);
      return;
    }
    const before = this.pointers.size === 2 ? this.pair() : null;
    this.pointers.set(event.pointerId, at);
    if (before) this.moveTwo(before, this.pair());
    else if (this.pointers.size === 1) this.moveOne(at, at.x - last.x, at.y - last.y);
  }

  moveOne(at, dx, dy) {
    const { pane } = this;
    if (this.doing === "pan") pane.look((view) => view.pan(dx, dy));
    if (this.doing === "window") pane.dragWindow(dx, dy);
    if (this.doing === "length") {
      pane.lengths.extend(pane.view.toImage(at.x, at.y));
      pane.lengths.draw(pane.view);
    }
    pane.point(at);
  }

  pair() {
    const [one, other] = this.pointers.values();
    return {
      x: (one.x + other.x) / 2,
      y: (one.y + other.y) / 2,
      spread: Math.max(1, Math.hypot(one.x - other.x, one.y - other.y)),
    };
  }

  moveTwo(before, now) {
    const { pinch, pane } = this;
    if (!pinch.meaning) {
      const apart = Math.abs(now.spread - pinch.start.spread);
      const along = Math.hypot(now.x - pinch.start.x, now.y - pinch.start.y);
      if (Math.max(apart, along) > UNDECIDED) pinch.meaning = apart > along ? "zoom" : "window";
    }
    if (pinch.meaning === "window") pane.dragWindow(now.x - before.x, now.y - before.y);
    if (pinch.meaning === "zoom") {
      pane.look((view) => {
        view.zoomTo((view.zoom * now.spread) / before.spread, now.x, now.y);
        view.pan(now.x - before.x, now.y - before.y);
      });
    }
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    if (this.pointers.size === 0) this.stop();
    if (event.pointerType !== "mouse") this.pane.point(null);
  }

  stop() {
    if (this.doing === "length") this.pane.lengths.end();
    this.doing = null; // also for the finger that stays when its neighbour is lifted
  }

  wheel(event) {
    event.preventDefault();
    const { x, y } = this.at(event);
    this.pane.look((view) => view.zoomTo(view.zoom * Math.exp(-event.deltaY * WHEEL_STEP), x, y));
    this.pane.point({ x, y });
  }

  key(event) {
    const { pane } = this;
    const arrow = ARROWS[event.key];
    if (this.tools.mode === "length" && this.measure(event.key, arrow)) pane.lengths.draw(pane.view);
    else if (arrow && event.shiftKey) pane.dragWindow(arrow[0] * ARROW_STEP, arrow[1] * ARROW_STEP);
    else if (arrow && !pane.view.isFitted) pane.look((view) => view.pan(-arrow[0] * ARROW_STEP, -arrow[1] * ARROW_STEP));
    else if (event.key === "+" || event.key === "=") pane.look((view) => view.zoomTo(view.zoom * ZOOM_STEP));
    else if (event.key === "-") pane.look((view) => view.zoomTo(view.zoom / ZOOM_STEP));
    else if (event.key === "0") pane.look((view) => view.fit());
    else if (event.key === "Delete" || event.key === "Backspace") pane.lengths.removeLast();
    else return;
    event.preventDefault();
  }

  /** Whether the key has begun a length in the middle of the stage, moved one of its ends, or ended it. */
  measure(key, arrow) {
    const { lengths, stage, view } = this.pane;
    if (key === "Enter" && lengths.open) lengths.end();
    else if (key === "Enter") lengths.start(view.toImage(stage.clientWidth / 2, stage.clientHeight / 2));
    else if (lengths.open && key === " ") lengths.turn();
    else if (lengths.open && arrow) lengths.nudge(view, arrow[0] * LENGTH_STEP, arrow[1] * LENGTH_STEP);
    else return false;
    return true;
  }
}
