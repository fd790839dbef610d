// Deliveries: the list, and one with the exact calls and their answers.

import { get } from "./api.js";
import { chosenIn, columnsButton } from "./columns.js";
import { csvButton } from "./csv.js";
import { h, show } from "./dom.js";
import { listen } from "./live.js";
import { goTo } from "./main.js";
import { contactLink, copyButton, empty, facts, grown, into, isContact, json, link, named, note, pages, pill, recordLink, section, table, time } from "./rows.js";
import { LANES, STATES, ago, curl, many, millis, prettyText } from "./words.js";

const PAGE = 50;

const COLUMNS = [
  { name: "Opened", class: "when", cell: (delivery) => time(delivery.opened_at) },
  { name: "Record", class: "who", stays: true, cell: (delivery) => link(["deliveries", delivery.id], named(delivery), { class: "row" }) },
  { name: "State", class: "outcome", cell: (delivery) => pill(STATES, delivery.state) },
  { name: "Lane", class: "source", cell: (delivery) => LANES[delivery.lane] ?? delivery.lane },
  { name: "Events", class: "number", cell: (delivery) => delivery.events },
  { name: "Attempts", class: "number", cell: (delivery) => delivery.attempts_made },
  { name: "Why", class: "why", cell: (delivery) => delivery.reason ?? (delivery.next_attempt_at ? `next try ${ago(delivery.next_attempt_at)}` : "") },
];

// What the list can show beside that.
const ALL_COLUMNS = [
  ...COLUMNS,
  { name: "Ended", class: "when", extra: true, cell: (delivery) => time(delivery.ended_at) },
  { name: "Person", class: "source", extra: true, cell: (delivery) => contactLink(delivery.email) },
  { name: "Account", class: "source", extra: true, cell: (delivery) => delivery.account },
];

export function deliveryTable(rows) {
  return table("Deliveries, newest first", COLUMNS, rows);
}

export async function deliveries(place, { params, rows: had }) {
  const state = h(
    "select",
    { name: "state", id: "filter-state" },
    h("option", { value: "" }, "Any"),
    Object.entries(STATES).map(([word, [label]]) => h("option", { value: word }, label)),
  );
  state.value = params.state ?? "";
  const email = h("input", { name: "email", id: "filter-email", value: params.email ?? "", "data-focus": "", placeholder: "sam@example.com", autocomplete: "off" });
  const submit = (event) => {
    event.preventDefault();
    goTo("deliveries", Object.fromEntries(new FormData(event.target)));
  };
  const form = h(
    "form",
    { class: "filters", role: "search", on: { submit } },
    h("div", { class: "field" }, h("label", { for: "filter-email" }, "Email"), email),
    h("div", { class: "field" }, h("label", { for: "filter-state" }, "State"), state),
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Filter"), (params.email || params.state) && h("a", { class: "button", href: "#/deliveries" }, "Clear")),
  );
  const list = h("div", { class: "list" });
  const fresh = h("button", { type: "button", hidden: true, on: { click: () => read() } }, "Show what changed");
  show(place, h("div", { class: "title" }, h("h1", {}, "Deliveries"), h("div", { class: "tools" }, columnsButton("deliveries", ALL_COLUMNS), csvButton("deliveries", "api/deliveries", () => params, "deliveries"), fresh)), form, list);
  const paged = pages(list, {
    rows: had,
    load: async (before, size) => {
      const page = await get("api/deliveries", { ...params, limit: Math.max(PAGE, size), before });
      return { rows: page.deliveries, next: page.next };
    },
    render: (rows, before) => grown(table("Deliveries, newest first", ALL_COLUMNS, rows, chosenIn("deliveries")), before),
    none: () =>
      params.email || params.state
        ? empty("No delivery fits", h("a", { href: "#/deliveries" }, "Clear the filter"), ". A contact that never had one is explained on its own page.")
        : empty("No delivery yet", "One is opened when a contact differs from what Freshsales has. ", h("a", { href: "#/events" }, "The events"), " say what became of each."),
  });
  const read = () => {
    fresh.hidden = true;
    return paged.first();
  };
  const stop = listen((name, data) => {
    const fits = name === "delivery" && (!params.email || params.email.toLowerCase() === data.email);
    if (fits) fresh.hidden = false;
  });
  await read();
  return stop;
}

// What a dry run says in place of an answer.
const SIMULATED = "simulated";

function outcomeOf(attempt) {
  if (attempt.error === SIMULATED) return h("span", { class: "pill calm" }, "not sent");
  const status = attempt.response?.status;
  if (!status) return h("span", { class: "pill stop" }, "no answer");
  return h("span", { class: `pill ${status < 300 ? "good" : status === 429 ? "wait" : "stop"}` }, status);
}

function oneAttempt(attempt, open) {
  const { request, response } = attempt;
  const details = h(
    "details",
    { class: "attempt" },
    h("summary", {}, h("strong", {}, `Attempt ${attempt.attempt}`), " ", outcomeOf(attempt), h("span", { class: "faint" }, " ", time(attempt.started_at), ` · ${millis(attempt.duration_ms)}`)),
    attempt.error === SIMULATED
      ? note("calm", null, "A dry run: this is what would be sent. Nothing was.")
      : attempt.error && note("stop", null, attempt.error),
    request.body !== undefined &&
      json(request.body, { label: `${request.method} ${request.url}`, actions: [copyButton("Copy as curl", () => curl(request), "curl command")] }),
    request.headers && facts(Object.entries(request.headers).map(([name, value]) => [name, h("code", {}, value)])),
    response &&
      (response.body ? json(prettyText(response.body), { label: `Answer ${response.status}` }) : h("p", { class: "faint" }, `Answer ${response.status} without a body.`)),
  );
  details.open = open;
  return details;
}

// One delivery with its calls; also the last part of an event's page.
export function deliveryParts(delivery) {
  const { attempts } = delivery;
  const notes = (delivery.notes ?? []).filter((text) => text !== delivery.reason);
  return [
    facts([
      ["State", [pill(STATES, delivery.state), " ", delivery.reason]],
      ["Record", !isContact(delivery) && recordLink(delivery.subject)],
      ["Contact", contactLink(delivery.email)],
      ["Account", h("code", {}, delivery.account)],
      ["Lane", LANES[delivery.lane] ?? delivery.lane],
      ["Carries", many(delivery.events, "event")],
      ["Opened", time(delivery.opened_at)],
      ["Ended", delivery.ended_at && time(delivery.ended_at)],
      ["Next attempt", delivery.next_attempt_at && [time(delivery.next_attempt_at), ` (${ago(delivery.next_attempt_at)})`]],
      ["Notes", notes.length > 0 && h("ul", { class: "plain" }, notes.map((text) => h("li", {}, text)))],
      ["Attempts", delivery.attempts_made > attempts.length ? `${delivery.attempts_made} made, ${attempts.length} kept` : null],
    ]),
    attempts.length
      ? attempts.map((attempt, nth) => oneAttempt(attempt, nth === attempts.length - 1))
      : h("p", { class: "faint" }, "No call was made yet. What it will carry is decided when its turn comes: see its record."),
  ];
}

export async function delivery(place, { about }) {
  const body = h("div", { class: "list" });
  show(place, h("p", { class: "crumb" }, h("a", { href: "#/deliveries" }, "Deliveries"), " / ", about), h("div", { class: "title" }, h("h1", {}, "Delivery")), body);
  const read = () => into(body, get(`api/deliveries/${encodeURIComponent(about)}`), (found) => section(named(found), deliveryParts(found)), read);
  await read();
  return listen((name, data) => {
    if (name === "delivery" && data.id === about) read();
  });
}
