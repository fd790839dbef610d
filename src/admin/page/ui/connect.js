// How to connect a sender: what to paste where, whether anything came, and what to look at where nothing did. The write
// key is typed here by whoever has it; it stays in this view and is sent nowhere.

import { get } from "./api.js";
import { h, show } from "./dom.js";
import { copyButton, empty, facts, into, link, note, section, timeAgo } from "./rows.js";
import { count, many } from "./words.js";

const MARK = "YOUR_WRITE_KEY";
const DOORS = { events: "Events with a write key", form: "Form", hook: "Webhook" };
const STRAYS = {
  events: "Requests without a write key that is known",
  form: "Forms posted to a name that no source has",
  hook: "Messages for a webhook that there is not",
};

export async function connect(place) {
  const list = h("div", { class: "list" });
  const read = () => into(list, get("api/connect"), whole, read);
  const again = h("button", { type: "button", on: { click: read } }, "Look again");
  show(place, h("div", { class: "title" }, h("h1", {}, "Connect"), h("div", { class: "tools" }, again)), list);
  await read();
}

function whole(found) {
  const { address, sources, strays } = found;
  return [
    section(
      "Address",
      h("div", { class: "copyable" }, h("code", { id: "address" }, address.url), copyButton("Copy", () => address.url, "The address")),
      address.note ? note("wait", null, address.note) : h("p", { class: "faint" }, "From ", h("code", {}, address.from), "."),
      h("p", { class: "faint" }, "Counts are of the last 24 hours, and begin anew when the service starts: ", timeAgo(found.counted_since), "."),
    ),
    sources.length === 0 &&
      empty("No source yet", "Add a section ", h("code", {}, "[sources.website]"), " with a ", h("code", {}, "write_key"), " to the configuration, and reload."),
    sources.map(source),
    strays.length > 0 && section("Of no source", h("p", {}, "Refused in the last 24 hours. If something of it is yours, its sender has another key or address than shown above."), strays.map(stray)),
  ];
}

function source(found) {
  const parts = found.doors.map((door) => way(found, door));
  return h(
    "section",
    { class: "card connected", id: `source-${found.name}` },
    h("h2", {}, found.name, " ", state(found)),
    h("p", { class: "faint" }, found.last_event_at ? ["Last event ", timeAgo(found.last_event_at), ". "] : "No event in the last 24 hours. ", found.mode === "dry_run" && "A dry run: its events make no calls."),
    parts,
  );
}

function state(found) {
  if (!found.on) return h("span", { class: "pill stop" }, "Off");
  if (found.last_event_at) return h("span", { class: "pill good" }, "Events come");
  return h("span", { class: "pill wait" }, "Nothing came yet");
}

// A way in; `key` is put into what is pasted, where it is known.
export function way(found, door, key = "") {
  const title = door.hook === null ? DOORS[door.door] : `${DOORS[door.door]} ${door.hook}`;
  const sample = { key };
  const snippets = door.paste.map((snippet) => pasted(snippet, sample));
  const needsKey = door.paste.some((snippet) => snippet.text.includes(MARK));
  const [first, ...more] = snippets;
  return h(
    "div",
    { class: "way", "data-door": door.hook ?? door.door },
    h("h3", {}, title, " ", arrived(found, door)),
    door.look_at.length > 0 && note("wait", "What to look at", h("ul", { class: "plain" }, door.look_at.map((line) => h("li", {}, line)))),
    door.arrived.refusals.length > 0 && refusals(door.arrived.refusals),
    facts(door.enter.map((fact) => [fact.what, entered(fact)])),
    needsKey && keyField(found, snippets, sample, key),
    first?.element,
    more.length > 0 && h("details", { class: "attempt" }, h("summary", {}, `curl and SDKs (${more.length})`), more.map((snippet) => snippet.element)),
  );
}

function entered(fact) {
  const value = h("code", {}, fact.value);
  return fact.copy ? h("span", { class: "copyable" }, value, copyButton("Copy", () => fact.value, fact.what)) : fact.value;
}

// How much came, with a way to what was refused.
function arrived(found, door) {
  const { accepted, refused, last_accepted_at } = door.arrived;
  const named = door.hook === null ? door.door : `hook:${door.hook}`;
  const last = last_accepted_at ? [", last ", timeAgo(last_accepted_at)] : null;
  return h(
    "span",
    { class: "faint counts" },
    `${count(accepted)} accepted`,
    last,
    " · ",
    refused > 0 ? link([["events"], { outcome: "rejected", source: found.name, door: named }], `${count(refused)} refused`) : "0 refused",
  );
}

function refusals(all) {
  const line = (refusal) => h("li", {}, `${many(refusal.count, "time")}: ${refusal.reason} `, h("span", { class: "faint" }, `(${refusal.detail ?? refusal.code})`));
  return h("ul", { class: "plain refusals" }, all.map(line));
}

// A field for the write key: nobody can copy what is not shown, and the key is shown nowhere whole.
function keyField(found, snippets, sample, key) {
  const id = `key-${found.name}`;
  const field = h("input", { id, autocomplete: "off", spellcheck: "false", placeholder: MARK, value: key });
  field.addEventListener("input", () => {
    sample.key = field.value.trim();
    for (const snippet of snippets) snippet.fill();
  });
  return h("div", { class: "field typed" }, h("label", { for: id }, "Your write key, to put it into the lines below; it stays in this tab"), field);
}

function pasted(snippet, sample) {
  const text = () => (sample.key ? snippet.text.replaceAll(MARK, () => sample.key) : snippet.text);
  const pre = h("pre", { tabindex: "0" }, text());
  const element = h(
    "figure",
    { class: "json paste" },
    h("figcaption", {}, h("span", {}, h("strong", {}, snippet.title), ` ${snippet.place}`), h("span", { class: "tools" }, copyButton("Copy", text, snippet.title))),
    pre,
  );
  return { element, fill: () => show(pre, text()) };
}

function stray(found) {
  const more = link([["events"], { outcome: "rejected", door: found.door }], `${count(found.arrived.refused)} refused`);
  return h("p", {}, STRAYS[found.door], ": ", more, found.arrived.last_refused_at && [", last ", timeAgo(found.arrived.last_refused_at)]);
}
