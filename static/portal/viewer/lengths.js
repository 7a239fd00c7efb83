// Lengths drawn on an image, in millimetres where the distance between its pixels is known.

const SVG = "http://www.w3.org/2000/svg";
const SHORTEST = 3; // image pixels; less is a click, not a length

export class LengthMarks {
  /**
   * @param {SVGElement} svg Lies over the stage.
   * @param {{spacingRow?: string, spacingColumn?: string}} spacing Millimetres from row to row, from column to column.
   */
  constructor(svg, { spacingRow, spacingColumn }) {
    this.svg = svg;
    this.spacing = spacingRow && spacingColumn ? { x: Number(spacingColumn), y: Number(spacingRow) } : null;
    this.lines = [];
    this.open = null; // the line that is being drawn
  }

  start(point) {
    this.end();
    this.open = { from: point, to: point, element: this.element() };
    this.lines.push(this.open);
  }

  extend(point) {
    if (this.open) this.open.to = point;
  }

  /** Moves the end by CSS pixels. */
  nudge(view, dx, dy) {
    const at = view.toStage(this.open.to.x, this.open.to.y);
    this.extend(view.toImage(at.x + dx, at.y + dy));
  }

  /** What was the start is now the end that moves. */
  turn() {
    [this.open.from, this.open.to] = [this.open.to, this.open.from];
  }

  end() {
    if (!this.open) return;
    const { from, to } = this.open;
    if (Math.hypot(to.x - from.x, to.y - from.y) < SHORTEST) this.removeLast();
    this.open = null;
  }

  removeLast() {
    this.lines.pop()?.element.remove();
    this.open = null;
  }

  clear() {
    while (this.lines.length) this.removeLast();
  }

  text({ from, to }) {
    const [x, y] = [to.x - from.x, to.y - from.y];
    if (this.spacing) return `${Math.hypot(x * this.spacing.x, y * this.spacing.y).toFixed(1)} mm`;
    return `${Math.hypot(x, y).toFixed(0)} px (spacing unknown)`;
  }

  draw(view) {
    for (const line of this.lines) {
      const [from, to] = [line.from, line.to].map(({ x, y }) => view.toStage(x, y));
      const [halo, stroke, label] = line.element.children;
      for (const one of [halo, stroke]) {
        for (const [name, value] of Object.entries({ x1: from.x, y1: from.y, x2: to.x, y2: to.y })) {
          one.setAttribute(name, value);
        }
      }
      const right = from.x > to.x ? from : to;
      label.setAttribute("x", right.x + 8);
      label.setAttribute("y", right.y + 4);
      label.textContent = this.text(line);
    }
  }

  element() {
    const group = document.createElementNS(SVG, "g");
    group.setAttribute("class", "length");
    const names = [
      ["line", "length-halo"],
      ["line", "length-line"],
      ["text", "length-text"],
    ];
    for (const [tag, name] of names) {
      const part = document.createElementNS(SVG, tag);
      part.setAttribute("class", name);
      group.append(part);
    }
    return this.svg.appendChild(group);
  }
}
