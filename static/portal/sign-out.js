// Signing out leaves nothing behind in this browser. So what any tab keeps is stored first, and where that cannot be done
// its reader is asked: nothing is forgotten before they have answered.

import { forgetInEveryTab, keptInEveryTab } from "./kept.js";

const QUESTION = "What you typed is not saved, and signing out removes it. Sign out all the same?";
let openDraft = null;

/** Has the draft of this page stored before its reader signs out, and let go when they do. */
export function signOutAfter(draft) {
  openDraft = draft;
}

/** Stores what an earlier page could not. Resolves to whether the server has it. */
async function store({ address, version, content }, token) {
  const body = new FormData();
  for (const [name, value] of JSON.parse(content)) body.append(name, value);
  body.append("version", version);
  body.append("csrfmiddlewaretoken", token);
  try {
    const response = await fetch(address, { method: "POST", body, headers: { Accept: "application/json" } });
    return response.ok && new URL(response.url).pathname !== document.body.dataset.loginPath;
  } catch {
    return false;
  }
}

async function signOut(form) {
  let isStored = openDraft === null || (await openDraft.save());
  for (const one of await keptInEveryTab(document.body.dataset.user)) {
    if (await store(one, form.elements.csrfmiddlewaretoken.value)) forgetInEveryTab(one.key);
    else isStored = false;
  }
  if (!isStored && !confirm(QUESTION)) return;
  openDraft?.letGo();
  forgetInEveryTab("");
  form.submit();
}

document.querySelector("[data-sign-out]")?.addEventListener("submit", (event) => {
  event.preventDefault();
  signOut(event.target);
});
