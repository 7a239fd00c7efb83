// Whoever is at work on an open case keeps it: a claim is renewed while the page is in sight and used. Half an hour after
// the last key, click or movement it runs out, and the case goes back into the queue.
const EVERY_MS = 3 * 60 * 1000;

let used = false;
for (const sign of ["keydown", "pointerdown", "pointermove", "wheel", "input"]) {
  document.addEventListener(sign, () => (used = true), { passive: true, capture: true });
}

setInterval(() => {
  const claim = document.querySelector("form[data-renew-claim]");
  if (!claim || !used || document.hidden) return;
  used = false;
  claim.requestSubmit();
}, EVERY_MS);
