// From stored numbers to greys: windows as DICOM defines them (PS3.3 C.11.2.1), presets, and the table that is drawn.

const OPAQUE = 0xff000000;

/** The LINEAR window that shows `low` just black and `high` just white. */
export function windowBetween(low, high) {
  return { centre: (low + high + 1) / 2, width: high - low + 1, function: "LINEAR" };
}

/** The share of white, 0 to 1, with which a window shows a value. */
export function share(value, { centre, width, function: shape }) {
  if (shape === "SIGMOID") return 1 / (1 + Math.exp((-4 * (value - centre)) / width));
  const [middle, span] = shape === "LINEAR_EXACT" ? [centre, width] : [centre - 0.5, width - 1];
  if (value <= middle - span / 2) return 0;
  if (value > middle + span / 2) return 1;
  return (value - middle) / span + 0.5;
}

export class Greyscale {
  /**
   * @param about What the server says of the image: bits, inverted, padding, windows.
   * @param {Float64Array} modality Number to value.
   * @param {Uint8Array} display Number to the preview's grey.
   * @param {Uint32Array} histogram How many pixels have each number.
   */
  constructor(about, modality, display, histogram) {
    Object.assign(this, { about, modality, display, histogram });
    for (let number = about.padding[0]; number < about.padding[1]; number += 1) histogram[number] = 0;
    this.count = histogram.reduce((sum, one) => sum + one, 0);
    const isRising = modality[0] <= modality[modality.length - 1];
    this.brightensUpwards = isRising !== about.inverted;
    this.full = this.between(0, 1);
    this.range = Math.max(this.full.width - 1, Number.MIN_VALUE);
  }

  /** The window of the preview. */
  get initial() {
    return this.about.windows[0];
  }

  /** Digits after the point with which values of this image are told. */
  get digits() {
    return this.range >= 50 ? 0 : 3;
  }

  rounded({ centre, width, function: shape }) {
    const scale = 10 ** this.digits;
    const smallest = shape === "LINEAR" ? 1 : 1 / scale;
    const round = (value) => Math.round(value * scale) / scale;
    return { centre: round(centre), width: Math.max(smallest, round(width)), function: shape };
  }

  /** The number below which this share of the pixels is. */
  quantile(wanted) {
    let seen = 0;
    for (let number = 0; number < this.histogram.length; number += 1) {
      seen += this.histogram[number];
      if (this.histogram[number] > 0 && seen >= wanted * this.count) return number;
    }
    return this.histogram.length - 1;
  }

  /** The window over the values that these shares of the pixels, counted from dark to bright, have. */
  between(from, to) {
    const [low, high] = this.brightensUpwards ? [from, to] : [1 - to, 1 - from];
    const ends = [this.modality[this.quantile(low)], this.modality[this.quantile(high)]];
    return windowBetween(Math.min(...ends), Math.max(...ends));
  }

  /** Windows to choose from, the preview's own (null) first. A radiograph has no absolute scale: shares of its pixels. */
  presets() {
    const named = this.about.windows
      .map((window, index) => ({
        name: window.name || (index ? `Window ${index + 1}` : ""),
        window: this.rounded(window),
      }))
      .filter(({ name }) => name);
    return [
      { name: "Default", window: null },
      ...named,
      { name: "Lung", window: this.rounded(this.between(0.02, 0.6)) },
      { name: "Mediastinum", window: this.rounded(this.between(0.4, 0.99)) },
      { name: "Bone", window: this.rounded(this.between(0.6, 0.999)) },
      { name: "Full range", window: this.rounded(this.full) },
    ];
  }

  /** RGBA (little endian) for every number. Clamped arrays round halves to even, as the server does. */
  table(window, inverted) {
    const greys = new Uint8ClampedArray(this.modality.length);
    const [start, stop] = this.about.padding;
    if (window === null) greys.set(this.display);
    else {
      for (let number = 0; number < greys.length; number += 1) {
        const white = share(this.modality[number], window);
        greys[number] = 255 * (this.about.inverted ? 1 - white : white);
      }
      greys.fill(0, start, stop);
    }
    return Uint32Array.from(greys, (grey) => {
      const shown = inverted ? 255 - grey : grey;
      return (OPAQUE | (shown << 16) | (shown << 8) | shown) >>> 0;
    });
  }
}
