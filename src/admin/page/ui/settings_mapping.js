// Of the view "Settings": which attribute is read from where, and which events count. A change is a wish of the sheet.

import { ask, h } from "./dom.js";
import { section, table } from "./rows.js";
import { changeFollows, followsCell } from "./settings_follow.js";
import { LANES } from "./words.js";

const CONVERTS = ["text", "lower", "name", "first_name", "last_name", "phone", "integer", "number", "money", "money_cents", "boolean", "date", "tags", "address"];
const WHENS = { always: "always", create: "only for a new contact", empty: "only where Freshsales has none" };
const PICKS = { newest: "the newest", first: "the first" };
const EVENT_LANES = ["conversion", "login", "refresh", "backfill"];

const pathOf = (origin) => (typeof origin === "string" ? origin : origin.path);

function options(values, now) {
  return Object.entries(values).map(([value, name]) => h("option", { value, selected: value === now }, name));
}

// Asks what an attribute is read from; answers the rule, or null. What a path has beside itself stays with it.
async function rule(field, paths) {
  const name = h("input", { id: "attribute-name", required: true, value: field?.name ?? "", disabled: Boolean(field), autocomplete: "off", spellcheck: "false", placeholder: "job_title or custom_field.cf_size" });
  const from = h("textarea", { id: "attribute-from", rows: 4, required: true, spellcheck: "false", autocomplete: "off" });
  from.value = (field?.from ?? []).map(pathOf).join("\n");
  const offered = h("input", { id: "attribute-offer", list: "carried-paths", autocomplete: "off", spellcheck: "false", placeholder: "traits.…" });
  const offers = h("datalist", { id: "carried-paths" }, paths.paths.map((one) => h("option", { value: one.path }, `${one.events} of ${paths.looked_at} events, such as ${one.example}`)));
  const add = h("button", { type: "button", on: { click: () => {
    if (!offered.value.trim()) return;
    from.value = [...from.value.split("\n").filter(Boolean), offered.value.trim()].join("\n");
    offered.value = "";
    offered.focus();
  } } }, "Add this path");
  const convert = h("select", { id: "attribute-convert" }, CONVERTS.map((one) => h("option", { value: one, selected: one === (field?.convert ?? "text") }, one)));
  const when = h("select", { id: "attribute-when" }, options(WHENS, field?.when ?? "always"));
  const pick = h("select", { id: "attribute-pick" }, options(PICKS, field?.pick ?? "newest"));
  const body = h(
    "div",
    { class: "stack" },
    h("label", { for: "attribute-name" }, "Attribute of the contact"),
    name,
    h("label", { for: "attribute-from" }, "Read from these paths, one a line; the newest statement wins"),
    from,
    h("label", { for: "attribute-offer" }, `Paths that the last ${paths.looked_at} events carry`),
    h("div", { class: "setting-control" }, offered, add),
    offers,
    h("label", { for: "attribute-convert" }, "Converted as"),
    convert,
    h("label", { for: "attribute-when" }, "Sent"),
    when,
    h("label", { for: "attribute-pick" }, "Of several statements"),
    pick,
  );
  if (!(await ask(field ? `Change ${field.name}` : "Add an attribute", body, [{ label: "Leave it", value: null }, { label: "Take it", value: "ok", primary: true }]))) return null;
  const known = new Map((field?.from ?? []).map((origin) => [pathOf(origin), origin]));
  const lines = from.value.split("\n").map((line) => line.trim()).filter(Boolean);
  return [name.value.trim(), { from: lines.map((line) => known.get(line) ?? line), convert: convert.value, when: when.value, pick: pick.value }];
}

