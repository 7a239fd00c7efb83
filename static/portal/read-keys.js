// Keys of a read: the labels and signing; and the keys that the page names beside its buttons.

import { keyOf, on, press } from "./keys.js";

const LABELS = 5;

/** The first impression while it is still to be given, afterwards the final label. */
function giveLabel(number) {
  const impression = document.querySelector(`[data-impression-key="${number}"]`);
  const labels = document.querySelectorAll('#read-form input[name=final_label]:not([value=""])');
  const chosen = impression ?? labels[number - 1];
  chosen?.focus();
  chosen?.click();
}

function nameKeys() {
  for (const button of document.querySelectorAll("[data-impression-key]")) {
    button.querySelector("kbd").textContent = keyOf(`label-${button.dataset.impressionKey}`).toUpperCase();
  }
  for (const control of document.querySelectorAll("[data-tool], [data-key-hint]")) {
    const actions = (control.dataset.keyHint ?? control.dataset.tool).split(" ");
    const keys = actions.map(keyOf).filter(Boolean);
    if (keys.length) control.title = control.title.replace(/ \([^ ]( and [^ ])?\)$/, () => ` (${keys.map((key) => key.toUpperCase()).join(" and ")})`);
  }
}

for (let number = 1; number <= LABELS; number += 1) {
  on(`label-${number}`, (event) => {
    if (!event.repeat) giveLabel(number);
  });
}
on("sign", press("#read-form [data-dialog=sign-dialog]"));

nameKeys();
document.addEventListener("htmx:afterSettle", nameKeys);
