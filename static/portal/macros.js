// A reader's macros: "/norm " in the findings becomes its text, and the menu puts one in where the caret is.

const menu = document.querySelector("[data-macros]");

if (menu) {
  const field = menu.closest("form").elements.namedItem("findings");
  let macros = null;

  const load = async () => {
    const response = await fetch(menu.dataset.macros, { headers: { Accept: "application/json" } });
    const answer = await response.json();
    macros = new Map(answer.macros.map(({ abbreviation, text }) => [abbreviation, text]));
  };

  // The one way of writing into a field that the browser's own undo takes back.
  const write = (start, end, text) => {
    field.setSelectionRange(start, end);
    if (!document.execCommand("insertText", false, text)) {
      field.setRangeText(text, start, end, "end");
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  };

  const expand = async () => {
    const typed = field.value.slice(0, field.selectionStart).match(/(?:^|\s)\/([\w-]+)\s$/);
    if (!typed) return;
    if (macros === null) await load();
    const [abbreviation, text] = [typed[1], macros.get(typed[1].toLowerCase())];
    const end = typed.index + typed[0].length - 1;
    const start = end - abbreviation.length - 1;
    if (text === undefined || field.value.slice(start, end) !== `/${abbreviation}`) return;
    const caret = field.selectionStart + text.length - (end - start); // whoever types on while it loads loses no place
    write(start, end, text);
    field.setSelectionRange(caret, caret);
  };

  const show = async () => {
    const items = menu.querySelector("[data-macro-items]");
    try {
      await load();
    } catch {
      items.textContent = "Your macros could not be loaded.";
      return;
    }
    items.replaceChildren(
      ...[...macros].map(([abbreviation, text]) => {
        const button = document.createElement("button");
        const name = document.createElement("strong");
        name.textContent = `/${abbreviation}`;
        button.type = "button";
        button.append(name, ` ${text}`);
        button.addEventListener("click", () => {
          menu.open = false;
          field.focus();
          write(field.selectionStart, field.selectionEnd, text);
        });
        return button;
      }),
    );
    menu.querySelector(".menu-panel").scrollIntoView({ block: "nearest" });
  };

  field.addEventListener("focus", () => macros ?? load().catch(() => {}), { once: true });
  field.addEventListener("input", (event) => {
    if (event.inputType?.startsWith("insert")) expand().catch(() => {});
  });
  menu.addEventListener("toggle", () => menu.open && show());
}
