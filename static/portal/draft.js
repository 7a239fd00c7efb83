// A reader's draft: saved while it is typed, and kept in this tab as long as it cannot be (kept.js).
//
// One save at a time, each with the version that the one before it left, so the server notices when another page has
// changed the draft. Signing and releasing wait until everything typed is stored; what follows then loses nothing.

import { forget, forgetInEveryTab, keep, kept } from "./kept.js";
import { signOutAfter } from "./sign-out.js";

const PAUSE_MS = 1000; // after the last key
const RETRY_MS = 10_000;
const CLOCK = new Intl.DateTimeFormat("en-US", {
  timeZone: document.documentElement.dataset.timeZone, // the server's, as in every other time on the page
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const NOT_TYPED = ["csrfmiddlewaretoken", "version", "images_shown"];

class Draft {
  constructor(form, key) {
    this.form = form;
    this.key = key;
    this.state = document.getElementById("draft-state");
    this.conflict = document.getElementById("draft-conflict");
    this.saved = "unsaved" in form.dataset ? null : this.content;
    this.saving = Promise.resolve();
    this.problem = "";
    this.leadBack();
    this.listen();
    this.bringBack();
    if (this.saved === null) this.soon();
  }

  /** All answers as text, to compare and to keep. */
  get content() {
    return JSON.stringify([...new FormData(this.form)].filter(([name]) => !NOT_TYPED.includes(name)));
  }

  get version() {
    return this.form.querySelector("input[name=version]");
  }

  listen() {
    this.form.addEventListener("input", () => this.soon());
    this.form.addEventListener("change", () => this.save());
    this.form.addEventListener("submit", (event) => {
      if (this.isPassing) return;
      event.preventDefault();
      this.pass(event.submitter);
    });
    document.addEventListener("visibilitychange", () => document.hidden && this.save());
    window.addEventListener("online", () => this.save());
    window.addEventListener("beforeunload", (event) => {
      if (this.content === this.saved) return;
      this.keep();
      this.save(); // goes out even while the page closes
      if (this.problem) event.preventDefault();
    });
    // A page out of the browser's memory would show, and save, what is long changed.
    window.addEventListener("pageshow", (event) => event.persisted && location.reload());
    signOutAfter(this);
    this.conflict.querySelector("[data-keep-mine]").addEventListener("click", (event) => {
      event.preventDefault();
      this.version.value = event.target.value;
      this.conflict.hidden = true;
      this.save();
    });
    this.conflict.querySelector("[data-take-stored]").addEventListener("click", () => {
      this.saved = this.content;
      forget(this.key);
    });
  }

  /** In this tab, with what it takes to store it from another page. */
  keep() {
    keep(this.key, { address: this.form.getAttribute("action"), version: this.version.value, content: this.content });
  }

  /** Puts back what an earlier page of this case could not save. Another version than the stored one is noticed then. */
  bringBack() {
    const before = kept(this.key);
    if (before === null || before.content === this.saved) return forget(this.key);
    const answers = JSON.parse(before.content);
    for (const field of this.form.elements) {
      const isBox = ["radio", "checkbox"].includes(field.type);
      const given = answers.filter(([name]) => name === field.name).map(([, value]) => value);
      if (isBox) field.checked = given.includes(field.value);
      else if (given.length) field.value = given[0];
    }
    this.version.value = before.version;
    this.form.dispatchEvent(new Event("brought-back"));
    this.save();
  }

  soon() {
    clearTimeout(this.timer);
    this.state.dataset.state = "unsaved";
    this.timer = setTimeout(() => this.save(), PAUSE_MS);
  }

  /** Stores what is typed. Resolves to whether all of it is stored. */
  save() {
    clearTimeout(this.timer);
    if (this.content !== this.saved) this.state.dataset.state = "unsaved";
    this.saving = this.saving.catch(() => false).then(() => this.send());
    return this.saving;
  }

  async send() {
    const content = this.content;
    if (content === this.saved) return this.nothingNew();
    if (!this.conflict.hidden) return false;
    this.keep();
    let response, answer;
    try {
      const body = new FormData(this.form);
      const headers = { Accept: "application/json", "X-Automatic": "true" };
      response = await fetch(this.form.getAttribute("action"), { method: "POST", body, headers, keepalive: true });
      if (new URL(response.url).pathname === document.body.dataset.loginPath) return this.signedOut();
      answer = await response.json();
    } catch {
      return this.failed("the portal does not answer. It is tried again.", RETRY_MS);
    }
    if (response.ok) return this.stored(content, answer.version);
    if (response.status === 412) this.compare(answer.stored);
    if (answer.code === "already_signed") forgetInEveryTab(this.key);
    return this.failed(answer.detail, response.status >= 500 ? RETRY_MS : 0);
  }

  stored(content, version) {
    this.version.value = version;
    this.saved = content;
    this.problem = "";
    if (this.content === content) {
      forget(this.key);
      this.sayStored();
    }
    return true;
  }

  nothingNew() {
    if (this.state.dataset.state === "unsaved") this.state.dataset.state = "saved"; // typed and taken back
    return true;
  }

  failed(problem, retryMs = 0) {
    this.problem = problem;
    this.say("failed", `Not saved: ${problem}`);
    if (retryMs) this.timer = setTimeout(() => this.save(), retryMs);
    return false;
  }

  /** Whoever has to sign in comes back to this page, in this tab: here is what is kept. */
  leadBack() {
    const link = document.querySelector("#signed-out a");
    link.href = `${document.body.dataset.loginPath}?next=${encodeURIComponent(location.pathname + location.search)}`;
    link.removeAttribute("target");
    link.textContent = "Sign in again";
  }

  signedOut() {
    document.getElementById("signed-out").hidden = false;
    return this.failed("you have been signed out. Sign in again; what you typed comes back.");
  }

  /** Shows what is stored beside what is typed. */
  compare(stored) {
    const words = { ...stored, sentences: stored.sentences.join("\n") };
    for (const place of this.conflict.querySelectorAll("[data-stored]")) {
      place.textContent = words[place.dataset.stored];
    }
    this.conflict.querySelector("[data-keep-mine]").value = stored.version;
    this.conflict.hidden = false;
    this.conflict.scrollIntoView({ block: "nearest" });
  }

  sayStored() {
    const { day, month, hour, minute } = Object.fromEntries(CLOCK.formatToParts().map(({ type, value }) => [type, value]));
    this.say("saved", `Saved ${day} ${month}, ${hour}:${minute}`);
  }

  /** A screen reader reads a sentence out once, not each time that it is true again. */
  say(state, sentence) {
    this.state.dataset.state = state;
    if (this.state.textContent !== sentence) this.state.textContent = sentence;
  }

  /** The reader signs out: what could not be stored is not kept either. */
  letGo() {
    clearTimeout(this.timer);
    this.saved = this.content;
  }

  /** Lets the form go, once everything is stored. */
  async pass(button) {
    const isStored = await this.save();
    this.form.querySelector("dialog[open]")?.close();
    if (!isStored) return;
    if ("savesDraft" in (button?.dataset ?? {})) return this.sayStored();
    await new Promise((go) => setTimeout(go)); // while it still fires this submission, a form ignores another one
    this.isPassing = true;
    this.form.requestSubmit(button);
    this.isPassing = false;
  }
}

const room = document.querySelector("[data-draft-key]");
const form = document.getElementById("read-form");
const key = room.dataset.draftKey;
if (form) new Draft(form, key);
else if ("signed" in room.dataset) forgetInEveryTab(key);
else if (kept(key)) document.querySelector("[data-kept-hint]")?.removeAttribute("hidden");
