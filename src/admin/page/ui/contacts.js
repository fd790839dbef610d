// Contacts: a search, those that had deliveries lately, and one with all that explains it.

import { get, orNull } from "./api.js";
import { lookers } from "./acts.js";
import { chosenIn, columnsButton } from "./columns.js";
import { h, outside, show } from "./dom.js";
import { readAgain } from "./live.js";
import { comparing } from "./compare.js";
import { goTo } from "./main.js";
import { dealTable } from "./deals.js";
import { deliveryTable } from "./deliveries.js";
import { comparison, empty, facts, into, isContact, json, leftOut, listsOf, link, note, outcome, pill, section, table, time, whyOf } from "./rows.js";
import { suppression } from "./suppress.js";
import { timeline } from "./timeline.js";
import { LANES, STATES, person } from "./words.js";

const LATELY = 200;

export async function contacts(place) {
  const submit = (event) => {
    event.preventDefault();
    const email = new FormData(event.target).get("email").trim();
    if (email) goTo(`contacts/${encodeURIComponent(email)}`);
  };
  const form = h(
    "form",
    { class: "filters", role: "search", on: { submit } },
    h(
      "div",
      { class: "field" },
      h("label", { for: "contact-email" }, "Email"),
      h("input", { id: "contact-email", name: "email", type: "search", "data-focus": "", required: true, placeholder: "sam@example.com", autocomplete: "off", spellcheck: "false" }),
    ),
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Look up")),
  );
  const columns = [
    { name: "Contact", class: "who", stays: true, cell: (delivery) => link(["contacts", delivery.email], delivery.email, { class: "row" }) },
    { name: "Latest delivery", class: "outcome", cell: (delivery) => [pill(STATES, delivery.state), " ", link(["deliveries", delivery.id], LANES[delivery.lane] ?? delivery.lane)] },
    { name: "When", class: "when", cell: (delivery) => time(delivery.ended_at ?? delivery.opened_at) },
    { name: "Why", class: "why", cell: (delivery) => delivery.reason },
  ];
  const list = h("div", { class: "list" });
  show(place, h("div", { class: "title" }, h("h1", {}, "Contacts"), h("div", { class: "tools" }, columnsButton("contacts", columns))), form, h("h2", { class: "list-title" }, "Recently sent or queued"), list);
  const read = () =>
    into(
      list,
      get("api/deliveries", { limit: LATELY }),
      ({ deliveries }) => {
        const newest = new Map();
        for (const delivery of deliveries.filter(isContact)) if (!newest.has(delivery.email)) newest.set(delivery.email, delivery);
        if (newest.size) return table("Contacts with deliveries, latest first", columns, [...newest.values()], chosenIn("contacts"));
        return empty("No contact was queued yet", "A contact is made by a person with an email and a mapped event. Look one up above, or see ", h("a", { href: "#/events" }, "what became of the events"), ".");
      },
      read,
    );
  await read();
}

function standing(contact) {
  if (contact.in_flight) return note("wait", "A call is on its way", contact.why);
  if (contact.suppressed_at) return note("stop", "Never sent", contact.why);
  if (!contact.gate.open) return note("stop", "Consent keeps it back", contact.gate.reason);
  if (contact.owed) return note("wait", contact.owed.withdrawal ? "Queued: Freshsales will be told of a withdrawal" : "Queued", contact.why);
  if (contact.refused || contact.open_delivery?.state === "dead") return note("stop", "Refused by Freshsales", contact.why);
  return note(contact.accepted ? "good" : "calm", contact.accepted ? "Up to date" : "Nothing to send", contact.why);
}

// What is wanted, what is there, what is owed and why it waits. `said` marks a field, as an event's page does.
export function contactParts(contact, said) {
  return [
    standing(contact),
    Object.keys(contact.wanted).length || contact.accepted
      ? comparison(contact, said)
      : h("p", { class: "faint" }, "Nothing is wanted: nothing the mapping reads was said of anybody with this address."),
    leftOut(contact.left_out),
    listsOf(contact.lists),
    contact.owed && json(contact.owed.payload, { label: contact.owed.whole ? "What the next call carries (everything)" : "What the next call carries (what changed)" }),
  ];
}

// Each change with what proves it, the newest first.
function consentChanges({ changes, dropped }) {
  const from = ({ kind, key, value, tool, source, page }) =>
    [`${kind} by ${key} = ${value}`, tool, source && `source ${source}`, page].filter(Boolean).join(", ");
  const line = (change) => h("li", {}, time(change.at), ` ${change.category} ${change.choice}: ${from(change)}`);
  return h("ul", {}, [...changes].reverse().map(line), dropped > 0 && h("li", {}, `${dropped} older are not kept`));
}

