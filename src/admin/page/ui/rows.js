// What several views share: pills, lists that the keyboard walks, pages, empty and error states, JSON with a copy
// button, and the table that compares what is wanted with what Freshsales has.

import { append, h, show, toast } from "./dom.js";
import { ACTIONS, OUTCOMES, ago, became, clock, full, pretty, subjectName, wordOf } from "./words.js";

export function pill(table, word) {
  const [label, tone, meaning] = wordOf(table, word);
  return h("span", { class: `pill ${tone}`, title: meaning }, label);
}

// What became of an event: its outcome and, where it led to a delivery, what became of that.
export function outcome(event, pills = actionPills(event)) {
  const then = became(event);
  if (!then) return [pill(OUTCOMES, event.outcome), pills];
  const [label, , meaning] = wordOf(OUTCOMES, event.outcome);
  const [word, tone, sentence] = then;
  return [h("span", { class: "then", title: meaning }, label, " →"), " ", h("span", { class: `pill ${tone}`, title: sentence }, word), pills];
}

// What it did to deals and companies: the outcome is that of the contact alone.
function actionPills({ actions }) {
  return (actions ?? []).map(({ subject, state, why }) => {
    // What waited then may have gone since.
    const [label, tone] = state === "held" ? ["was on hold", "calm"] : wordOf(ACTIONS, state);
    return [" ", h("span", { class: `pill ${tone}`, title: `${subjectName(subject)}: ${why}` }, `${subject.split(":")[0]}: ${label.toLowerCase()}`)];
  });
}

// Why: what stopped or delayed the delivery, where something did; else the reason of the outcome.
export function whyOf(event) {
  const then = became(event);
  return (then && event.delivery?.reason) || event.reason;
}

// Whether a role is shown this without whom it is of.
export function isMasked(text) {
  return Boolean(text?.includes("•"));
}

export function time(moment) {
  return moment ? h("time", { datetime: moment, title: full(moment) }, clock(moment)) : h("span", { class: "faint" }, "—");
}

export function timeAgo(moment) {
  return h("time", { datetime: moment, title: full(moment) }, ago(moment));
}

export function link(parts, text, attributes) {
  const [path, params] = Array.isArray(parts[0]) ? parts : [parts, null];
  const query = params && Object.keys(params).length ? `?${new URLSearchParams(params)}` : "";
  return h("a", { href: `#/${path.map(encodeURIComponent).join("/")}${query}`, ...attributes }, text);
}

export function isContact(record) {
  return record.subject.startsWith("contact:");
}

// What a delivery or a dead letter is about: a contact by its address, any other record by its kind and key.
export function named(record) {
  return isContact(record) ? record.email : subjectName(record.subject);
}

// Where a record has a page of its own: what stands after `#/`, and its parameters.
export function placeOf(subject) {
  // Whom is masked.
  if (isMasked(subject)) return null;
  const [, kind, key] = /^(contact|company|deal|happening|list):(.*)$/s.exec(subject ?? "") ?? [];
  if (kind === "happening") return ["happenings", key];
  // A place on a list is seen on the page of its contact.
  if (kind === "list") return key.includes(":") ? ["contacts", key.slice(key.lastIndexOf(":") + 1)] : null;
  if (kind === "contact") return ["contacts", key];
  if (kind === "company") return ["companies", key];
  const [, people, of, number] = /^([^/]*)\/([^/]*)\/(.*)$/s.exec(kind ? key : "") ?? [];
  if (!of) return null;
  return [["deals", of, number], people === "default" ? {} : { people }];
}

export function recordLink(subject, text = subjectName(subject), attributes) {
  const place = placeOf(subject);
  return place ? link(place, text, attributes) : text;
}

export function contactLink(email) {
  // A masked address leads nowhere.
  if (isMasked(email)) return email;
  return email ? link(["contacts", email], email) : null;
}

export function note(tone, title, ...body) {
  return h("div", { class: `note ${tone}` }, title && h("strong", {}, title), h("div", {}, body));
}

// Nothing is here: why that may be, and what to do next.
export function empty(title, ...next) {
  return h("div", { class: "empty" }, h("h2", {}, title), h("p", {}, next));
}

