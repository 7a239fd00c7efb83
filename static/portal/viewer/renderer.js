// Draws the visible part of an image: from the nearest larger size of its pyramid, through the table of greys.

const CAPACITY_STEP = 256; // pixels; so that a shift by one does not need another buffer

export class Renderer {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.tile = document.createElement("canvas");
    this.tileContext = this.tile.getContext("2d", { willReadFrequently: true });
  }

  /**
   * @param {object[]} levels See `pyramid`.
   * @param {Uint32Array} table RGBA for every number.
   * @param {number[]} matrix From image pixels to device pixels of the canvas.
   */
  draw(levels, table, matrix) {
    const { context, canvas } = this;
    const [a, b, c, d, e, f] = matrix;
    const scale = Math.hypot(a, b);
    const wanted = Math.floor(Math.log2(1 / scale) + 1e-9);
    const depth = Math.min(levels.length - 1, Math.max(0, wanted));
    const step = 2 ** depth;
    const level = levels[depth];
    const part = visible(level, [a * step, b * step, c * step, d * step, e, f], canvas);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (part.width <= 0 || part.height <= 0) return;
    this.fill(level, part, table);
    context.setTransform(a * step, b * step, c * step, d * step, e, f);
    context.imageSmoothingEnabled = Math.abs(scale * step - 1) > 1e-9;
    context.drawImage(
      ...[this.tile, 0, 0, part.width, part.height],
      ...[part.x, part.y, part.width, part.height],
    );
  }

  fill(level, { x, y, width, height }, table) {
    this.reserve(width, height);
    const { numbers } = level;
    const stride = this.data.width;
    for (let row = 0; row < height; row += 1) {
      let source = (y + row) * level.width + x;
      let target = row * stride;
      for (const end = target + width; target < end; target += 1, source += 1) {
        this.pixels[target] = table[numbers[source]];
      }
    }
    this.tileContext.putImageData(this.data, 0, 0, 0, 0, width, height);
  }

  reserve(width, height) {
    const enough = (length) => Math.ceil(length / CAPACITY_STEP) * CAPACITY_STEP;
    if (this.data?.width === enough(width) && this.data.height === enough(height)) return;
    this.tile.width = enough(width);
    this.tile.height = enough(height);
    this.data = new ImageData(this.tile.width, this.tile.height);
    this.pixels = new Uint32Array(this.data.data.buffer);
  }
}

/** The part of a level, in its whole pixels, of which something is on the canvas. */
function visible(level, [a, b, c, d, e, f], canvas) {
  const determinant = a * d - b * c;
  const corners = [
    [0, 0],
    [canvas.width, 0],
    [0, canvas.height],
    [canvas.width, canvas.height],
  ].map(([x, y]) => ({
    x: (d * (x - e) - c * (y - f)) / determinant,
    y: (a * (y - f) - b * (x - e)) / determinant,
  }));
  const across = span(corners.map((corner) => corner.x), level.width);
  const down = span(corners.map((corner) => corner.y), level.height);
  return { x: across.from, y: down.from, width: across.to - across.from, height: down.to - down.from };
}

function span(positions, length) {
  const from = Math.max(0, Math.floor(Math.min(...positions)) - 1);
  return { from, to: Math.min(length, Math.ceil(Math.max(...positions)) + 1) };
}
