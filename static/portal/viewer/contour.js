// What can be computed from a heatmap's values: where it is strong, and how much of it lies where no lung is.

/** Line segments around the values of at least `level` (marching squares), as an SVG path in image pixels. */
export function contour({ values, width, height }, level, size) {
  const at = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : values[y * width + x]);
  const [scaleX, scaleY] = [size.width / width, size.height / height];
  const place = (x, y) => `${((x + 0.5) * scaleX).toFixed(1)} ${((y + 0.5) * scaleY).toFixed(1)}`;
  const between = (from, to) => (level - from) / (to - from);
  let path = "";
  for (let y = -1; y < height; y += 1) {
    for (let x = -1; x < width; x += 1) {
      const [a, b, c, d] = [at(x, y), at(x + 1, y), at(x + 1, y + 1), at(x, y + 1)];
      const crossings = [];
      if (a >= level !== b >= level) crossings.push(place(x + between(a, b), y));
      if (b >= level !== c >= level) crossings.push(place(x + 1, y + between(b, c)));
      if (d >= level !== c >= level) crossings.push(place(x + between(d, c), y + 1));
      if (a >= level !== d >= level) crossings.push(place(x, y + between(a, d)));
      for (let pair = 0; pair + 1 < crossings.length; pair += 2) path += `M${crossings[pair]}L${crossings[pair + 1]}`;
    }
  }
  return path;
}

/**
 * Shares of a map's sum outside of both lung ellipses, and of that in the outer frame.
 *
 * @param geometry Centres and radii of the ellipses and width of the frame, in sides of the image.
 */
export function misplaced({ values, width, height }, { centres, radii, border }) {
  let [sum, outside, atBorder] = [0, 0, 0];
  for (let row = 0; row < height; row += 1) {
    const y = (row + 0.5) / height;
    for (let column = 0; column < width; column += 1) {
      const x = (column + 0.5) / width;
      const value = values[row * width + column];
      sum += value;
      if (centres.some(([cx, cy]) => ((x - cx) / radii[0]) ** 2 + ((y - cy) / radii[1]) ** 2 < 1)) continue;
      outside += value;
      if (Math.min(x, 1 - x, y, 1 - y) < border) atBorder += value;
    }
  }
  return sum ? { outside: outside / sum, border: atBorder / sum } : { outside: 0, border: 0 };
}
