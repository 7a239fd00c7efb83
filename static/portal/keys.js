// Which key does what on a page. One table, so that a page can show it and a user can have other keys.

export const KEYS = {
  invert: "i",
  heatmap: "h",
  outline: "o",
  fainter: "[",
  stronger: "]",
  reset: "r",
  zoom: "z",
  fit: "f",
  rotate: "t",
  flip: "x",
  pan: "p",
  window: "w",
  length: "l",
  magnifier: "m",
};
export const TITLES = {
  invert: "Invert the greys",
  heatmap: "Heatmap on or off",
  outline: "Heatmap as colour or outline",
  fainter: "Fainter heatmap",
  stronger: "Stronger heatmap",
  reset: "Everything as it was",
  zoom: "Actual size and back",
  fit: "Fit the whole image",
  rotate: "Rotate by a quarter",
  flip: "Flip left and right",
  pan: "Drag moves the image",
  window: "Drag changes the window",
  length: "Drag measures a length",
  magnifier: "Magnifier",
};
for (let number = 1; number <= 9; number += 1) {
  KEYS[`label-${number}`] = String(number);
  TITLES[`label-${number}`] = `Label ${number} as first impression`;
}

const TYPING = "input:not([type=range]):not([type=radio]):not([type=checkbox]), textarea, select, dialog";
const handlers = new Map();

/** Has `handler` called with the keyboard event when the action's key is pressed outside of text fields. */
export function on(action, handler) {
  handlers.set(action, handler);
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest(TYPING)) return;
  const pressed = event.key.toLowerCase();
  for (const [action, handler] of handlers) if (KEYS[action] === pressed) handler(event);
});
