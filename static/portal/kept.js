// Text that could not be saved waits in this tab for its reader. Nobody else is to find it: it goes when it is saved,
// when its case is signed, when its reader signs out, when another person signs in, and after twelve hours.
// So does the worklist as it was left, to which the way back from a case leads.

const PREFIX = "draft:";
const WORKLIST = "worklist";
const AT_MOST_MS = 12 * 3600 * 1000;
const ANSWER_MS = 300; // for the other tabs to say what they keep

// What one tab forgets for good, the others forget too; and they tell each other what they keep.
const others = new BroadcastChannel("kept-drafts");
others.addEventListener("message", ({ data }) => {
  if ("forgotten" in data) forget(data.forgotten);
  if ("wanted" in data) others.postMessage({ kept: keptOf(data.wanted) });
});

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

/** What this tab keeps of a reader: the values, each with its key. */
function keptOf(reader) {
  const own = keys().filter((key) => key.startsWith(`${PREFIX}${reader}:`));
  return own.map((key) => ({ ...JSON.parse(sessionStorage.getItem(key)), key: key.slice(PREFIX.length) }));
}

/** What this tab and the others keep of a reader. */
export async function keptInEveryTab(reader) {
  const found = keptOf(reader);
  const hear = ({ data }) => found.push(...(data.kept ?? []));
  others.addEventListener("message", hear);
  others.postMessage({ wanted: reader });
  await new Promise((go) => setTimeout(go, ANSWER_MS));
  others.removeEventListener("message", hear);
  return found;
}

/** Forgets what is kept under a key, or under every key that begins so; with "", everything. */
export function forget(key) {
  if (key === "") sessionStorage.removeItem(WORKLIST);
  for (const one of keys()) if (one.startsWith(PREFIX + key)) sessionStorage.removeItem(one);
}

export function forgetInEveryTab(key) {
  forget(key);
  others.postMessage({ forgotten: key });
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