// What went wrong, in the service's own sentence, and a way to try again.
export function problem(error, again) {
  return h(
    "div",
    { class: "problem", role: "alert" },
    h("h2", {}, error.status === 404 ? "Not found" : error.code === "role_too_low" ? "Not for your role" : "This could not be read"),
    h("p", {}, error.message),
    error.status === 401
      ? h("p", {}, h("button", { type: "button", on: { click: () => location.reload() } }, "Enter the token"))
      : again && h("p", {}, h("button", { type: "button", on: { click: again } }, "Try again")),
  );
}

export function loading() {
  return h("p", { class: "loading", role: "status" }, "Reading…");
}

// Shows what a promise brings, or why it failed. Answers what it brought, or null.
export async function into(place, promise, render, again) {
  show(place, loading());
  try {
    const found = await promise;
    show(place, render(found));
    return found;
  } catch (error) {
    if (error.name === "AbortError") return null;
    show(place, problem(error, again));
    return null;
  }
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    toast("The browser does not allow copying here; select the text instead.");
  }
}

export function copyButton(label, text, what = label) {
  return h("button", { type: "button", class: "small", on: { click: () => copy(text(), what) } }, label);
}

export function json(value, { label = "JSON", actions = [] } = {}) {
  const text = pretty(value);
  return h(
    "figure",
    { class: "json" },
    h("figcaption", {}, h("span", {}, label), h("span", { class: "tools" }, actions, copyButton("Copy", () => text, label))),
    h("pre", { tabindex: "0" }, text),
  );
}

export function section(title, ...body) {
  return h("section", { class: "card" }, h("h2", {}, title), body);
}

