// Text that could not be saved waits in this tab for its reader. Nobody else is to find it: it goes when it is saved,
// when its case is signed, when its reader signs out, when another person signs in, and after twelve hours.
// So does the worklist as it was left, to which the way back from a case leads.

const PREFIX = "draft:";
const WORKLIST = "worklist";
const AT_MOST_MS = 12 * 3600 * 1000;

// What one tab forgets for good, the others forget too.
const others = new BroadcastChannel("kept-drafts");
others.addEventListener("message", (event) => forget(event.data));

const keys = () => Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX));

/** Keeps a value under "reader:case". A browser that keeps nothing must not stop the typing. */
export function keep(key, value) {
  try {
    sessionStorage.setItem(PREFIX + key, JSON.stringify({ ...value, at: Date.now() }));
  } catch {
    console.info("This browser keeps nothing.");
  }
}

export function kept(key) {
  return JSON.parse(sessionStorage.getItem(PREFIX + key));
}

/** Forgets what is kept under a key, or under every key that begins so; with "", everything. */
export function forget(key) {
  if (key === "") sessionStorage.removeItem(WORKLIST);
  for (const one of keys()) if (one.startsWith(PREFIX + key)) sessionStorage.removeItem(one);
}

export function forgetInEveryTab(key) {
  forget(key);
  others.postMessage(key);
}

const reader = document.body.dataset.user;

/** A search is not kept, nor a page of it: both can hold a patient's name. */
export function keepWorklist(search) {
  const query = new URLSearchParams(search);
  for (const name of ["q", "at"]) query.delete(name);
  try {
    sessionStorage.setItem(WORKLIST, JSON.stringify({ reader, query: query.toString() }));
  } catch {
    console.info("This browser keeps nothing.");
  }
}

export function keptWorklist() {
  return JSON.parse(sessionStorage.getItem(WORKLIST))?.query ?? "";
}

if (reader && JSON.parse(sessionStorage.getItem(WORKLIST))?.reader !== reader) sessionStorage.removeItem(WORKLIST);
for (const key of keys()) {
  const isOld = Date.now() - JSON.parse(sessionStorage.getItem(key)).at > AT_MOST_MS;
  if (isOld || (reader && !key.startsWith(`${PREFIX}${reader}:`))) sessionStorage.removeItem(key);
}

document.querySelector("[data-sign-out]")?.addEventListener("submit", () => forgetInEveryTab(""));
