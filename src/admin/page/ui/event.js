// One event from end to end: received, person, consent, mapping, contact, delivery. It answers "why is this contact not
// in the CRM?": each step says what it did, and the step at which it ended says so.

import { get, orNull } from "./api.js";
import { h, show } from "./dom.js";
import { contactParts } from "./contacts.js";
import { dealNote, dealParts, dealPill, inFreshsales } from "./deals.js";
import { deliveryParts } from "./deliveries.js";
import { happeningNote, happeningPill } from "./happenings.js";
import { listen } from "./live.js";
import { contactLink, empty, facts, into, isMasked, json, link, note, origin, outcome, pill, placeOf, recordLink, time } from "./rows.js";
import { ACTIONS, KINDS, OUTCOMES, became, many, person, subjectName, wordOf } from "./words.js";

// At which step an outcome ends the way.
const ENDS = {
  duplicate: "received",
  failed: "received",
  erased: "person",
  person_updated: "mapping",
  not_mapped: "mapping",
  invalid_email: "person",
  hashed_email: "person",
  switched_off: "received",
  excluded: "contact",
  no_email: "person",
  consent_denied: "consent",
  unchanged: "contact",
};

const NEXT = {
  failed: "Report the place in the code that the reason names. After an update, POST /api/events/{messageId}/retry tries it again.",
  duplicate: "The first one with this id is what counted. A sender that sends another event has to give it another messageId.",
  switched_off: "Nothing, if that was meant. Where a consent tool says All: false to everybody, set integrations.obey_all = false.",
  excluded: "Nothing, if that was meant. filters.exclude_emails lists the patterns.",
  no_email: "An identify with an email of the same user within mapping.complete_within_hours still makes the contact.",
  invalid_email: "The sender has to send a real address.",
  hashed_email: "The sender has to send the address itself; many tools can hash it or not.",
  not_mapped: "To send contacts for it, name it in your mapping: [events.\"…\"] with a lane.",
  consent_denied: "Nothing is sent until every category of consent.required is granted. What was said is remembered.",
  person_updated: "A mapped event of this person, near enough in time, makes the contact.",
  unchanged: "There was nothing to do: Freshsales has these values from an earlier call.",
};

function step(name, title, ends, ...body) {
  const here = ends === name;
  return h(
    "li",
    { class: here ? "step ends" : "step" },
    h("h2", {}, title, here && h("span", { class: "pill stop" }, "it ends here")),
    body,
  );
}

const CONSENT_NOTE = /^\S+ (granted|denied) by /;
const LEFT_OUT_NOTE = / left out: /;

// What an action is about, in a word: a record, or what is told.
function kindOf(action) {
  const [kind, key] = action.subject.split(":");
  return kind === "happening" ? key.split("-")[0] : kind;
}

// How a deal, or what is told, stands now; of a company, and where neither is known, what the event did.
function pillOf({ action, deal, happening }) {
  const now = deal ? dealPill(deal) : happening && happeningPill(happening);
  return [" ", h("span", { class: "then" }, `${kindOf(action)}: `), now || pill(ACTIONS, action.state)];
}

// A box for each deal, each company and all that is told: what this event did, and how that stands now.
function actionBox({ action, deal, happening }) {
  const [, tone, meaning] = wordOf(ACTIONS, action.state);
  const kind = kindOf(action);
  const title = { deal: "Deal", company: "Company", list: "List", ...KINDS }[kind] ?? kind;
  return h(
    "li",
    { class: "step" },
    h("h2", {}, title, ": ", recordLink(action.subject, subjectName(action.subject)), " ", pill(ACTIONS, action.state)),
    note(tone, "When the event was processed", `${action.why}.`, h("p", { class: "faint" }, meaning)),
    action.delivery && h("p", {}, link(["deliveries", action.delivery], `Delivery ${action.delivery}`)),
    happening && [
      h("h3", {}, "How it stands now"),
      happeningNote(happening),
      facts([["In Freshsales", inFreshsales(happening.told_id, happening.link)]]),
      happening.payload && json(happening.payload, { label: "Call" }),
    ],
    deal && [h("h3", {}, "How it stands now"), dealNote(deal), facts([["In Freshsales", inFreshsales(deal.deal_id, deal.link)]]), dealParts(deal)],
  );
}

