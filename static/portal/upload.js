// Uploads one file per request, so that each has its own progress and its own answer. The first file that is taken opens
// the case; the others name it. Without this script the form sends all files at once, with the same outcome.

const form = document.getElementById("upload-form");
const input = form.elements.files;
const list = form.querySelector("[data-files]");
const zone = form.querySelector("[data-dropzone]");
const submit = form.querySelector("[data-submit]");
const errors = document.getElementById("form-errors");
const waiting = []; // { file, row }

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function readableSize(bytes) {
  return bytes < 1024 ** 2 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

function add(files) {
  for (const file of files) {
    const row = element("li", "file file-waiting");
    const progress = element("progress", "file-progress");
    progress.max = 1;
    progress.value = 0;
    progress.setAttribute("aria-label", `Progress of ${file.name}`);
    const remove = element("button", "btn btn-sm btn-link file-remove", "Remove");
    remove.type = "button";
    remove.setAttribute("aria-label", `Remove ${file.name}`);
    remove.addEventListener("click", () => {
      waiting.splice(waiting.findIndex((one) => one.row === row), 1);
      row.remove();
    });
    row.append(element("span", "file-name", file.name), element("span", "file-text", readableSize(file.size)), remove, progress);
    list.append(row);
    waiting.push({ file, row });
  }
}

function show(row, status, text, remedy = "", url = "") {
  row.className = `file file-${status}`;
  const words = row.querySelector(".file-text");
  words.replaceChildren(element("strong", "", text), ` ${remedy}`);
  if (url) {
    const link = element("a", "", "Open the case");
    link.href = url;
    words.append(link);
  }
}

function clearFormErrors() {
  errors.replaceChildren();
  for (const words of form.querySelectorAll(".field-error, .invalid-feedback")) words.remove();
  for (const field of form.querySelectorAll(".is-invalid")) {
    field.classList.remove("is-invalid");
    field.removeAttribute("aria-invalid");
  }
}

function showFormErrors(found) {
  for (const [name, messages] of Object.entries(found)) {
    const field = form.elements[name];
    if (field instanceof HTMLElement && field.type !== "hidden") {
      field.classList.add("is-invalid");
      field.setAttribute("aria-invalid", "true");
      field.after(...messages.map(({ message }) => element("p", "field-error", message)));
      field.focus();
    } else {
      errors.append(...messages.map(({ message }) => element("p", "message message-error", message)));
      errors.scrollIntoView({ block: "center" });
    }
  }
}

/** Sends one file; resolves to the server's answer, or to null when it gave none that can be read. */
function send(file, row) {
  const body = new FormData(form);
  body.delete("files");
  body.append("files", file, file.name);
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.upload.addEventListener("progress", (event) => {
    row.querySelector("progress").value = event.loaded / event.total;
    if (event.loaded === event.total) show(row, "checking", "Checking …");
  });
  return new Promise((resolve) => {
    request.addEventListener("loadend", () => resolve(request.response));
    request.send(body);
  });
}

/** What follows goes into this case; whose it is cannot be typed over any more. */
function stayWith(uid) {
  form.elements.case.value = uid;
  for (const field of form.querySelectorAll(".form-grid :is(input, select, textarea)")) field.disabled = true;
  submit.textContent = "Add to this case";
}

/** Gives false when what was typed is wrong, so that the other files need not be tried. */
async function upload({ file, row }) {
  row.querySelector(".file-remove").disabled = true;
  show(row, "sending", "Sending …");
  const answer = await send(file, row);
  if (answer?.errors) {
    show(row, "waiting", "Not sent.", "Correct the form, then press Upload again.");
    row.querySelector(".file-remove").disabled = false;
    showFormErrors(answer.errors);
    return false;
  }
  const outcome = answer?.files?.[0];
  if (!outcome) {
    const unknown = { title: "The file did not arrive.", remedy: "Check the connection and that you are signed in, then try again." };
    const { title, remedy } = answer?.title ? answer : unknown;
    show(row, "rejected", title, remedy);
    row.querySelector(".file-remove").disabled = false;
    return false;
  }
  row.querySelector(".file-remove").remove();
  if (outcome.status === "rejected") show(row, "rejected", outcome.cause, outcome.remedy);
  else show(row, outcome.status, outcome.status === "existing" ? "Already there." : "Taken in.", "", outcome.url);
  if (outcome.status === "accepted") stayWith(outcome.case);
  return true;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearFormErrors();
  if (!waiting.length) {
    showFormErrors({ files: [{ message: "Choose at least one image." }] });
    return;
  }
  submit.disabled = true;
  while (waiting.length && (await upload(waiting[0]))) waiting.shift();
  submit.disabled = false;
  form.querySelector("[data-again]").hidden = !form.elements.case.value;
});

input.addEventListener("change", () => {
  add(input.files);
  input.value = "";
});
for (const over of ["dragenter", "dragover"]) {
  zone.addEventListener(over, (event) => {
    event.preventDefault();
    zone.classList.add("is-over");
  });
}
for (const away of ["dragleave", "drop"]) zone.addEventListener(away, () => zone.classList.remove("is-over"));
zone.addEventListener("drop", (event) => {
  event.preventDefault();
  add(event.dataTransfer.files);
});
// Beside the zone the browser would open the image in place of this page, and what is filled in would be gone.
for (const beside of ["dragover", "drop"]) {
  document.addEventListener(beside, (event) => {
    if (event.dataTransfer.types.includes("Files")) event.preventDefault();
  });
}

window.addEventListener("beforeunload", (event) => {
  if (waiting.length) event.preventDefault(); // the one that is being sent is among them
});
