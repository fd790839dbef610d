// Notes, activities and tasks: the list, and one with all that explains it: what it says, whom it waits for, its calls, and
// what a person decides where nobody can tell whether it was told.

import { get, send } from "./api.js";
import { ask, h, show, toast } from "./dom.js";
import { inFreshsales } from "./deals.js";
import { deliveryTable } from "./deliveries.js";
import { listen } from "./live.js";
import { goTo } from "./main.js";
import { contactLink, empty, facts, into, json, link, note, pages, pill, recordLink, section, table, time } from "./rows.js";
import { HAPPENINGS, HELD_HAPPENINGS, KINDS, subjectName, wordOf } from "./words.js";

const PAGE = 50;

// How it stands, in a word; of one on hold what it waits for.
export function happeningPill(happening) {
  const waits = happening.state === "planned" && HELD_HAPPENINGS[happening.held];
  return waits ? pill(HELD_HAPPENINGS, happening.held) : pill(HAPPENINGS, happening.state);
}

const COLUMNS = [
  { name: "What", class: "what", cell: (it) => recordLink(it.subject, `${KINDS[it.kind]} of ${it.event}`, { class: "row" }) },
  { name: "On", class: "who", cell: (it) => (it.on ? recordLink(it.on, subjectName(it.on)) : h("span", { class: "faint" }, "nobody yet")) },
  { name: "State", class: "outcome", cell: happeningPill },
  { name: "Happened", class: "when", cell: (it) => time(it.happened_at) },
  { name: "Why", class: "why", cell: (it) => it.why },
];

function select(name, label, words, chosen) {
  const field = h("select", { name, id: `filter-${name}` }, h("option", { value: "" }, "Any"), Object.entries(words).map(([word, [text]]) => h("option", { value: word }, text)));
  field.value = chosen ?? "";
  return h("div", { class: "field" }, h("label", { for: `filter-${name}` }, label), field);
}

export async function happenings(place, { params }) {
  const submit = (event) => {
    event.preventDefault();
    goTo("happenings", Object.fromEntries(new FormData(event.target)));
  };
  const filtered = Object.keys(params).length > 0;
  const form = h(
    "form",
    { class: "filters", role: "search", on: { submit } },
    h("div", { class: "field" }, h("label", { for: "filter-email" }, "Email"), h("input", { name: "email", id: "filter-email", value: params.email ?? "", "data-focus": "", placeholder: "sam@example.com", autocomplete: "off", spellcheck: "false" })),
    select("state", "State", HAPPENINGS, params.state),
    select("held", "Waits for", HELD_HAPPENINGS, params.held),
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Filter"), filtered && h("a", { class: "button", href: "#/happenings" }, "Clear")),
  );
  const list = h("div", { class: "list" });
  const fresh = h("button", { type: "button", hidden: true, on: { click: () => read() } }, "Show what changed");
  show(place, h("div", { class: "title" }, h("h1", {}, "Notes, activities and tasks"), h("div", { class: "tools" }, fresh)), form, list);
  const paged = pages(list, {
    load: async (before) => {
      const page = await get("api/happenings", { ...params, limit: PAGE, before });
      return { rows: page.happenings, next: page.next };
    },
    render: (rows, before) => {
      const made = table("Notes, activities and tasks, newest first", COLUMNS, rows);
      if (!before) return made;
      before.querySelector("tbody").append(...made.querySelectorAll("tbody tr"));
      return before;
    },
    none: () =>
      filtered
        ? empty("Nothing fits", h("a", { href: "#/happenings" }, "Clear the filter"), ".")
        : empty("Nothing was told yet", "An event leaves a note once the mapping file says so: ", h("code", {}, "[events.\"Lead Generated\".note]"), " with a text. The how-to “Tell sales what happened” of the documents leads through it."),
  });
  const read = () => {
    fresh.hidden = true;
    return paged.first();
  };
  const stop = listen((name, data) => {
    if (name === "delivery" && data.subject?.startsWith("happening:")) fresh.hidden = false;
  });
  await read();
  return stop;
}

