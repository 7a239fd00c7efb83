// Fetches or reads an image's values and makes its smaller sizes, while the page stays responsive.

import { fromBitmap, histogram, unpack } from "./unpack.js";
import { pyramid } from "./pyramid.js";

const VALUES = "application/octet-stream";

async function fetched(url) {
  const response = await fetch(url, { headers: { Accept: `${VALUES}, application/json` } });
  if (response.ok && response.headers.get("Content-Type") === VALUES) return response.arrayBuffer();
  const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
  throw new Error(isProblem ? (await response.json()).title : "The pixel values did not arrive.");
}

self.addEventListener("message", async ({ data: { url, bitmap } }) => {
  try {
    const { about, modality, display, numbers } = bitmap ? fromBitmap(bitmap) : unpack(await fetched(url));
    const levels = pyramid(numbers, about.columns, about.rows);
    const counts = histogram(numbers, about.bits);
    const moved = [modality.buffer, display.buffer, counts.buffer, ...levels.map((level) => level.numbers.buffer)];
    self.postMessage({ about, modality, display, histogram: counts, levels }, moved);
  } catch (error) {
    self.postMessage({ problem: error.message });
  }
});
