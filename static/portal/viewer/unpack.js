// The body of ".../pixels/", as cases/intake/values.py describes it, and the same from an 8-bit picture.

const ALIGNMENT = 8;

/** @param {ArrayBuffer} body Already gunzipped by the browser. */
export function unpack(body) {
  const length = new DataView(body).getUint32(0, true);
  let offset = 4 + length;
  if (offset % ALIGNMENT) throw new Error("The pixel values are not in the expected format.");
  const about = JSON.parse(new TextDecoder().decode(new Uint8Array(body, 4, length)));
  const entries = 2 ** about.bits;
  const pixels = about.rows * about.columns;
  const modality = new Float64Array(body.slice(offset, (offset += 8 * entries)));
  const display = new Uint8Array(body.slice(offset, (offset += entries)));
  const low = new Uint8Array(body, offset, pixels);
  const high = about.bits > 8 ? new Uint8Array(body, offset + pixels, pixels) : null;
  return { about, modality, display, numbers: summed(low, high, about.columns) };
}

function summed(low, high, columns) {
  const numbers = high ? new Uint16Array(low.length) : new Uint8Array(low.length);
  for (let start = 0; start < low.length; start += columns) {
    let number = 0;
    for (let index = start; index < start + columns; index += 1) {
      number += low[index] + (high ? high[index] << 8 : 0);
      numbers[index] = number; // stored modulo 256 or 65536
      number = numbers[index];
    }
  }
  return numbers;
}

/** The greys of an 8-bit picture as values. */
export function fromBitmap(bitmap) {
  const { width: columns, height: rows } = bitmap;
  const context = new OffscreenCanvas(columns, rows).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, columns, rows).data;
  const numbers = new Uint8Array(columns * rows);
  for (let index = 0; index < numbers.length; index += 1) numbers[index] = rgba[4 * index];
  const windows = [{ centre: 128, width: 256, function: "LINEAR", name: "" }];
  const about = { rows, columns, bits: 8, inverted: false, padding: [0, 0], windows, orientation: [] };
  return { about, modality: Float64Array.from(Array(256).keys()), display: Uint8Array.from(Array(256).keys()), numbers };
}

/** How many pixels have each number. */
export function histogram(numbers, bits) {
  const counts = new Uint32Array(2 ** bits);
  for (let index = 0; index < numbers.length; index += 1) counts[numbers[index]] += 1;
  return counts;
}
