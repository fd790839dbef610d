// What the views of records share: a list with its filter and pages, and the fields of a filter.

import { get } from "./api.js";
import { chosenIn, columnsButton } from "./columns.js";
import { csvButton } from "./csv.js";
import { h, show } from "./dom.js";
import { listen } from "./live.js";
import { goTo } from "./main.js";
import { empty, grown, pages, section, table } from "./rows.js";

const PAGE = 50;

export function select(name, label, words, chosen) {
  const field = h("select", { name, id: `filter-${name}` }, h("option", { value: "" }, "Any"), Object.entries(words).map(([word, [text]]) => h("option", { value: word }, text)));
  field.value = chosen ?? "";
  return h("div", { class: "field" }, h("label", { for: `filter-${name}` }, label), field);
}

export function text(name, label, placeholder, value, first) {
  return h("div", { class: "field" }, h("label", { for: `filter-${name}` }, label), h("input", { name, id: `filter-${name}`, value: value ?? "", placeholder, autocomplete: "off", spellcheck: "false", "data-focus": first ? "" : null }));
}

// A list of records, newest first: `path` is that of the view, of the API and of the rows in its answer, `subject` what their
// deliveries are of, `caption` what its table is called, `none` what is shown where there is none at all.
export async function listing(place, { params, rows: had }, { path, title, subject, fields, caption, columns, nothingFits, none }) {
  const submit = (event) => {
    event.preventDefault();
    goTo(path, Object.fromEntries(new FormData(event.target)));
  };
  const filtered = Object.keys(params).length > 0;
  const form = h(
    "form",
    { class: "filters", role: "search", on: { submit } },
    fields,
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Filter"), filtered && h("a", { class: "button", href: `#/${path}` }, "Clear")),
  );
  const list = h("div", { class: "list" });
  const fresh = h("button", { type: "button", hidden: true, on: { click: () => read() } }, "Show what changed");
  show(place, h("div", { class: "title" }, h("h1", {}, title), h("div", { class: "tools" }, columnsButton(path, columns), csvButton(path, `api/${path}`, () => params, path), fresh)), form, list);
  const paged = pages(list, {
    rows: had,
    load: async (before, size) => {
      const page = await get(`api/${path}`, { ...params, limit: Math.max(PAGE, size), before });
      return { rows: page[path], next: page.next };
    },
    render: (rows, before) => grown(table(caption, columns, rows, chosenIn(path)), before),
    none: () => (filtered ? empty(nothingFits, h("a", { href: `#/${path}` }, "Clear the filter"), ".") : empty(...none)),
  });
  const read = () => {
    fresh.hidden = true;
    return paged.first();
  };
  const stop = listen((name, data) => {
    if (name === "delivery" && data.subject?.startsWith(`${subject}:`)) fresh.hidden = false;
  });
  await read();
  return stop;
}

// Words as a sentence.
export function sentence(words) {
  const said = String(words ?? "");
  return `${said.charAt(0).toUpperCase()}${said.slice(1)}${/[.!?]$/.test(said) ? "" : "."}`;
}

// What only a person can decide, and who that is. `route` is the order that the buttons give.
export function decision(route, ...body) {
  return section(
    "Your decision",
    h("div", { class: "stack", "data-needs": route }, body),
    h("p", { class: "faint", "data-lacks": route }, "Somebody with the role ", h("code", {}, "act"), " decides this."),
  );
}
