// The view "Who did what": what was ordered and by whom, who was shown a person, and who you are here.

import { get, may, me } from "./api.js";
import { h, show } from "./dom.js";
import { empty, facts, into, link, section, table, time } from "./rows.js";
import { CHANGES, ROLES } from "./words.js";

const SHOWN = 200;

function who(name) {
  return name || h("span", { class: "faint" }, "no name");
}

// What a route shows, in words.
const SHOWED = {
  "/api/contacts/{email}": "the page of the contact",
  "/api/people": "everything held on the person",
  "/api/crm/contacts": "a comparison with Freshsales",
  "/api/crm/sample": "a sample of contacts",
  "/api/events/{message_id}": "one event",
  "/api/events": "a list of their events",
  "/api/deals": "a list of their deals",
  "/api/happenings": "a list of their notes and tasks",
  "/api/looks": "who looked at them",
  "/api/outputs/{name}": "what an output is told of them",
  "/api/deliveries/{id}": "one delivery",
  "/api/deliveries": "a list of their deliveries",
  "/api/dead-letters": "a list of their dead letters",
  "/api/exports/contacts": "a file of all contacts",
  "/api/exports/{id}/file": "a file of deals",
  "/api/stream": "their events, live",
};

function actTable({ acts }) {
  const columns = [
    { name: "When", class: "when", cell: (act) => time(act.at) },
    { name: "Who", class: "who", cell: (act) => who(act.who) },
    { name: "What", class: "what", cell: (act) => CHANGES[act.kind] ?? act.kind },
    { name: "Which", class: "why", cell: (act) => act.about },
  ];
  return acts.length ? table("What was ordered", columns, acts) : empty("Nothing was ordered yet");
}

export function lookTable({ looks }) {
  const columns = [
    { name: "When", class: "when", cell: (look) => time(look.at) },
    { name: "Who", class: "who", cell: (look) => who(look.who) },
    { name: "Was shown", class: "what", cell: (look) => SHOWED[look.route] ?? h("code", {}, look.route) },
    { name: "Person", class: "why", cell: (look) => (look.whom ? h("code", {}, look.whom.slice(0, 8)) : h("span", { class: "faint" }, "many, or without an address")) },
  ];
  return looks.length ? table("Who was shown a person", columns, looks) : empty("Nobody looked");
}

function myself({ name, role, masked }) {
  return section(
    "You",
    facts([
      ["Name", name || "none: the admin token, or a listener that needs none"],
      ["Role", [h("strong", {}, role), `: ${ROLES[role] ?? ""}`]],
      ["People", masked ? "masked" : "shown"],
    ]),
    h("p", { class: "faint" }, "People get names and roles in the configuration: ", h("code", {}, "[admin.tokens.NAME]"), "."),
  );
}

export async function acts(place, { params }) {
  const [mine, ordered, looked] = Array.from({ length: 3 }, () => h("div", { class: "list" }));
  const email = h("input", { id: "looks-email", name: "email", type: "search", "data-focus": "", placeholder: "sam@example.com", autocomplete: "off", spellcheck: "false", value: params.email ?? "" });
  const readLooks = () => into(looked, get("api/looks", { limit: SHOWN, email: email.value.trim() }), lookTable, readLooks);
  const search = (event) => {
    event.preventDefault();
    readLooks();
  };
  const form = h(
    "form",
    { class: "filters", role: "search", on: { submit: search } },
    h("div", { class: "field" }, h("label", { for: "looks-email" }, "Who looked at"), email),
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Look up")),
  );
  const seesLooks = await may("GET /api/looks");
  show(
    place,
    h("div", { class: "title" }, h("h1", {}, "Who did what")),
    mine,
    h("h2", { class: "list-title" }, "Ordered"),
    ordered,
    h("h2", { class: "list-title" }, "Looked at people"),
    seesLooks ? [form, h("p", { class: "faint" }, "Of a person there is a mark alone, the same for the same person. Who is named above is found by it. The last 100,000 looks are kept.")] : h("p", { class: "faint" }, "Only an owner sees who looked at whom."),
    looked,
  );
  show(mine, myself(await me()));
  const readActs = () => into(ordered, get("api/acts", { limit: SHOWN }), actTable, readActs);
  await Promise.all([readActs(), seesLooks && readLooks()]);
}

// On the page of a contact: who was shown it.
export function lookers(email) {
  return h("p", { class: "faint" }, link([["acts"], { email }], "Who looked at this person"));
}