function sentence(words) {
  const text = String(words ?? "");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

// How it stands, in a sentence.
export function happeningNote(it) {
  const [label, tone] = (it.state === "planned" && HELD_HAPPENINGS[it.held]) || wordOf(HAPPENINGS, it.state);
  return note(tone, label, sentence(it.why));
}

// What only a person can decide: whether it is there.
function decisions(it, done) {
  if (!it.may_tell && !(it.may_drop && it.state !== "told")) return null;
  const what = KINDS[it.kind].toLowerCase();
  const order = async (word, title, words, label) => {
    const sure = await ask(title, h("p", {}, words), [
      { label: "Not now", value: false },
      { label, value: true, primary: true },
    ]);
    if (!sure) return;
    try {
      await send("POST", `api/happenings/${encodeURIComponent(it.id)}/${word}`);
    } catch (error) {
      toast(error.message);
    }
    await done();
  };
  const tell = () => order("tell", "Send it again?", `The ${what} is sent again. If Freshsales has it already, there will be two.`, "Send it again");
  const there = () => order("drop", "Is it there?", `No call is made of this ${what} any more.`, "It is there");
  const drop = () => order("drop", "Not tell it?", `No call is made of this ${what} any more.`, "Do not tell it");
  return section(
    "Your decision",
    h(
      "div",
      { class: "actions" },
      it.may_tell && h("button", { type: "button", class: "primary", on: { click: there } }, "It is there"),
      it.may_tell && h("button", { type: "button", on: { click: tell } }, "Send it again"),
      !it.may_tell && h("button", { type: "button", class: "danger", on: { click: drop } }, "Do not tell it"),
    ),
  );
}

function others(ids) {
  return ids.map((id, nth) => [nth > 0 && ", ", link(["happenings", id], id)]);
}

export async function happening(place, { about }) {
  const body = h("div", { class: "list" });
  show(place, h("p", { class: "crumb" }, h("a", { href: "#/happenings" }, "Notes"), " / ", about), body);
  const load = async () => {
    try {
      return await get(`api/happenings/${encodeURIComponent(about)}`);
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  };
  let shown = null;
  const render = (found) => {
    if (!found) return empty("Nothing is known of this", "It is no longer kept, or its person was erased. ", h("a", { href: "#/happenings" }, "All notes, activities and tasks"), ".");
    return [
      h("div", { class: "title" }, h("h1", {}, `${KINDS[found.kind]} of ${found.event}`)),
      section(
        KINDS[found.kind],
        happeningNote(found),
        facts([
          ["In Freshsales", inFreshsales(found.told_id, found.link) ?? "not yet"],
          ["Follows from", link(["events", found.message_id], found.event)],
          ["Hangs on", found.on ? recordLink(found.on, subjectName(found.on)) : "not known yet"],
          ["Contact", contactLink(found.email) ?? "none is known yet"],
          ["Happened", time(found.happened_at)],
          ["Told", found.told_at && time(found.told_at)],
          ["Marker", h("code", {}, found.marker)],
          ["Goes along in", found.goes_along_in && others([found.goes_along_in])],
          ["Takes along", found.with_it.length > 0 && others(found.with_it)],
        ]),
        found.notes.length > 0 && h("ul", { class: "plain" }, found.notes.map((line) => h("li", {}, line))),
        found.payload && [h("h3", {}, "Its call"), json(found.payload, { label: "Call" })],
      ),
      decisions(found, read),
      section("Its calls", found.history.length ? deliveryTable(found.history) : h("p", { class: "faint" }, "None was made, or none is kept.")),
    ];
  };
  const read = async () => {
    shown = await into(body, load(), render, read);
  };
  await read();
  let again = null;
  const stop = listen((name, data) => {
    if (name === "delivery" && shown && data.subject === shown.subject) {
      clearTimeout(again);
      again = setTimeout(read, 300);
    }
  });
  return () => {
    clearTimeout(again);
    stop();
  };
}
