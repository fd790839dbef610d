// The list of events: live, filtered, newest first.

import { Failure, get } from "./api.js";
import { chosenIn, columnsButton } from "./columns.js";
import { csvButton } from "./csv.js";
import { h, show } from "./dom.js";
import { listen, liveState, watch } from "./live.js";
import { goTo } from "./main.js";
import { contactLink, empty, into, link, outcome, pages, table, tableRow, time, whyOf } from "./rows.js";
import { OUTCOMES, count, many, person } from "./words.js";

// More rows than this are let go while the list is live.
const ROWS_MAX = 300;
const PAGE = 50;
// So often an answer without rows is followed by the next one, which looks further back.
const LOOKS_MAX = 50;
// Rows on screen are read again this often at the most, when more happened than was told.
const AGAIN_MS = 5000;
const SPANS = { 900: "Last 15 minutes", 3600: "Last hour", 86400: "Last 24 hours" };

const COLUMNS = [
  { name: "Received", class: "when", cell: (event) => time(event.received_at) },
  {
    name: "Event",
    class: "what",
    stays: true,
    cell: (event) => {
      if (event.message_id === null) return h("span", { class: "row", tabindex: "0" }, event.route);
      const to = link([["events", event.message_id], { source: event.source }], event.event, { class: "row" });
      return event.event === event.type ? to : [to, " ", h("span", { class: "faint kind" }, event.type)];
    },
  },
  { name: "Who", class: "who", cell: (event) => contactLink(event.email) ?? h("span", { class: "faint" }, event.person ? person(event.person) : "—") },
  { name: "Outcome", class: "outcome", cell: outcome },
  { name: "Why", class: "why", cell: (event) => [whyOf(event), event.code && h("span", { class: "faint" }, ` (${event.code})`)] },
  { name: "Source", class: "source", cell: (event) => [event.source ?? h("span", { class: "faint" }, "unknown"), doorOf(event)] },
  { name: "Happened", class: "when", extra: true, cell: (event) => time(event.timestamp) },
  { name: "Person", class: "source", extra: true, cell: (event) => event.person && person(event.person) },
  { name: "Message id", class: "source", extra: true, cell: (event) => event.message_id },
  { name: "Came again", class: "number", extra: true, cell: (event) => event.duplicates },
];

// By which way a refused request came, where it was no event with a key.
function doorOf(event) {
  if (!event.door || event.door === "events") return null;
  return h("span", { class: "faint" }, event.hook ? ` · hook ${event.hook}` : ` · ${event.door}`);
}

const keyed = (event) => ({ "data-key": key(event), "data-delivery": event.delivery_id });
const key = (event) => JSON.stringify([event.source, event.message_id, event.received_at, event.outcome, event.code]);

function field(label, input) {
  const id = `filter-${input.name}`;
  input.id = id;
  return h("div", { class: "field" }, h("label", { for: id }, label), input);
}

