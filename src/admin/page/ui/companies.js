// Companies: the list, and one with all that explains it.

import { get, orNull } from "./api.js";
import { h, show } from "./dom.js";
import { listen } from "./live.js";
import { inFreshsales } from "./deals.js";
import { deliveryTable } from "./deliveries.js";
import { comparison, contactLink, empty, facts, into, note, pill, recordLink, section, time } from "./rows.js";
import { listing, select, text } from "./records.js";
import { RECORD_STATES, many, wordOf } from "./words.js";

const COLUMNS = [
  { name: "Company", class: "what", stays: true, cell: (company) => recordLink(company.subject, company.name, { class: "row" }) },
  { name: "Freshsales id", class: "number", cell: (company) => company.company_id },
  { name: "State", class: "outcome", cell: (company) => pill(RECORD_STATES, company.state) },
  { name: "Last accepted", class: "when", cell: (company) => time(company.accepted_at) },
  { name: "Why", class: "why", cell: (company) => company.why },
];

export function companies(place, { params, rows }) {
  const states = Object.fromEntries(Object.entries(RECORD_STATES).filter(([word]) => word !== "held"));
  return listing(place, { params, rows }, {
    path: "companies",
    title: "Companies",
    subject: "company",
    fields: [text("search", "Name has", "Globex", params.search, true), select("state", "State", states, params.state)],
    caption: "Companies, newest first",
    columns: COLUMNS,
    nothingFits: "No company fits",
    none: ["No company yet", "Companies are sent once the mapping file has ", h("code", {}, "[company]"), " with the paths of their name. Without it the name of a company is an attribute of its contacts."],
  });
}

export async function company(place, { about }) {
  const body = h("div", { class: "list" });
  const title = h("h1", {}, about);
  show(place, h("p", { class: "crumb" }, h("a", { href: "#/companies" }, "Companies"), " / ", about), h("div", { class: "title" }, title), body);
  const load = () => orNull(get(`api/companies/${encodeURIComponent(about)}`));
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
