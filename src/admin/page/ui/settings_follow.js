// Of the view "Settings": what follows from an event beside its contact (a deal, a note, a task, lists), and the kinds of
// deals. A change is a wish of the sheet.

import { ask, h } from "./dom.js";
import { section, table } from "./rows.js";

const HANGS = { contact: "on the contact", deal: "on the deal", company: "on the company" };
const same = (one, other) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);
const linesOf = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

// A control below its label.
function field(label, control) {
  return [h("label", { for: control.id }, label), control];
}
function words(id, value, placeholder) {
  return h("input", { id, value: value ?? "", placeholder: placeholder ?? "", autocomplete: "off", spellcheck: "false" });
}
function lines(id, value, placeholder) {
  const area = h("textarea", { id, rows: 4, placeholder: placeholder ?? "", autocomplete: "off", spellcheck: "false" });
  area.value = value ?? "";
  return area;
}
function choice(id, options, now) {
  return h("select", { id }, Object.entries(options).map(([value, name]) => h("option", { value, selected: value === now }, name)));
}
function box(id, checked, label) {
  const control = h("input", { id, type: "checkbox", checked });
  return [control, h("div", { class: "setting" }, h("label", { for: id }, label), h("div", { class: "setting-control" }, control))];
}

const PLACEHOLDERS = "In texts, {properties.plan|no plan} is what the event carries, or else the words after the bar; {person.name|email} names the person.";
const TAKE = [{ label: "Leave it", value: null }, { label: "Take it", value: "ok", primary: true }];

// What the sheet has of an event by now: what is in effect, with what is wanted over it.
function followsOf(sheet, event) {
  const wish = sheet.wanted.get(JSON.stringify(["rules", "events", event.name]))?.value;
  if (!wish) return event.follows ?? {};
  // A part of ours that the wish has no more is taken out.
  const ours = sheet.found.managed.rules?.events?.[event.name] ?? {};
  return { ...Object.fromEntries(Object.entries(event.follows ?? {}).filter(([name]) => !(name in ours))), ...wish };
}

function inWords({ deal, note, task, activity, lists }) {
  const listed = [...(lists?.add ?? []).map((name) => `on the list ${name}`), ...(lists?.remove ?? []).map((name) => `off the list ${name}`)];
  return [deal && `deal ${deal.kind}${deal.stage ? ` → ${deal.stage}` : ""}`, note && "a note", task && "a task", activity && "an activity", ...listed].filter(Boolean);
}

function dealPart(sheet, now) {
  const kinds = new Set([...sheet.found.deals.map(({ kind }) => kind), ...[...sheet.wanted.values()].filter(({ path, value }) => path[0] === "rules" && path[1] === "deals" && value).map(({ path }) => path[2])]);
  const kind = choice("follows-kind", { "": "no deal", ...Object.fromEntries([...kinds].map((one) => [one, one])) }, now?.kind ?? "");
  const stage = h("input", { id: "follows-stage", value: now?.stage ?? "", list: "stages", autocomplete: "off", spellcheck: "false", placeholder: "Won" });
  const [create, creates] = box("follows-create", now ? now.create : true, "Creates the deal if there is none");
  const body = [
    h("h3", {}, "A deal"),
    kinds.size === 0 && h("p", { class: "faint" }, "Define a kind of deal first, under Deals."),
    field("Kind", kind),
    field("Its stage then, by its name in Freshsales", stage),
    h("datalist", { id: "stages" }, sheet.found.stages.map((name) => h("option", { value: name }))),
    creates,
  ];
  const read = () => (kind.value ? { ...now, kind: kind.value, stage: stage.value.trim() || null, create: create.checked } : null);
  return [body, read];
}

function notePart(now) {
  const on = choice("follows-note-on", HANGS, now?.on ?? "contact");
  const text = lines("follows-note", now?.text, "Lead from {properties.form|the website}\nCampaign: {context.campaign.name}");
  const body = [h("h3", {}, "A note"), field("Text; without text no note is written, and a line whose placeholders are all empty is left out", text), field("Written", on)];
  const read = () => (text.value.trim() ? { ...now, on: on.value, text: linesOf(text.value).join("\n") } : null);
  return [body, read];
}