export function attributes(sheet, paths) {
  const path = (name) => ["rules", "fields", name];
  const change = async (field) => {
    const found = await rule(field, paths);
    if (found) sheet.want(path(found[0]), found[1]);
  };
  const buttons = (field) => {
    const by = sheet.locked(path(field.name));
    if (by) return h("span", { class: "faint" }, "locked: set by ", h("code", {}, by));
    return [
      h("button", { type: "button", class: "small", disabled: field.more, title: field.more ? "It has fixed values, tables or counts: change it in the mapping file" : "", "aria-label": `Change ${field.name}`, on: { click: () => change(field) } }, "Change…"),
      " ",
      field.name !== "emails" && h("button", { type: "button", class: "small danger", "aria-label": `Remove ${field.name}`, on: { click: () => sheet.want(path(field.name), { from: [] }) } }, "Remove"),
      " ",
      sheet.state(path(field.name)),
    ];
  };
  const from = (field) => {
    const wish = sheet.wanted.get(JSON.stringify(path(field.name)));
    const origins = wish?.value?.from ?? field.from;
    if (!origins.length) return h("span", { class: "faint" }, field.more ? "fixed values, tables or counts" : "nothing: it is removed");
    return origins.map((origin, nth) => [nth > 0 && ", ", h("code", {}, pathOf(origin))]);
  };
  const known = new Set(sheet.found.fields.map((field) => field.name));
  const added = [...sheet.wanted.values()].filter((one) => one.path[0] === "rules" && one.path[1] === "fields" && !known.has(one.path[2]));
  const rows = [...sheet.found.fields, ...added.map((one) => ({ name: one.path[2], more: false, ...one.value }))];
  const columns = [
    { name: "Attribute", class: "what", cell: (field) => h("code", {}, field.name) },
    { name: "Read from", class: "why", cell: from },
    { name: "Converted as", cell: (field) => field.convert },
    { name: "Change", class: "do", cell: buttons },
  ];
  return section("Attributes of a contact", table("Attributes and where they are read from", columns, rows, { class: "mapped" }), h("p", {}, h("button", { type: "button", id: "add-attribute", on: { click: () => change(null) } }, "Add an attribute…")));
}

export function events(sheet) {
  const path = (name) => ["rules", "events", name];
  const now = (event) => {
    const wish = sheet.wanted.get(JSON.stringify(path(event.name)))?.value;
    return { lane: wish?.lane ?? event.lane, send: wish?.send ?? event.send };
  };
  // What the page says of an event beside what is changed stays. A part that is taken out leaves what lies below.
  const want = (event, changed) => {
    const wish = sheet.wanted.get(JSON.stringify(path(event.name)))?.value;
    const all = { ...(wish ?? sheet.found.managed.rules?.events?.[event.name]), ...now(event), ...changed };
    sheet.want(path(event.name), Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null)));
  };
  const on = (event) => {
    const box = h("input", { type: "checkbox", id: `event-on-${event.name}`, "aria-label": `${event.name} counts`, checked: now(event).send, disabled: Boolean(sheet.locked(path(event.name))) });
    box.addEventListener("change", () => want(event, { send: box.checked }));
    return box;
  };
  const lane = (event) => {
    const lanes = EVENT_LANES.includes(now(event).lane) ? EVENT_LANES : [now(event).lane, ...EVENT_LANES];
    const select = h("select", { id: `event-lane-${event.name}`, "aria-label": `Lane of ${event.name}`, disabled: Boolean(sheet.locked(path(event.name))) }, lanes.map((one) => h("option", { value: one, selected: one === now(event).lane }, LANES[one] ?? one)));
    select.addEventListener("change", () => want(event, { lane: select.value }));
    return select;
  };
  const add = async () => {
    const name = h("input", { id: "event-name", required: true, autocomplete: "off", spellcheck: "false", placeholder: "Demo Requested" });
    const kind = h("select", { id: "event-lane" }, EVENT_LANES.map((one) => h("option", { value: one }, LANES[one] ?? one)));
    const body = h("div", { class: "stack" }, h("label", { for: "event-name" }, "Name, as it is sent"), name, h("label", { for: "event-lane" }, "Lane"), kind);
    if (await ask("Add an event", body, [{ label: "Leave it", value: null }, { label: "Take it", value: "ok", primary: true }])) sheet.want(path(name.value.trim()), { lane: kind.value, send: true });
  };
  const known = new Set(sheet.found.events.map((event) => event.name));
  const added = [...sheet.wanted.values()].filter((one) => one.path[0] === "rules" && one.path[1] === "events" && one.value && !known.has(one.path[2]));
  const columns = [
    { name: "Event", class: "what", cell: (event) => event.name },
    { name: "Makes and changes contacts", cell: on },
    { name: "Lane", cell: lane },
    { name: "What follows", class: "why", cell: (event) => followsCell(sheet, event, (one) => changeFollows(sheet, one, want)) },
    { name: "Said by", class: "do", cell: (event) => sheet.state(path(event.name)) },
  ];
  const rows = [...sheet.found.events, ...added.map((one) => ({ name: one.path[2], ...one.value }))];
  return section("Events", table("Events that count", columns, rows, { class: "mapped" }), h("p", {}, h("button", { type: "button", on: { click: add } }, "Add an event…")));
}
