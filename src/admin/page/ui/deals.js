// Deals: the list, and one with all that explains it: what it should be, what Freshsales has, what it waits for, its calls,
// and what a person can decide of it.

import { get, orNull, send } from "./api.js";
import { ask, h, outside, show, toast } from "./dom.js";
import { readAgain } from "./live.js";
import { deliveryTable } from "./deliveries.js";
import { comparison, contactLink, empty, facts, into, link, note, pill, recordLink, section, table, time } from "./rows.js";
import { decision, listing, select, sentence, text } from "./records.js";
import { HELD, RECORD_STATES, person, subjectName, wordOf } from "./words.js";

// How it stands, in a word; of one on hold what it waits for.
export function dealPill(deal) {
  return deal.state === "held" && HELD[deal.held] ? pill(HELD, deal.held) : pill(RECORD_STATES, deal.state);
}

export function money({ amount, currency }) {
  if (amount === undefined || amount === null) return null;
  return currency ? `${amount} ${currency}` : String(amount);
}

const COLUMNS = [
  { name: "Deal", class: "what", stays: true, cell: (deal) => recordLink(deal.subject, subjectName(deal.subject), { class: "row" }) },
  { name: "Contact", class: "who", cell: (deal) => contactLink(deal.email) ?? h("span", { class: "faint" }, "nobody yet") },
  { name: "Stage", class: "source", cell: (deal) => deal.wanted.stage },
  { name: "Amount", class: "number", cell: (deal) => money(deal.wanted) },
  { name: "State", class: "outcome", cell: dealPill },
  { name: "Last event", class: "when", cell: (deal) => time(deal.spoken_of_at) },
  { name: "Why", class: "why", cell: (deal) => deal.why },
];

const CAPTION = "Deals, newest first";

export function dealTable(rows) {
  return table(CAPTION, COLUMNS, rows);
}

export function deals(place, { params, rows }) {
  return listing(place, { params, rows }, {
    path: "deals",
    title: "Deals",
    subject: "deal",
    fields: [
      text("search", "Key has", "A-1001", params.search, true),
      text("email", "Email", "sam@example.com", params.email),
      select("state", "State", RECORD_STATES, params.state),
      select("held", "Waits for", HELD, params.held),
      text("kind", "Kind", "order", params.kind),
    ],
    caption: CAPTION,
    columns: COLUMNS,
    nothingFits: "No deal fits",
    none: ["No deal yet", "An event becomes a deal once the mapping file says so: ", h("code", {}, "[deals.order]"), " with a key, and ", h("code", {}, "[events.\"Order Completed\".deal]"), ". The how-to “Deals from orders” of the documents leads through it."],
  });
}

// How it stands, in a sentence.
export function dealNote(deal) {
  const [, tone] = deal.state === "held" ? (HELD[deal.held] ?? wordOf(RECORD_STATES, "held")) : wordOf(RECORD_STATES, deal.state);
  const [label] = deal.state === "held" && HELD[deal.held] ? HELD[deal.held] : wordOf(RECORD_STATES, deal.state);
  return note(tone, label, sentence(deal.why));
}

export function inFreshsales(id, address) {
  if (id === null || id === undefined) return null;
  return [h("code", {}, String(id)), address && [" ", outside(address, "Open in Freshsales ↗")]];
}