function taskPart(now) {
  const title = words("follows-task", now?.title, "Call {person.name|email}");
  const due = words("follows-due", now?.due, "2h");
  const description = lines("follows-description", now?.description, "{properties.message}");
  const body = [h("h3", {}, "A task"), field("Title; without a title no task is written", title), field("Due after the event: 30m, 2h, 3d, 1w", due), field("Description", description)];
  const read = () => (title.value.trim() ? { ...now, title: title.value.trim(), due: due.value.trim() || null, description: linesOf(description.value).join("\n") } : null);
  return [body, read];
}

function activityPart(now) {
  const title = words("follows-activity", now?.title, "Activated the trial ({properties.plan})");
  const type = words("follows-activity-type", now?.type, "Product");
  const outcome = words("follows-activity-outcome", now?.outcome, "Done");
  const owner = words("follows-activity-owner", now?.owner, "integration@acme.com");
  const text = lines("follows-activity-text", now?.text, "{properties.message}");
  const body = [
    h("h3", {}, "An activity"),
    field("Title; without a title no activity is written", title),
    field("Type, by its name in Freshsales", type),
    field("Outcome, one of its type; may be empty", outcome),
    field("Whose it is: the email of a user of Freshsales, which demands one", owner),
    field("Text", text),
  ];
  // An id that stands there stays a number.
  const same = (control, before) => (typeof before === "number" && control.value.trim() === String(before) ? before : control.value.trim());
  const read = () => (title.value.trim() ? { ...now, title: title.value.trim(), type: same(type, now?.type), outcome: same(outcome, now?.outcome), owner: same(owner, now?.owner), text: linesOf(text.value).join("\n") } : null);
  return [body, read];
}

function listPart(now) {
  const named = (id, values) => words(id, (values ?? []).join(", "), "Newsletter");
  const [add, remove] = [named("follows-add", now?.add), named("follows-remove", now?.remove)];
  const body = [h("h3", {}, "Lists"), field("Put the contact on, with commas", add), field("Take it off", remove)];
  const names = (control) => control.value.split(",").map((name) => name.trim()).filter(Boolean);
  const read = () => (names(add).length + names(remove).length > 0 ? { add: names(add), remove: names(remove) } : null);
  return [body, read];
}

// What is not said is left to what lies below; nulls are.
const said = (part) => part && Object.fromEntries(Object.entries(part).filter(([, value]) => value !== null && value !== ""));

export async function changeFollows(sheet, event, want) {
  const now = followsOf(sheet, event);
  const parts = { deal: dealPart(sheet, now.deal), note: notePart(now.note), activity: activityPart(now.activity), task: taskPart(now.task), lists: listPart(now.lists) };
  const body = h("div", { class: "stack" }, h("p", { class: "faint" }, PLACEHOLDERS), Object.values(parts).map(([shown]) => shown));
  if (!(await ask(`What follows ${event.name}`, body, TAKE))) return;
  const changed = {};
  for (const [name, [, read]] of Object.entries(parts)) {
    const part = said(read());
    if (!same(part, said(now[name]))) changed[name] = part;
  }
  if (Object.keys(changed).length > 0) want(event, changed);
}

export function followsCell(sheet, event, change) {
  const shown = inWords(followsOf(sheet, event));
  const locked = sheet.locked(["rules", "events", event.name]);
  return [
    shown.length > 0 ? shown.join(", ") : h("span", { class: "faint" }, "the contact alone"),
    " ",
    !locked && h("button", { type: "button", class: "small", "aria-label": `Change what follows ${event.name}`, on: { click: () => change(event) } }, "Change…"),
  ];
}

