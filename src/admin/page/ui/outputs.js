// Outputs: which other systems are told of what happened, how each does, and its messages: told again, or discarded.

import { get, send } from "./api.js";
import { ask, h, show, toast } from "./dom.js";
import { empty, facts, grown, into, json, named, note, pages, pill, recordLink, section, table, time } from "./rows.js";
import { many, wordOf } from "./words.js";

const PAGE = 50;

const RECEIVERS = {
  running: ["Running", "good", "It takes what it is told."],
  failing: ["Failing", "wait", "It takes nothing; one message asks from time to time, and all of it goes once it does."],
  off: ["Off", "stop", "It answered 410, so it is told nothing more. What it is to be told is kept."],
  not_configured: ["Not configured", "calm", "No section of the configuration has this name any more."],
};

const MESSAGES = {
  waiting: ["Waiting", "wait", "It is told when its time comes."],
  dead: ["Dead letter", "stop", "It was given up."],
};

const COLUMNS = [
  { name: "Receiver", class: "what", cell: (output) => h("a", { class: "row", href: `#/outputs/${encodeURIComponent(output.name)}` }, output.name) },
  { name: "State", class: "outcome", cell: (output) => pill(RECEIVERS, output.state) },
  { name: "Waiting", class: "number", cell: (output) => output.waiting },
  { name: "Dead letters", class: "number", cell: (output) => output.dead_letters },
  { name: "Taken", class: "number", cell: (output) => output.taken },
  { name: "Last taken", class: "when", cell: (output) => time(output.last_taken_at) },
  { name: "Why not", class: "why", cell: (output) => output.error },
];

export async function outputs(place) {
  const list = h("div", { class: "list" });
  show(place, h("div", { class: "title" }, h("h1", {}, "Outputs")), h("p", { class: "lead" }, "Other systems that are told what happened: deals, contacts, who unsubscribed. Each in its own time."), list);
  const read = () =>
    into(
      list,
      get("api/outputs"),
      (found) => (found.outputs.length ? table("Receivers", COLUMNS, found.outputs) : empty("Nobody is told", "A section ", h("code", {}, "[outputs.NAME]"), " of the configuration names an address and events.")),
      read,
    );
  await read();
}

export async function output(place, { about }) {
  const address = `api/outputs/${encodeURIComponent(about)}`;
  const head = h("div", {});
  const list = h("div", { class: "list" });
  const again = h("button", { type: "button", "data-needs": "POST /api/outputs/{name}/redrive", class: "primary", on: { click: () => order("redrive", { all: true }, "Tell all dead letters again?") } }, "Tell all again");
  const drop = h("button", { type: "button", "data-needs": "POST /api/outputs/{name}/discard", class: "danger", on: { click: () => order("discard", { all: true }, "Discard all dead letters?") } }, "Discard all");
  const resume = h("button", { type: "button", "data-needs": "POST /api/outputs/{name}/resume", on: { click: () => order("resume", {}, "Call it again?") } }, "Call it again");
  show(place, h("p", { class: "crumb" }, h("a", { href: "#/outputs" }, "Outputs"), " / ", about), h("div", { class: "title" }, h("h1", {}, about), h("div", { class: "tools" }, resume, again, drop)), head, list);
  const columns = [
    { name: "Event", class: "what", cell: (message) => message.event },
    { name: "Record", class: "who", cell: (message) => recordLink(message.subject, named(message)) },
    { name: "State", class: "outcome", cell: (message) => pill(MESSAGES, message.state) },
    { name: "Tries", class: "number", cell: (message) => message.attempts },
    { name: "Happened", class: "when", cell: (message) => time(message.at) },
    { name: "Next try", class: "when", cell: (message) => time(message.next_attempt_at) },
    { name: "Why not", class: "why", cell: (message) => [message.error, h("details", { class: "attempt" }, h("summary", {}, "What is told"), json(message.data, { label: "Data" }))] },
    {
      name: "",
      class: "do",
      cell: (message) =>
        message.state === "dead" && [
          h("button", { type: "button", class: "small", "data-needs": "POST /api/outputs/{name}/redrive", on: { click: () => order("redrive", { ids: [message.id] }, "Tell it again?") } }, "Tell again"),
          h("button", { type: "button", class: "small danger", "data-needs": "POST /api/outputs/{name}/discard", on: { click: () => order("discard", { ids: [message.id] }, "Discard it?") } }, "Discard"),
        ],
    },
  ];
  const paged = pages(list, {
    load: async (before) => {
      const page = await get(address, { limit: PAGE, before });
      return { rows: page.messages, next: page.next };
    },
    render: (rows, before) => grown(table("Messages, newest first", columns, rows), before),
    none: () => empty("Nothing waits", "Everything that this receiver was to be told, it took."),
  });

  async function order(what, body, question) {
    const sure = await ask(question, h("p", {}, what === "discard" ? "It is gone then." : "The receiver is called with the same ids as before, so it can tell what it took already."), [
      { label: "Not now", value: false },
      { label: "Yes", value: true, primary: true, danger: what === "discard" },
    ]);
    if (!sure) return;
    try {
      await send("POST", `${address}/${what}`, what === "resume" ? undefined : body);
      toast("Done");
      await read();
    } catch (error) {
      toast(error.message);
    }
  }

  async function read() {
    const found = (await get("api/outputs")).outputs.find((one) => one.name === about);
    if (found) {
      const [label, tone, meaning] = wordOf(RECEIVERS, found.state);
      resume.hidden = found.state !== "off" && found.state !== "failing";
      again.hidden = drop.hidden = found.dead_letters === 0;
      show(
        head,
        section(
          "Receiver",
          note(tone, label, [meaning, found.error && ` The last answer: ${found.error}.`]),
          facts([
            ["Is told of", found.events.join(", ") || "nothing"],
            ["Waiting", many(found.waiting, "message")],
            ["Dead letters", found.dead_letters > 0 && many(found.dead_letters, "message")],
            ["Put aside, as too many waited", found.crowded_out > 0 && many(found.crowded_out, "message")],
            ["Lost", found.lost > 0 && many(found.lost, "message")],
            ["Called again", found.next_attempt_at && time(found.next_attempt_at)],
          ]),
        ),
      );
    }
    await paged.first();
  }

  await read();
}
