// Behaviour that every page shares. Everything here only adds comfort: each form and link works without it.

import { keepWorklist, keptWorklist } from "./kept.js"; // which also forgets what is another reader's
import "./sign-out.js";

// The way back from a case leads to the list as it was left.
function noteWorklist() {
  if (document.getElementById("worklist")) keepWorklist(location.search);
}
noteWorklist();
document.addEventListener("htmx:afterSettle", noteWorklist);
for (const link of document.querySelectorAll("[data-to-worklist]")) link.search = keptWorklist();

// Filters that are not set stay out of the address.
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
});

// What a page asks for by itself, at intervals or on an event of its own, does not keep its reader signed in.
document.addEventListener("htmx:configRequest", (event) => {
  const { triggeringEvent, headers } = event.detail;
  if (!triggeringEvent || triggeringEvent instanceof CustomEvent) headers["X-Automatic"] = "true";
});

// A poll that meets the sign-in page must not put it into the middle of a case.
document.addEventListener("htmx:beforeSwap", (event) => {
  const answered = new URL(event.detail.xhr.responseURL, location.href).pathname;
  if (answered !== document.body.dataset.loginPath) return;
  event.detail.shouldSwap = false;
  document.getElementById("signed-out").hidden = false;
});

// Without an answer a page goes on showing what was true a while ago.
const noAnswer = document.getElementById("no-answer");
document.addEventListener("htmx:sendError", () => (noAnswer.hidden = false));
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) noAnswer.hidden = true;
});

// What was refused in words that no place of the page is for, such as by a page of another session, is not done. That
// stays until the page is loaded again: a poll that succeeds meanwhile does not do it.
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status >= 500) noAnswer.hidden = false;
  else document.getElementById("not-done").hidden = false;
});

// A refusal is shown where the answer would have come, if it is made for that place and is no page of its own.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, target } = event.detail;
  if (xhr.status < 400 || xhr.status >= 500 || !target.matches("[data-swap-refusals]")) return;
  const answer = new DOMParser().parseFromString(xhr.responseText, "text/html");
  if (!answer.getElementById(target.id)) return;
  event.detail.shouldSwap = true;
  event.detail.isError = false;
});

// A menu closes when the user turns elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Signing asks in a dialog; without scripts the server asks on a page of its own.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) {
    event.preventDefault();
    const chosen = opener.form.querySelector("input[name=final_label]:checked");
    opener.form.querySelector("[data-label-missing]").hidden = Boolean(chosen);
    if (!chosen) {
      opener.form.querySelector("input[name=final_label]").focus();
      return; // a page that comes again would have lost zoom, window and lengths
    }
    const dialog = document.getElementById(opener.dataset.dialog);
    dialog.querySelector("[data-final-label]").textContent = chosen.labels[0].textContent;
    dialog.showModal();
  }
  event.target.closest("[data-close-dialog]")?.closest("dialog").close();
});
document.addEventListener("change", (event) => {
  if (event.target.name === "final_label") document.querySelector("[data-label-missing]").hidden = true;
});

// One click does not destroy what cannot be brought back.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

// A form that was refused comes again from its top: what is wrong with it may be far below.
[...document.querySelectorAll(".field-error, .invalid-feedback, .message-error")]
  .find((error) => error.checkVisibility())
  ?.scrollIntoView({ block: "center" });