function held(email) {
  const body = h("div", { class: "list" });
  const details = h("details", { class: "attempt" }, h("summary", {}, h("strong", {}, "Everything held on this person")), body);
  details.addEventListener("toggle", () => {
    if (details.open && !body.childElementCount) into(body, get("api/people", { email }), (people) => json(people, { label: "As JSON" }));
  });
  return details;
}

export async function contact(place, { about }) {
  const head = h("div", { class: "list" });
  const eventsPlace = h("div", { class: "list" });
  const deliveriesPlace = h("div", { class: "list" });
  const dealsPlace = h("div", { class: "list" });
  const linePlace = h("div", { class: "list" });
  const dealsSection = section("Its deals", dealsPlace);
  dealsSection.hidden = true;
  show(
    place,
    h("p", { class: "crumb" }, h("a", { href: "#/contacts" }, "Contacts"), " / ", about),
    h("div", { class: "title" }, h("h1", {}, about)),
    head,
    section("Time line", linePlace),
    dealsSection,
    section("Its events", eventsPlace),
    section("Its deliveries", deliveriesPlace),
  );
  // Made once: what was answered outlives what is read anew.
  const compared = comparing(about);
  const render = (found) => [
    section(
      "Contact",
      facts([
        ["Freshsales id", found.contact_id && outside(found.link, String(found.contact_id))],
        ["Lead in Freshsales", found.lead_id && outside(found.link, String(found.lead_id))],
        ["In Freshsales", found.link && outside(found.link, found.lead_id ? "Open the lead" : "Open the contact")],
        ["Last accepted", found.accepted_at && time(found.accepted_at)],
        ["People", found.members.map((member, nth) => [nth > 0 && ", ", link([["events"], { person: member }], person(member))])],
        ["Consent", found.consent ?? "no choice about marketing is known"],
        ["Changes of consent", found.consent_history.changes.length > 0 && consentChanges(found.consent_history)],
        ["Gate", found.gate.open ? "open" : found.gate.reason],
        ["Sending", suppression(about, found.suppressed_at, readContact)],
        ["Delivery", found.open_delivery && [pill(STATES, found.open_delivery.state), " ", link(["deliveries", found.open_delivery.id], found.open_delivery.id)]],
      ]),
      contactParts(found),
      compared,
    ),
    held(about),
    lookers(about),
  ];
  const unknown = () =>
    empty(
      "Nothing is known of this contact",
      "No event that took effect named this address. Is it spelled as the events spell it? See whether events of it were ",
      link([["events"], { email: about }], "received"),
      ", or something was ",
      h("a", { href: "#/events?outcome=rejected" }, "rejected"),
      ". An event without an email belongs to its user id: look for that person among the events.",
    );
  const known = { contact: null, events: [], deliveries: [] };
  const drawLine = () => show(linePlace, timeline(known.contact, known.events, known.deliveries));
  const readContact = async () => {
    const contact = orNull(get(`api/contacts/${encodeURIComponent(about)}`));
    known.contact = await into(head, contact, (found) => (found ? render(found) : unknown()), readContact);
    drawLine();
  };
  const columns = [
    { name: "Received", class: "when", cell: (event) => time(event.received_at) },
    { name: "Event", class: "what", cell: (event) => link([["events", event.message_id], { source: event.source }], event.event, { class: "row" }) },
    { name: "Outcome", class: "outcome", cell: outcome },
    { name: "Why", class: "why", cell: whyOf },
  ];
  const more = (page, path) => page.next && h("p", {}, link([[path], { email: about }], `All ${path} of this contact`));
  const readEvents = async () => {
    const found = await into(
      eventsPlace,
      get("api/events", { email: about, limit: 20 }),
      (page) => (page.events.length ? [table("Events of the contact", columns, page.events), more(page, "events")] : h("p", { class: "faint" }, "None is kept.")),
      readEvents,
    );
    known.events = found?.events ?? [];
    drawLine();
  };
  const readDeliveries = async () => {
    const found = await into(
      deliveriesPlace,
      get("api/deliveries", { email: about, limit: 20 }),
      (page) => (page.deliveries.length ? [deliveryTable(page.deliveries), more(page, "deliveries")] : h("p", { class: "faint" }, "None is kept.")),
      readDeliveries,
    );
    known.deliveries = found?.deliveries ?? [];
    drawLine();
  };
  // Where no deal is mapped there is none, and no word of it.
  const readDeals = async () => {
    const found = await into(dealsPlace, get("api/deals", { email: about, limit: 20 }), (page) => [dealTable(page.deals), more(page, "deals")], readDeals);
    dealsSection.hidden = found !== null && found.deals.length === 0;
  };
  const readAll = () => Promise.all([readContact(), readDeals(), readEvents(), readDeliveries()]);
  await readAll();
  return readAgain(readAll, (name, data) => (name === "event" || name === "delivery") && data.email === about.toLowerCase());
}

