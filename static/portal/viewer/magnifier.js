// A round lens under the pointer, twice as large as the view and never smaller than actual size.

import { Renderer } from "./renderer.js";

const TIMES = 2.5;

export class Magnifier {
  constructor(canvas) {
    this.canvas = canvas;
    this.renderer = new Renderer(canvas);
    this.isOn = false;
  }

  turn(on) {
    this.isOn = on;
    this.move(null);
  }

  move(at) {
    this.at = at;
    this.canvas.hidden = !(this.isOn && at);
  }

  draw({ image, table, view }) {
    if (this.canvas.hidden || !table) return;
    const { ratio } = view;
    const side = this.canvas.clientWidth;
    this.canvas.style.transform = `translate(${this.at.x - side / 2}px, ${this.at.y - side / 2}px)`;
    if (this.canvas.width !== Math.round(side * ratio)) {
      this.canvas.width = this.canvas.height = Math.round(side * ratio);
    }
    const { x, y } = view.toImage(this.at.x, this.at.y);
    const times = Math.max(TIMES, view.actualZoom / view.zoom);
    const [a, b, c, d] = view.linear().map((one) => one * times * ratio);
    const middle = this.canvas.width / 2;
    this.renderer.draw(image.levels, table, [a, b, c, d, middle - a * x - c * y, middle - b * x - d * y]);
  }
}