function local(moment) {
  if (!moment) return "";
  const date = new Date(moment);
  return new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

function filters(params) {
  const text = (name, placeholder) => h("input", { name, value: params[name] ?? "", placeholder, autocomplete: "off", spellcheck: "false" });
  const email = text("email", "sam@example.com");
  email.dataset.focus = "";
  const chosen = new Set((params.outcome ?? "").split(",").filter(Boolean));
  // What was refused at the door is another list: it is chosen alone.
  const box = ([word, [label, , meaning]]) => {
    const input = h("input", { type: "checkbox", name: "outcome", value: word, id: `outcome-${word}` });
    input.checked = chosen.has(word);
    input.addEventListener("change", () => {
      for (const other of boxes.querySelectorAll("input")) {
        if (other !== input && input.checked && (word === "rejected") !== (other.value === "rejected")) other.checked = false;
      }
      turn();
    });
    return h("label", { for: input.id, title: meaning }, input, label);
  };
  const boxes = h("div", { class: "boxes" });
  boxes.append(...Object.entries(OUTCOMES).map(box));
  const outcomes = h("details", { class: "outcomes" }, h("summary", {}, "Outcome"), h("fieldset", {}, h("legend", { class: "hidden" }, "Outcomes"), boxes));
  const picked = () => [...boxes.querySelectorAll("input:checked")].map((input) => input.value);
  // Of what was accepted it is not kept by which way it came.
  const doors = { events: "Events with a key", form: "Form", hook: "Webhook" };
  if (params.door && !doors[params.door]) doors[params.door] = params.door.replace(/^hook:/, "Webhook ");
  const door = h("select", { name: "door" }, h("option", { value: "" }, "Any"), Object.entries(doors).map(([word, label]) => h("option", { value: word }, label)));
  door.value = params.door ?? "";
  const way = field("Way in", door);
  const between = params.since || params.until;
  const span = h(
    "select",
    { name: "span" },
    h("option", { value: "" }, "Any time"),
    Object.entries(SPANS).map(([seconds, label]) => h("option", { value: seconds }, label)),
    h("option", { value: "between" }, "Between…"),
  );
  span.value = between ? "between" : (params.span ?? "");
  const since = field("From", h("input", { name: "since", type: "datetime-local", value: local(params.since) }));
  const until = field("To", h("input", { name: "until", type: "datetime-local", value: local(params.until) }));
  const turn = () => {
    const all = picked();
    way.hidden = all[0] !== "rejected";
    show(outcomes.querySelector("summary"), all.length ? `Outcome: ${all.length === 1 ? OUTCOMES[all[0]][0] : `${all.length} chosen`}` : "Outcome: any");
    since.hidden = span.value !== "between";
    until.hidden = span.value !== "between";
  };
  span.addEventListener("change", turn);
  turn();
  const submit = (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.target));
    const moment = (name) => (given.span === "between" && given[name] ? new Date(given[name]).toISOString() : "");
    const times = { since: moment("since"), until: moment("until"), span: given.span === "between" ? "" : given.span };
    const outcome = picked().join(",");
    goTo("events", { ...given, ...times, outcome, door: outcome === "rejected" ? given.door : "" });
  };
  const used = Object.values(params).filter(Boolean).length;
  const form = h(
    "form",
    { class: "filters", role: "search", on: { submit } },
    field("Search", text("search", "Jane Miller, lead, /newsletter")),
    field("Email", email),
    field("Person", text("person", "user:42")),
    field("Event", text("event", "Lead Generated")),
    field("Source", text("source", "website")),
    way,
    field("Time", span),
    since,
    until,
    outcomes,
    h(
      "div",
      { class: "actions" },
      h("button", { type: "submit", class: "primary" }, "Filter"),
      used > 0 && h("a", { class: "button", href: "#/events" }, "Clear"),
    ),
  );
  const folded = h("details", { class: "fold" }, h("summary", {}, used ? `Filter (${used} set)` : "Filter"), form);
  folded.open = used > 0 || window.matchMedia("(min-width: 45rem)").matches;
  return folded;
}

// What the service is asked for.
function query(params) {
  const { span, ...rest } = params;
  // A bare id is a user's: who looks for one should not have to know the notation.
  if (rest.person && !/(^|\/)(user|email|anonymous):/.test(rest.person)) rest.person = `user:${rest.person}`;
  if (span) rest.since = new Date(Date.now() - Number(span) * 1000).toISOString();
  return rest;
}

function none(params) {
  const given = Object.keys(params).length > 0;
  if (!given) {
    return empty(
      "No event yet",
      "Send one to ",
      h("code", {}, "/ingest"),
      " on the public listener, and it shows up here by itself. Was something sent already? Look at what was ",
      h("a", { href: "#/events?outcome=rejected" }, "rejected"),
      ". What to paste where, and what to look at, is under ",
      h("a", { href: "#/connect" }, "Connect"),
      ".",
    );
  }
  if (params.outcome === "rejected") return empty("Nothing was rejected", "Of each way in the last 500 refused requests since the service started are kept.");
  return empty(
    "No event fits",
    "Nothing that is kept has all of these. ",
    h("a", { href: "#/events" }, "Clear the filter"),
    ", or look at what was ",
    h("a", { href: "#/events?outcome=rejected" }, "rejected"),
    ": of a refused request nobody knows whose it was. Is the email the one that the events name?",
  );
}

// How far back the list can answer.
function reach({ trail_since: since }) {
  const parts = [["leads, orders and withdrawals", since.conversions], ["other events with an address", since.refreshes], ["events without one", since.anonymous]];
  const known = parts.filter(([, moment]) => moment).map(([what, moment], nth) => [nth > 0 && "; ", `${what} since `, time(moment)]);
  return known.length > 0 && ["What became of events is known back to here: ", known, ". How long it is kept stands in [retention]."];
}

