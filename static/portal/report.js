// Comfort for the report's page: a button that prints, and a choice that shows at once.

const print = document.querySelector("[data-print]");
print.hidden = false;
print.addEventListener("click", () => window.print());

document.getElementById("heatmap")?.addEventListener("change", (event) => event.target.form.requestSubmit());
const submit = document.querySelector("[data-submitted-by-choice]");
if (submit) submit.hidden = true;
