// An image's values for the viewer: at full depth from the server, or the greys of a preview that holds everything.

import { Greyscale } from "./greyscale.js";

/**
 * @param {HTMLImageElement} preview Loaded.
 * @param {{url: string, isDeep: boolean}} source Where the values are, and whether the preview has fewer greys.
 * @returns {Promise<{grey: Greyscale, levels: object[]}>}
 */
export async function valuesOf(preview, { url, isDeep }) {
  if (isDeep) return worked({ url });
  try {
    const bitmap = await createImageBitmap(preview);
    return await worked({ bitmap }, [bitmap]);
  } catch {
    return worked({ url }); // a preview from a bucket of another origin may be shown, but not read
  }
}

function worked(task, moved = []) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    const ended = (act) => (event) => {
      worker.terminate();
      act(event);
    };
    worker.addEventListener(
      "message",
      ended(({ data: { problem, about, modality, display, histogram, levels } }) => {
        if (problem) reject(new Error(problem));
        else resolve({ grey: new Greyscale(about, modality, display, histogram), levels });
      }),
    );
    worker.addEventListener(
      "error",
      ended(() => reject(new Error("The pixel values could not be read."))),
    );
    worker.postMessage(task, moved);
  });
}