export async function events(place, { params, rows: had }) {
  const asked = query(params);
  const place_of_list = h("div", { class: "list" });
  const reaches = h("p", { class: "faint reach" });
  // What each row shows, by its key.
  const shown = new Map();
  let body = null;
  let paused = false;
  let waiting = [];
  let missed = 0;
  let trimmed = false;
  let away = false;
  let reading = true;
  // Deliveries that moved while the list was read, and the look that is due because not everything was told.
  const late = new Map();
  let again = null;

  const pause = h("button", { type: "button", "data-pause": "", "aria-pressed": "false", on: { click: () => turn() } }, "Pause");
  const state = h("span", { class: "live", role: "status" });
  show(
    place,
    h("div", { class: "title" }, h("h1", {}, "Events"), h("div", { class: "tools" }, state, columnsButton("events", COLUMNS), csvButton("events", "api/events", () => query(params), "events"), pause)),
    filters(params),
    place_of_list,
    reaches,
  );

  const list = pages(place_of_list, {
    rows: had,
    load: async (before, size) => {
      // Rows that were let go stand between the end of the list and the next page: it begins where the list ends.
      const end = before && trimmed ? { until: body.lastElementChild.querySelector("time").dateTime } : { before };
      if (!before || trimmed) trimmed = false;
      let page = await get("api/events", { ...asked, limit: Math.max(PAGE, size), ...end });
      // A text may be further back than one answer looks.
      for (let nth = 0; !page.events.length && page.next && nth < LOOKS_MAX; nth += 1) {
        page = await get("api/events", { ...asked, limit: PAGE, before: page.next });
      }
      return { rows: page.events, next: page.next };
    },
    render: (rows, table_before) => {
      if (!table_before) shown.clear();
      const fresh = rows.filter((row) => !shown.has(key(row)));
      fresh.forEach((row) => shown.set(key(row), row));
      if (!table_before) {
        const made = table("Events, newest first", COLUMNS, fresh, chosenIn("events", { class: "events" }), keyed);
        body = made.querySelector("tbody");
        return made;
      }
      body.append(...fresh.map((row) => tableRow(COLUMNS, row, keyed(row))));
      return table_before;
    },
    none: () => none(params),
  });

  function tellState() {
    const live = { live: "Live", connecting: "Connecting…", broken: "Not connected", asleep: "Asleep", off: "Not live" }[liveState()];
    const held = paused ? `Paused${waiting.length ? ` · ${count(waiting.length)} new` : ""}` : live;
    const text = missed ? `${held} · ${many(missed, "change")} too fast to show` : held;
    if (state.textContent !== text) state.textContent = text;
    state.classList.toggle("on", !paused && liveState() === "live");
  }

  function turn() {
    paused = !paused;
    pause.textContent = paused ? "Resume" : "Pause";
    pause.setAttribute("aria-pressed", String(paused));
    if (!paused) addHeld();
    tellState();
  }

  function addHeld() {
    const held = waiting;
    waiting = [];
    held.forEach(add);
  }

  // What arrives while the list is read is added after it.
  async function read() {
    reading = true;
    await list.first();
    reading = false;
    late.forEach(moved);
    late.clear();
    if (!paused) addHeld();
  }

  function stands(row, delivery) {
    const event = shown.get(row?.dataset.key);
    if (!event) return;
    event.delivery = delivery;
    show(row.querySelector(".outcome"), outcome(event));
    show(row.querySelector(".why"), whyOf(event));
  }

  // A delivery that rows have led to has moved. A list that is held changes no row's place by it.
  function moved(delivery) {
    if (reading) late.set(delivery.id, delivery);
    for (const event of waiting) if (event.delivery_id === delivery.id) event.delivery = delivery;
    const rows = body?.querySelectorAll(`[data-delivery="${CSS.escape(delivery.id)}"]`) ?? [];
    rows.forEach((row) => stands(row, delivery));
  }

  // More happened than was told: how the deliveries of the rows stand is read again, after a while for all of it.
  function readAgain() {
    again ??= setTimeout(async () => {
      again = null;
      if (!body?.rows.length) return;
      try {
        const page = await get("api/events", { ...asked, limit: Math.min(body.rows.length, ROWS_MAX) });
        for (const event of page.events) stands(body.querySelector(`[data-key="${CSS.escape(key(event))}"]`), event.delivery);
      } catch (error) {
        // The head of the page says that the service does not answer; the next look comes with what it tells then.
        if (!(error instanceof Failure)) throw error;
      }
    }, AGAIN_MS);
  }

  function add(event) {
    if (shown.has(key(event))) return;
    if (!body) {
      // The first one: there was no list yet.
      read();
      return;
    }
    shown.set(key(event), event);
    body.prepend(tableRow(COLUMNS, event, { class: "new", ...keyed(event) }));
    if (body.rows.length > ROWS_MAX) {
      shown.delete(body.lastElementChild.dataset.key);
      body.lastElementChild.remove();
      trimmed = true;
    }
  }

  const stop = listen((name, data) => {
    if (name === "event") {
      if (paused || reading) {
        waiting.push(data);
        if (waiting.length > ROWS_MAX) waiting.shift();
      } else {
        add(data);
      }
    } else if (name === "delivery") {
      moved(data);
    } else if (name === "skipped") {
      missed += data.changes;
      readAgain();
    }
    // What happened while nobody told is in the list.
    if (name === "live" && (data === "broken" || data === "asleep")) away = true;
    if (name === "live" && data === "live" && away && !paused) {
      away = false;
      read();
    }
    if (name !== "status") tellState();
  });
  tellState();
  watch(asked);
  await read();
  await into(reaches, get("api/status"), reach);
  return () => {
    clearTimeout(again);
    stop();
  };
}
