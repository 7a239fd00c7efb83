// An image at half, a quarter, ... of its size, each pixel the mean of four: what is drawn when it is zoomed out.

const SMALLEST_SIDE = 256;

/** @returns {{width: number, height: number, numbers: Uint8Array | Uint16Array}[]} The full size first. */
export function pyramid(numbers, width, height) {
  const levels = [{ width, height, numbers }];
  while (Math.max(levels.at(-1).width, levels.at(-1).height) > SMALLEST_SIDE) levels.push(halved(levels.at(-1)));
  return levels;
}

function halved({ width, height, numbers }) {
  const half = { width: Math.ceil(width / 2), height: Math.ceil(height / 2) };
  half.numbers = new numbers.constructor(half.width * half.height);
  let target = 0;
  for (let y = 0; y < half.height; y += 1) {
    const upper = 2 * y * width;
    const lower = Math.min(2 * y + 1, height - 1) * width;
    for (let x = 0; x < half.width; x += 1) {
      const left = 2 * x;
      const right = Math.min(left + 1, width - 1);
      const sum = numbers[upper + left] + numbers[upper + right] + numbers[lower + left] + numbers[lower + right];
      half.numbers[target] = (sum + 2) >> 2;
      target += 1;
    }
  }
  return half;
}
