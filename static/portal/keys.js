// The one place that hears the keys of a page. Which key does what stands in the page's dialog of keys.

const dialog = document.getElementById("keys-dialog");
const KEYS = new Map([...dialog.querySelectorAll("[data-action]")].map((item) => [item.dataset.action, item.dataset.key]));
const TYPING = "input:not([type=range]):not([type=radio]):not([type=checkbox]), textarea, select, dialog";
const handlers = new Map();

/** The key of an action, as this user has it. */
export function keyOf(action) {
  return KEYS.get(action);
}

/** Has `handler` called with the keyboard event when the action's key is pressed outside of text fields. */
export function on(action, handler) {
  handlers.set(action, handler);
}

/** Presses the button that does the same, where the page has it. */
export function press(selector) {
  return (event) => {
    if (!event.repeat) document.querySelector(selector)?.click();
  };
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && event.target.matches("input, textarea, select")) event.target.blur();
  if (event.target.closest(TYPING) || document.querySelector("dialog[open]")) return;
  if (event.key === "?") dialog.showModal();
  const pressed = event.key.toLowerCase();
  for (const [action, handler] of handlers) if (KEYS.get(action) === pressed) handler(event);
});

on("next-case", press("[data-next-case]"));