export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false);
  return h("dl", { class: "facts" }, shown.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

// A list: columns with a name and a cell for each row; the first link of a row is what the keyboard goes to.
export function table(caption, columns, rows, attributes = {}, ofRow = () => null) {
  const head = h("tr", {}, columns.map((column) => h("th", { scope: "col", "data-name": column.name, class: column.class }, column.name)));
  const body = h("tbody", {}, rows.map((row) => tableRow(columns, row, ofRow(row))));
  return h("div", { class: "scroll" }, h("table", attributes, h("caption", { class: "hidden" }, caption), h("thead", {}, head), body));
}

export function tableRow(columns, row, attributes) {
  const cell = (column) => h("td", { "data-name": column.name, class: column.class }, column.cell(row));
  return h("tr", attributes, columns.map(cell));
}

// Moves the focus from row to row.
export function walk(direction) {
  const links = [...document.querySelectorAll("main tbody tr:not([hidden]) .row")];
  if (!links.length) return;
  const now = links.indexOf(document.activeElement?.closest("tr")?.querySelector(".row"));
  const next = links[Math.max(0, Math.min(links.length - 1, now < 0 ? 0 : now + direction))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

// The table of a page, or the one of the pages before with its rows at the end.
export function grown(made, before) {
  if (!before) return made;
  before.querySelector("tbody").append(...made.querySelectorAll("tbody tr"));
  return before;
}

// A list read page by page. `load(before, size)` answers `{rows, next}`; `size` is how many rows it had when it was left.
// Older rows are read when the end comes into sight; beyond ROWS_KEPT a press is needed, so that it does not grow by itself.
const ROWS_KEPT = 1000;
export const SIZE_MAX = 500;

export function pages(place, { load, render, none, more = "Older", rows: had = 0 }) {
  const state = { next: null, body: null, reading: false };
  const sight = new IntersectionObserver((seen) => {
    const few = (state.body?.querySelectorAll("tbody tr").length ?? 0) < ROWS_KEPT;
    if (seen.some((one) => one.isIntersecting) && state.next && few && !state.reading && window.scrollY > 0) page();
  });
  const foot = h("div", { class: "foot" });
  const button = h("button", { type: "button", on: { click: () => page() } }, more);
  sight.observe(foot);
  async function page() {
    if (state.reading) return;
    state.reading = true;
    button.disabled = true;
    try {
      const { rows, next } = await load(state.next, 0);
      state.next = next;
      const body = render(rows, state.body);
      state.body = body;
      if (!place.isConnected) return;
      if (!rows.length && !place.querySelector("tbody tr")) show(place, none());
      show(foot, next ? button : rows.length > 0 && h("span", { class: "faint" }, "That is all."));
    } catch (error) {
      if (error.name !== "AbortError") show(foot, problem(error, () => page()));
    }
    state.reading = false;
    button.disabled = false;
  }
  async function first() {
    state.next = null;
    state.body = null;
    show(place, loading());
    try {
      const { rows, next } = await load(null, Math.min(SIZE_MAX, had));
      state.next = next;
      if (!rows.length) {
        show(place, none());
        return rows;
      }
      show(place);
      state.body = render(rows, null);
      append(place, [state.body, foot]);
      show(foot, next && button);
      return rows;
    } catch (error) {
      if (error.name !== "AbortError") show(place, problem(error, () => first()));
      return [];
    }
  }
  return { first };
}

// Where a value was read, in words where it is no path of an event.
export function origin(path) {
  if (path === "const") return "a fixed value of the mapping";
  if (path === "mapping.missing_names") return ["its address, by ", h("code", {}, path)];
  return h("code", {}, path);
}

function sentWhen(when) {
  const words = { create: "for a new contact alone", empty: "where Freshsales has none" }[when];
  return words ? h("span", { class: "faint" }, ` (${words})`) : null;
}

// What was left out: a value that the mapping could not use, or one that Freshsales refused.
// How a contact stands with the lists that events put it on or take it off.
export function listsOf(all) {
  if (!all?.length) return null;
  const words = { accepted: "so in Freshsales", in_flight: "call on its way", waiting: "queued", refused: "refused", held: "waits" };
  const one = ({ list, wanted, state, why, said_at, delivery_id }) =>
    h("li", {}, wanted ? "on " : "off ", h("code", {}, list), `: ${words[state] ?? state} (${why}); said `, time(said_at), delivery_id && [" ", link(["deliveries", delivery_id], "its delivery")]);
  return [h("h3", {}, "Lists"), h("ul", { class: "plain" }, all.map(one))];
}

export function leftOut(all) {
  if (!all?.length) return null;
  const one = ({ attribute, path, why }) => h("li", {}, h("code", {}, attribute), path && [" from ", h("code", {}, path)], `: ${why}`);
  return [h("h3", {}, "Left out"), h("ul", { class: "plain" }, all.map(one))];
}

function value(attribute) {
  return attribute === undefined ? h("span", { class: "faint" }, "—") : h("code", {}, pretty(attribute));
}

const SPEAKERS = { person: "the person", freshsales: "somebody in Freshsales", mapping: "the mapping" };

// Wanted beside accepted; where they differ it is said in a word too, not by colour alone.
export function comparison(contact, said = () => null) {
  const { wanted, accepted, heard = {}, last_said: lastSaid } = contact;
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(accepted ?? {}), ...Object.keys(heard)])];
  const sources = new Map();
  for (const field of contact.fields ?? []) {
    sources.set(field.attribute, [...(sources.get(field.attribute) ?? []), field]);
  }
  const differs = (name) => name in wanted && JSON.stringify(wanted[name]) !== JSON.stringify(accepted?.[name]);
  const columns = [
    { name: "Attribute", cell: (name) => h("code", {}, name) },
    { name: "Wanted", cell: (name) => value(wanted[name]) },
    {
      name: "Freshsales has",
      cell: (name) => [value((heard[name] ?? { value: accepted?.[name] }).value), differs(name) && h("span", { class: "pill wait" }, name in (accepted ?? {}) ? "differs" : "missing")],
    },
    lastSaid && {
      name: "Said last by",
      cell: (name) => lastSaid[name] && [SPEAKERS[lastSaid[name].by], lastSaid[name].at && [", ", time(lastSaid[name].at)]],
    },
    contact.fields && {
      name: "Read from",
      cell: (name) => {
        const fields = sources.get(name) ?? [];
        if (name === "subscription_status") return h("span", { class: "faint" }, contact.consent ?? "what people said about consent");
        return fields.map((field, nth) => [nth > 0 && ", ", origin(field.path), sentWhen(field.when), " ", said(field)]);
      },
    },
  ].filter(Boolean);
  const body = table("Wanted beside accepted", columns, names.sort(), { class: "comparison" });
  for (const row of body.querySelectorAll("tbody tr")) {
    row.classList.toggle("differs", differs(row.querySelector("code").textContent));
  }
  return body;
}
