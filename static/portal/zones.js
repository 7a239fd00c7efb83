// The grid of lung zones: a digit sets the zone that has the focus and goes on to the next, the sum stands above.

const grid = document.querySelector("[data-zones]");

if (grid) {
  const form = grid.closest("form");
  const zones = [...grid.querySelectorAll("[data-zone]")];
  const clear = grid.querySelector("[data-zones-clear]");
  const chosen = (zone) => zone.querySelector("input:checked")?.value ?? "";

  const set = (zone, score) => {
    const radio = zone.querySelector(`input[value="${score}"]`);
    radio.checked = true;
    return radio;
  };

  const sum = () => {
    const scores = zones.map(chosen).filter((score) => score !== "");
    const total = scores.reduce((all, score) => all + Number(score), 0);
    const text = scores.length === zones.length ? `${total} of 18` : scores.length ? `${total} in ${scores.length} zones` : "–";
    grid.querySelector("[data-brixia]").textContent = text;
  };

  const changed = (element) => {
    sum();
    element.dispatchEvent(new Event("change", { bubbles: true }));
  };

  grid.addEventListener("keydown", (event) => {
    const zone = event.target.closest("[data-zone]");
    if (event.target.type !== "radio" || event.ctrlKey || event.metaKey || event.altKey) return;
    const emptied = ["Backspace", "Delete"].includes(event.key);
    if (!/^\d$/.test(event.key) && !emptied) return;
    event.stopPropagation(); // elsewhere on the page digits give the first impression
    if (!emptied && event.key > "3") return;
    event.preventDefault();
    const radio = set(zone, emptied ? "" : event.key);
    const next = zones[zones.indexOf(zone) + 1];
    if (next && !emptied) next.querySelector("input:checked, input").focus();
    else radio.focus();
    changed(radio);
  });

  clear.hidden = false;
  clear.addEventListener("click", () => {
    for (const zone of zones) set(zone, "0");
    changed(clear);
  });

  grid.addEventListener("change", sum);
  form.addEventListener("brought-back", sum);
  sum();
}