// What only a person can decide: which deal it is, whether it is to be created, or that it is left alone.
function decisions(deal, done) {
  if (!deal.may_be_ordered) return null;
  const path = `api/deals/${encodeURIComponent(deal.kind)}/${encodeURIComponent(deal.key)}/order?people=${encodeURIComponent(deal.people)}`;
  const order = async (body, title, words, label) => {
    const sure = await ask(title, h("p", {}, words), [
      { label: "Not now", value: false },
      { label, value: true, primary: true },
    ]);
    if (!sure) return;
    try {
      const became = await send("POST", path, body);
      toast(sentence(became.why));
    } catch (error) {
      toast(error.message);
    }
    await done();
  };
  const name = subjectName(deal.subject);
  const adopt = (id) => order({ order: "adopt", deal_id: id }, "Is it this deal?", `From now on ${name} is deal ${id} of Freshsales. Stage, amount and contact are sent to it.`, "Take it over");
  const create = () => order({ order: "create" }, "Create a new deal?", `A new deal for ${name} is created. If Freshsales has one already, there will be two.`, "Create it");
  const leave = () => order({ order: "leave_alone" }, "Leave it alone?", `Nothing of ${name} is sent until somebody decides otherwise here.`, "Leave it alone");
  const number = h("input", { id: "deal-id", name: "id", inputmode: "numeric", pattern: "[0-9]+", required: true, placeholder: "70001234567", autocomplete: "off" });
  const other = h(
    "form",
    {
      class: "filters",
      on: {
        submit: (event) => {
          event.preventDefault();
          adopt(Number(number.value));
        },
      },
    },
    h("div", { class: "field" }, h("label", { for: "deal-id" }, "Another, by its number in Freshsales"), number),
    h("div", { class: "actions" }, h("button", { type: "submit" }, "Take over this one")),
  );
  return decision(
    "POST /api/deals/{kind}/{key}/order",
    deal.candidates.length > 0 && [
      h("p", {}, "These deals of the contact are open. Which one is it?"),
      h(
        "ul",
        { class: "choices" },
        deal.candidates.map(({ deal_id, name, link }) =>
          h("li", {}, h("span", {}, outside(link, name || "a deal without a name"), " ", h("code", {}, String(deal_id))), h("button", { type: "button", class: "small", on: { click: () => adopt(deal_id) } }, "It is this one")),
        ),
      ),
    ],
    other,
    h(
      "div",
      { class: "actions" },
      h("button", { type: "button", on: { click: create } }, "Create a new deal"),
      deal.held !== "left_alone" && h("button", { type: "button", class: "danger", on: { click: leave } }, "Leave it alone"),
    ),
  );
}

// What is wanted beside what Freshsales has. Also a part of an event's page.
export function dealParts(deal) {
  const any = Object.keys(deal.wanted).length > 0 || Object.keys(deal.accepted).length > 0;
  const left = Object.entries(deal.left_out);
  return [
    any ? comparison({ wanted: deal.wanted, accepted: deal.accepted }) : h("p", { class: "faint" }, "Nothing is wanted of it."),
    (left.length > 0 || deal.notes.length > 0) && [
      h("h3", {}, "Good to know"),
      h("ul", { class: "plain" }, deal.notes.map((line) => h("li", {}, line)), left.map(([name]) => h("li", {}, h("code", {}, name), ": Freshsales refused this value and took the rest; it is sent again when it changes"))),
    ],
  ];
}

export async function deal(place, { about, params }) {
  // The key may hold slashes; the kind does not.
  const cut = about.indexOf("/");
  const [kind, key] = cut < 0 ? [about, ""] : [about.slice(0, cut), about.slice(cut + 1)];
  const body = h("div", { class: "list" });
  show(place, h("p", { class: "crumb" }, h("a", { href: "#/deals" }, "Deals"), " / ", `${kind} ${key}`), h("div", { class: "title" }, h("h1", {}, `${kind} ${key}`)), body);
  const load = () => orNull(get(`api/deals/${encodeURIComponent(kind)}/${encodeURIComponent(key)}`, { people: params.people }));
  let shown = null;
  const render = (found) => {
    if (!found) return empty("Nothing is known of this deal", "No event that took effect named it. Is its key spelled as the events spell it? ", h("a", { href: "#/deals" }, "All deals"), ".");
    return [
      section(
        "Deal",
        dealNote(found),
        facts([
          ["In Freshsales", inFreshsales(found.deal_id, found.link) ?? found.birth.words],
          ["Contact", contactLink(found.email) ?? "none is known yet"],
          ["Waits for the company", found.waits_for_company && link(["companies", found.waits_for_company], found.waits_for_company)],
          ["People", found.persons.map((member, nth) => [nth > 0 && ", ", link([["events"], { person: member }], person(member))])],
          ["Told by", found.events.map(({ name, at, message_id }, nth) => [nth > 0 && ", ", link(["events", message_id], name), " ", time(at)])],
          ["Last accepted", found.accepted_at && time(found.accepted_at)],
        ]),
        dealParts(found),
      ),
      decisions(found, read),
      section("Its calls", found.history.length ? deliveryTable(found.history) : h("p", { class: "faint" }, "None was made, or none is kept.")),
    ];
  };
  const read = async () => {
    shown = await into(body, load(), render, read);
  };
  await read();
  const concerns = (name, data) => (name === "delivery" && shown && data.subject === shown.subject) || (name === "event" && data.actions?.some(({ subject }) => subject === shown?.subject));
  return readAgain(read, concerns);
}
