// Companies: the list, and one with all that explains it.

import { get } from "./api.js";
import { h, show } from "./dom.js";
import { listen } from "./live.js";
import { goTo } from "./main.js";
import { inFreshsales } from "./deals.js";
import { deliveryTable } from "./deliveries.js";
import { comparison, contactLink, empty, facts, into, note, pages, pill, recordLink, section, table, time } from "./rows.js";
import { RECORD_STATES, many, wordOf } from "./words.js";

const PAGE = 50;

const COLUMNS = [
  { name: "Company", class: "what", cell: (company) => recordLink(company.subject, company.name, { class: "row" }) },
  { name: "Freshsales id", class: "number", cell: (company) => company.company_id },
  { name: "State", class: "outcome", cell: (company) => pill(RECORD_STATES, company.state) },
  { name: "Last accepted", class: "when", cell: (company) => time(company.accepted_at) },
  { name: "Why", class: "why", cell: (company) => company.why },
];

export async function companies(place, { params }) {
  const submit = (event) => {
    event.preventDefault();
    goTo("companies", Object.fromEntries(new FormData(event.target)));
  };
  const states = Object.entries(RECORD_STATES).filter(([word]) => word !== "held");
  const state = h("select", { name: "state", id: "filter-state" }, h("option", { value: "" }, "Any"), states.map(([word, [label]]) => h("option", { value: word }, label)));
  state.value = params.state ?? "";
  const filtered = Object.keys(params).length > 0;
  const form = h(
    "form",
    { class: "filters", role: "search", on: { submit } },
    h("div", { class: "field" }, h("label", { for: "filter-search" }, "Name has"), h("input", { name: "search", id: "filter-search", value: params.search ?? "", "data-focus": "", placeholder: "Globex", autocomplete: "off", spellcheck: "false" })),
    h("div", { class: "field" }, h("label", { for: "filter-state" }, "State"), state),
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Filter"), filtered && h("a", { class: "button", href: "#/companies" }, "Clear")),
  );
  const list = h("div", { class: "list" });
  const fresh = h("button", { type: "button", hidden: true, on: { click: () => read() } }, "Show what changed");
  show(place, h("div", { class: "title" }, h("h1", {}, "Companies"), h("div", { class: "tools" }, fresh)), form, list);
  const paged = pages(list, {
    load: async (before) => {
      const page = await get("api/companies", { ...params, limit: PAGE, before });
      return { rows: page.companies, next: page.next };
    },
    render: (rows, before) => {
      const made = table("Companies, newest first", COLUMNS, rows);
      if (!before) return made;
      before.querySelector("tbody").append(...made.querySelectorAll("tbody tr"));
      return before;
    },
    none: () =>
      filtered
        ? empty("No company fits", h("a", { href: "#/companies" }, "Clear the filter"), ".")
        : empty("No company yet", "Companies are sent once the mapping file has ", h("code", {}, "[company]"), " with the paths of their name. Without it the name of a company is an attribute of its contacts."),
  });
  const read = () => {
    fresh.hidden = true;
    return paged.first();
  };
  const stop = listen((name, data) => {
    if (name === "delivery" && data.subject?.startsWith("company:")) fresh.hidden = false;
  });
  await read();
  return stop;
}

export async function company(place, { about }) {
  const body = h("div", { class: "list" });
  const title = h("h1", {}, about);
  show(place, h("p", { class: "crumb" }, h("a", { href: "#/companies" }, "Companies"), " / ", about), h("div", { class: "title" }, title), body);
  const load = async () => {
    try {
      return await get(`api/companies/${encodeURIComponent(about)}`);
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  };
  let shown = null;
  const render = (found) => {
    if (!found) return empty("Nothing is known of this company", "No event that took effect named it. ", h("a", { href: "#/companies" }, "All companies"), ".");
    title.textContent = found.name;
    const [label, tone] = wordOf(RECORD_STATES, found.state);
    const any = Object.keys(found.wanted).length > 0 || Object.keys(found.accepted ?? {}).length > 0;
    const waiting = found.waiting.map((email, nth) => [nth > 0 && ", ", contactLink(email)]);
    return [
      section(
        "Company",
        note(tone, label, `${found.why.charAt(0).toUpperCase()}${found.why.slice(1)}.`),
        facts([
          ["In Freshsales", inFreshsales(found.company_id, found.link) ?? "not yet"],
          ["Contacts that wait for it", found.waiting.length > 0 && [waiting, found.more_waiting && " and more"]],
          ["Last accepted", found.accepted_at && time(found.accepted_at)],
          ["Left out", Object.keys(found.left_out).length > 0 && `${Object.keys(found.left_out).join(", ")}: Freshsales refused ${many(Object.keys(found.left_out).length, "value")} and took the rest`],
        ]),
        any ? comparison(found) : h("p", { class: "faint" }, "Beside its name nothing is said of it."),
      ),
      section("Its calls", found.history.length ? deliveryTable(found.history) : h("p", { class: "faint" }, "None was made, or none is kept.")),
    ];
  };
  const read = async () => {
    shown = await into(body, load(), render, read);
  };
  await read();
  return listen((name, data) => {
    if (name === "delivery" && shown && data.subject === shown.subject) read();
  });
}