async function askKind(sheet, now) {
  const name = words("kind-name", now?.kind, "order");
  name.disabled = Boolean(now);
  name.required = true;
  const person = now?.key === "person";
  const each = choice("kind-each", { event: "by what stands at a path, such as the number of an order", person: "one for each person" }, person ? "person" : "event");
  const key = lines("kind-key", person || !now ? "" : now.key.join("\n"), "properties.order_id");
  const keyField = words("kind-key-field", now?.key_field, "custom_field.cf_order_id");
  const title = words("kind-title", now?.name ?? "{person.name|email} order #{key}", "");
  title.required = true;
  const pipeline = words("kind-pipeline", now?.pipeline, "the default pipeline of the account");
  const [forward, forwards] = box("kind-forward", now?.forward_only ?? true, "Its stage never goes back by an event");
  const [adopt, adopts] = box("kind-adopt", now?.adopt ?? false, "Takes over the only open deal of the contact before one is created");
  const amount = lines("kind-amount", (now?.amount ?? ["properties.total", "properties.revenue"]).join("\n"), "properties.total");
  const currency = words("kind-currency", (now?.currency ?? ["properties.currency"]).join(", "), "properties.currency");
  const body = h(
    "div",
    { class: "stack" },
    field("Name of the kind: small letters, digits, - and _", name),
    field("What tells its deals apart", each),
    field("That path; the first that says something, one a line", key),
    field("The field of Freshsales that keeps it; empty: the end of the deal's name", keyField),
    field("What a deal is called", title),
    field("Pipeline", pipeline),
    forwards,
    adopts,
    field("The amount is read from", amount),
    field("The currency is read from", currency),
    h("p", { class: "faint" }, PLACEHOLDERS),
  );
  if (!(await ask(now ? `Change ${now.kind}` : "A kind of deal", body, TAKE))) return;
  const path = ["rules", "deals", name.value.trim()];
  const fields = {};
  const from = (control) => control.value.split(/[\n,]/).map((one) => one.trim()).filter(Boolean);
  if (from(amount).length > 0) fields.amount = { from: from(amount), convert: "money" };
  if (from(currency).length > 0) fields.currency = { from: from(currency) };
  const ours = sheet.found.managed.rules?.deals?.[name.value.trim()] ?? {};
  const key_of = each.value === "person" ? "person" : linesOf(key.value);
  const rule = said({ ...ours, key: key_of, key_field: keyField.value.trim(), name: title.value.trim(), pipeline: pipeline.value.trim(), forward_only: forward.checked, adopt: adopt.checked });
  sheet.want(path, { ...rule, fields: { ...ours.fields, ...fields } });
}

// The kinds of deals, with those that are wanted.
export function deals(sheet) {
  const path = (kind) => ["rules", "deals", kind];
  const wanted = [...sheet.wanted.values()].filter((one) => one.path[0] === "rules" && one.path[1] === "deals");
  const shown = (kind) => wanted.find((one) => one.path[2] === kind.kind)?.value ?? kind;
  const known = new Set(sheet.found.deals.map(({ kind }) => kind));
  const rows = [...sheet.found.deals, ...wanted.filter((one) => one.value && !known.has(one.path[2])).map((one) => ({ kind: one.path[2], ...one.value }))];
  const told = (kind) => {
    const { key } = shown(kind);
    return key === "person" ? "one for each person" : h("code", {}, (key ?? []).join(", "));
  };
  const buttons = (kind) => {
    if (sheet.locked(path(kind.kind))) return sheet.state(path(kind.kind));
    return [h("button", { type: "button", class: "small", "aria-label": `Change ${kind.kind}`, on: { click: () => askKind(sheet, { ...kind, ...ofWish(shown(kind)) }) } }, "Change…"), " ", sheet.state(path(kind.kind))];
  };
  const columns = [
    { name: "Kind", class: "what", cell: (kind) => h("code", {}, kind.kind) },
    { name: "Told apart by", class: "why", cell: told },
    { name: "Pipeline", cell: (kind) => shown(kind).pipeline ?? "the default one" },
    { name: "Change", class: "do", cell: buttons },
  ];
  return section(
    "Deals",
    rows.length > 0 ? table("Kinds of deals", columns, rows, { class: "mapped" }) : h("p", { class: "faint" }, "No event makes a deal. Define a kind, then say under Events which event moves it where."),
    h("p", {}, h("button", { type: "button", id: "add-kind", on: { click: () => askKind(sheet, null) } }, "Add a kind of deal…")),
  );
}

// A wish in the form in which kinds are told.
function ofWish({ fields, ...rule }) {
  if (!fields) return rule;
  return { ...rule, amount: fields.amount?.from ?? [], currency: fields.currency?.from ?? [] };
}
