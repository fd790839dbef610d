// Notes, activities and tasks: the list, and one with all that explains it: what it says, whom it waits for, its calls, and
// what a person decides where nobody can tell whether it was told.

import { get, orNull, send } from "./api.js";
import { ask, h, show, toast } from "./dom.js";
import { inFreshsales } from "./deals.js";
import { deliveryTable } from "./deliveries.js";
import { readAgain } from "./live.js";
import { decision, listing, select, sentence, text } from "./records.js";
import { contactLink, empty, facts, into, json, link, note, pill, recordLink, section, time } from "./rows.js";
import { HAPPENINGS, HELD_HAPPENINGS, KINDS, subjectName, wordOf } from "./words.js";

// How it stands, in a word; of one on hold what it waits for.
export function happeningPill(happening) {
  const waits = happening.state === "planned" && HELD_HAPPENINGS[happening.held];
  return waits ? pill(HELD_HAPPENINGS, happening.held) : pill(HAPPENINGS, happening.state);
}

const COLUMNS = [
  { name: "What", class: "what", stays: true, cell: (it) => recordLink(it.subject, `${KINDS[it.kind]} of ${it.event}`, { class: "row" }) },
  { name: "On", class: "who", cell: (it) => (it.on ? recordLink(it.on, subjectName(it.on)) : h("span", { class: "faint" }, "nobody yet")) },
  { name: "State", class: "outcome", cell: happeningPill },
  { name: "Happened", class: "when", cell: (it) => time(it.happened_at) },
  { name: "Why", class: "why", cell: (it) => it.why },
];

export function happenings(place, { params, rows }) {
  return listing(place, { params, rows }, {
    path: "happenings",
    title: "Notes, activities and tasks",
    subject: "happening",
    fields: [text("email", "Email", "sam@example.com", params.email, true), select("state", "State", HAPPENINGS, params.state), select("held", "Waits for", HELD_HAPPENINGS, params.held)],
    caption: "Notes, activities and tasks, newest first",
    columns: COLUMNS,
    nothingFits: "Nothing fits",
    none: ["Nothing was told yet", "An event leaves a note once the mapping file says so: ", h("code", {}, "[events.\"Lead Generated\".note]"), " with a text. The how-to “Tell sales what happened” of the documents leads through it."],
  });
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
  return decision(
    "POST /api/happenings/{id}/tell",
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
  const load = () => orNull(get(`api/happenings/${encodeURIComponent(about)}`));
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
  return readAgain(read, (name, data) => name === "delivery" && shown && data.subject === shown.subject);
}