const MASKED = "People are masked before your role.";

function steps(event, contact, delivery, actions) {
  const ends = ENDS[event.outcome];
  const notes = event.notes ?? [];
  const consent = notes.filter((text) => CONSENT_NOTE.test(text));
  const left = notes.filter((text) => LEFT_OUT_NOTE.test(text));
  const others = notes.filter((text) => !CONSENT_NOTE.test(text) && !LEFT_OUT_NOTE.test(text));
  const list = (texts) => texts.length > 0 && h("ul", { class: "plain" }, texts.map((text) => h("li", {}, text)));
  // Of whom nothing is shown nothing is concluded either.
  const masked = isMasked(event.person) || isMasked(event.email);
  const fields = contact?.fields ?? [];
  const mine = fields.filter((field) => field.message_id === event.message_id);
  const said = (field) =>
    field.message_id === event.message_id
      ? h("span", { class: "pill good" }, "this event")
      : field.message_id && link(["events", field.message_id], "another event", { class: "faint" });
  return h(
    "ol",
    { class: "steps" },
    step(
      "received",
      "Received",
      ends,
      facts([
        ["At", time(event.received_at)],
        ["Happened", time(event.timestamp)],
        ["Source", event.source],
        ["Kind", event.type],
        ["Message id", h("code", {}, event.message_id)],
        ["Came again", event.duplicates > 0 && many(event.duplicates, "time")],
      ]),
      event.raw ? h("details", { class: "attempt" }, h("summary", {}, "The event as it was sent"), json(event.raw, { label: "Event" })) : h("p", { class: "faint" }, "What was sent is no longer kept (retention.journal_days_max)."),
    ),
    step(
      "person",
      "Person",
      ends,
      event.person ? facts([["Whose it is", masked ? event.person : link([["events"], { person: event.person }], person(event.person))], ["Email", contactLink(event.email) ?? "none is known"]]) : h("p", { class: "faint" }, "Not looked at."),
      list(others),
    ),
    step(
      "consent",
      "Consent",
      ends,
      consent.length ? list(consent) : h("p", { class: "faint" }, masked ? MASKED : "When it was processed, no choice about marketing was known."),
      contact && !contact.gate.open && note("stop", "The gate is shut now", contact.gate.reason),
    ),
    step(
      "mapping",
      "Mapping",
      ends,
      mine.length > 0
        ? [
            h("p", { class: "faint" }, "What the contact has from this event, by the mapping in use now:"),
            h("ul", { class: "plain" }, mine.map((field) => h("li", {}, h("code", {}, field.attribute), " from ", origin(field.path)))),
          ]
        : h("p", { class: "faint" }, masked ? MASKED : contact ? "No value that the contact has now is from this event. Where each value came from is shown with the contact, below." : "It led to no contact."),
      left.length > 0 && [h("h3", {}, "Left out"), list(left)],
    ),
    step(
      "contact",
      "Contact, as it is now",
      ends,
      contact && h("p", { class: "faint" }, "Later events and a new mapping count here too. What was sent for this event is shown with its delivery, below."),
      contact ? contactParts(contact, said) : h("p", { class: "faint" }, masked ? MASKED : event.email ? "Nothing is known of this contact any more." : "There is none without an email."),
    ),
    step(
      "delivery",
      "Delivery of the contact",
      ends,
      delivery ? [h("p", {}, link(["deliveries", delivery.id], `Delivery ${delivery.id}`)), deliveryParts(delivery)] : h("p", { class: "faint" }, event.delivery_id ? "It is no longer kept." : "It led to no call."),
    ),
    actions.map(actionBox),
  );
}

