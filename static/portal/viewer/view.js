// Where an image lies on its stage: zoom, shift, quarter turns and flip as one matrix, exact to the device pixel.

const LARGEST_ZOOM = 32; // CSS pixels per image pixel
const COSINES = [1, 0, -1, 0];

export class View {
  /** @param {{width: number, height: number}} size Of the image, in its pixels. */
  constructor(size) {
    this.size = size;
    this.stage = { width: 1, height: 1 };
    this.reset();
  }

  reset() {
    this.turns = 0; // quarters, clockwise, after the flip
    this.flipped = false;
    this.fit();
  }

  get ratio() {
    return window.devicePixelRatio;
  }

  get fitZoom() {
    const { width, height } = this.size;
    const [across, down] = this.turns % 2 ? [height, width] : [width, height];
    return Math.min(this.stage.width / across, this.stage.height / down, LARGEST_ZOOM);
  }

  get actualZoom() {
    return 1 / this.ratio;
  }

  get isFitted() {
    return this.fitted;
  }

  fit() {
    this.fitted = true;
    this.zoom = this.fitZoom;
    this.centre = { x: this.size.width / 2, y: this.size.height / 2 };
  }

  /** Tells the size of the stage in CSS pixels. */
  resize(width, height) {
    this.stage = { width: Math.max(1, width), height: Math.max(1, height) };
    if (this.fitted) this.fit();
  }

  /** Zooms so that the image point under (x, y) of the stage stays there. */
  zoomTo(zoom, x = this.stage.width / 2, y = this.stage.height / 2) {
    const point = this.toImage(x, y);
    const smallest = Math.min(this.fitZoom, this.actualZoom);
    this.zoom = Math.min(LARGEST_ZOOM, Math.max(smallest, zoom));
    this.fitted = this.zoom === this.fitZoom;
    if (this.fitted) return this.fit();
    const now = this.toImage(x, y);
    this.moveTo(this.centre.x + point.x - now.x, this.centre.y + point.y - now.y);
  }

  /** Shifts the image by CSS pixels; one that is seen as a whole stays. */
  pan(dx, dy) {
    if (this.fitted) return;
    const [a, b, c, d] = this.linear();
    const square = this.zoom * this.zoom;
    this.moveTo(this.centre.x - (a * dx + b * dy) / square, this.centre.y - (c * dx + d * dy) / square);
  }

  moveTo(x, y) {
    this.centre = { x: Math.min(this.size.width, Math.max(0, x)), y: Math.min(this.size.height, Math.max(0, y)) };
  }

  rotate() {
    this.turns = (this.turns + 1) % 4;
    if (this.fitted) this.fit();
  }

  /** Mirrors left and right as they are seen, however the image is turned. */
  flip() {
    this.flipped = !this.flipped;
    this.turns = (4 - this.turns) % 4;
  }

  linear() {
    const cosine = COSINES[this.turns] * this.zoom;
    const sine = COSINES[(this.turns + 3) % 4] * this.zoom;
    const mirror = this.flipped ? -1 : 1;
    return [cosine * mirror, sine * mirror, -sine, cosine];
  }

  /** [a, b, c, d, e, f] from image pixels to CSS pixels of the stage, as CSS and canvas take it. */
  matrix() {
    const [a, b, c, d] = this.linear();
    const { x, y } = this.centre;
    const toDevicePixel = (length) => Math.round(length * this.ratio) / this.ratio;
    return [
      ...[a, b, c, d],
      toDevicePixel(this.stage.width / 2 - a * x - c * y),
      toDevicePixel(this.stage.height / 2 - b * x - d * y),
    ];
  }

  /** The image point under a point of the stage. */
  toImage(x, y) {
    const [a, b, c, d, e, f] = this.matrix();
    const square = this.zoom * this.zoom;
    return { x: (a * (x - e) + b * (y - f)) / square, y: (c * (x - e) + d * (y - f)) / square };
  }

  /** The point of the stage over which an image point lies. */
  toStage(x, y) {
    const [a, b, c, d, e, f] = this.matrix();
    return { x: a * x + c * y + e, y: b * x + d * y + f };
  }

  /** The side of the stage ("left", "top", "right", "bottom") on which a side of the image is now. */
  sideOf(side) {
    const [a, b, c, d] = this.linear().map(Math.sign);
    const [x, y] = { left: [-1, 0], right: [1, 0], top: [0, -1], bottom: [0, 1] }[side];
    const [right, down] = [a * x + c * y, b * x + d * y];
    return right > 0 ? "right" : right < 0 ? "left" : down > 0 ? "bottom" : "top";
  }
}
