// Which columns a list shows: a person chooses, and the browser keeps it. Rows that are there already follow at once, and so
// do those that come later: a column is hidden by a rule, not taken out.

import { ask, h } from "./dom.js";

const kept = (list) => `freshsignal-columns-${list}`;

// What was chosen otherwise than it is by itself: the name of a column, and whether it is shown.
function read(list) {
  try {
    const chosen = JSON.parse(localStorage.getItem(kept(list)) ?? "{}");
    return chosen !== null && typeof chosen === "object" ? chosen : {};
  } catch {
    return {};
  }
}

function write(list, chosen) {
  if (Object.keys(chosen).length) localStorage.setItem(kept(list), JSON.stringify(chosen));
  else localStorage.removeItem(kept(list));
}

const shows = (chosen, column) => column.stays || (chosen[column.name] ?? !column.extra);

const sheet = new CSSStyleSheet();
document.adoptedStyleSheets.push(sheet);

function hide(list, columns) {
  const chosen = read(list);
  const hidden = columns.filter((column) => !shows(chosen, column));
  const rules = hidden.map(({ name }) => `table[data-list="${list}"] [data-name="${CSS.escape(name)}"] { display: none; }`);
  sheet.replaceSync(rules.join("\n"));
}

// The attributes of a table whose columns are chosen.
export function chosenIn(list, attributes = {}) {
  return { ...attributes, "data-list": list };
}

// The button that offers the columns of a list. One that `stays` is the way to the row; one that is `extra` is shown where it was
// chosen.
export function columnsButton(list, columns) {
  hide(list, columns);
  const offered = columns.filter((column) => !column.stays);
  const box = (column) => {
    const input = h("input", { type: "checkbox", name: column.name });
    input.checked = shows(read(list), column);
    input.addEventListener("change", () => {
      const { [column.name]: _, ...others } = read(list);
      write(list, input.checked === !column.extra ? others : { ...others, [column.name]: input.checked });
      hide(list, columns);
    });
    return h("label", {}, input, column.name);
  };
  const choose = async () => {
    const boxes = h("fieldset", { class: "boxes columns" }, h("legend", { class: "hidden" }, "Shown"), offered.map(box));
    const asBefore = await ask("Columns", [boxes, h("p", { class: "faint" }, "This browser remembers it. A file of the list has all of them.")], [
      { label: "As at first", value: true },
      { label: "Done", value: false, primary: true },
    ]);
    if (asBefore) write(list, {});
    hide(list, columns);
  };
  return h("button", { type: "button", class: "small", "data-columns": "", title: "Which columns the list shows", on: { click: choose } }, "Columns");
}