// In a few sentences what became of it: first how it stands now, then what was decided when it was processed.
function answer(event, delivery, actions) {
  const [, tone, meaning] = wordOf(OUTCOMES, event.outcome);
  const next = NEXT[event.outcome] && h("p", {}, NEXT[event.outcome]);
  const then = became(event);
  const others = actions.map(({ action, deal, happening }) => {
    const found = deal ?? happening;
    const now = found ? ` Now: ${found.why}.` : "";
    return h("p", {}, recordLink(action.subject, subjectName(action.subject)), `: ${action.why}.`, now);
  });
  if (!then) return note(tone, actions.length ? `Contact: ${event.reason}` : event.reason, meaning, actions.length === 0 && next, others);
  const dead = delivery?.state === "dead" && [
    "It is kept among the ",
    h("a", { href: "#/dead-letters" }, "dead letters"),
    ", goes by itself when the contact changes, and can be sent again from there.",
  ];
  const [, tone_now, sentence] = then;
  const now = delivery?.reason ? `${sentence.replace(/\.$/, "")}: ${delivery.reason}` : sentence;
  return note(tone_now, now, dead && h("p", {}, dead), h("p", {}, `When it was processed: ${event.reason}.`), others);
}

// An action with the deal that it is about, or with what is told, as that stands now.
async function withRecord(action) {
  if (isMasked(action.subject)) return { action };
  if (action.subject.startsWith("happening:")) {
    const [, id] = action.subject.split(":");
    return { action, happening: await orNull(get(`api/happenings/${encodeURIComponent(id)}`)) };
  }
  if (!action.subject.startsWith("deal:")) return { action };
  const place = placeOf(action.subject);
  if (!place) return { action };
  const [[, kind, key], { people }] = place;
  return { action, deal: await orNull(get(`api/deals/${encodeURIComponent(kind)}/${encodeURIComponent(key)}`, { people })) };
}

function unknown(about) {
  return empty(
    "No event with this message id",
    "It was not received, is being processed right now, or is no longer kept. What became of leads and orders is kept longest (retention.trail_days_max), of events without an address shortest. See ",
    h("a", { href: "#/events" }, "what was received"),
    " and what was ",
    h("a", { href: "#/events?outcome=rejected" }, "rejected"),
    `. Is it spelled as it was sent? Looked for was ${about}.`,
  );
}

export async function event(place, { about, params }) {
  const body = h("div", { class: "list" });
  show(place, h("p", { class: "crumb" }, h("a", { href: "#/events" }, "Events"), " / ", about), body);
  let shown = null;
  const load = async () => {
    const event = await orNull(get(`api/events/${encodeURIComponent(about)}`, { source: params.source }));
    if (!event) return null;
    const [contact, delivery, ...actions] = await Promise.all([
      event.email && !isMasked(event.email) ? orNull(get(`api/contacts/${encodeURIComponent(event.email)}`)) : null,
      event.delivery_id ? orNull(get(`api/deliveries/${encodeURIComponent(event.delivery_id)}`)) : null,
      ...(event.actions ?? []).map(withRecord),
    ]);
    return { event, contact, delivery, actions };
  };
  const render = (found) => {
    if (!found) return unknown(about);
    const { event, contact, delivery, actions } = found;
    return [
      h("div", { class: "title" }, h("h1", {}, event.event), h("span", { class: "outcome" }, outcome(event, actions.map(pillOf)))),
      answer(event, delivery, actions),
      steps(event, contact, delivery, actions),
    ];
  };
  const read = async () => {
    shown = await into(body, load(), render, read);
  };
  await read();
  return listen((name, data) => {
    const mine = () => data.id === shown.event.delivery_id || shown.actions.some(({ action }) => action.delivery === data.id || action.subject === data.subject);
    if (name === "delivery" && shown && mine()) read();
    if (name === "event" && !shown && data.message_id === about) read();
  });
}
