// The plan: what another mapping or configuration would change, before anybody applies it. Shared with the button that
// reloads.

import { send } from "./api.js";
import { h, show } from "./dom.js";
import { empty, facts, link, loading, note, problem, section, table } from "./rows.js";
import { LANES, count, duration, many, pretty } from "./words.js";

const EXAMPLE = `[fields.city]
from = ["traits.town"]

[events."Demo Requested"]
lane = "new_contact"`;

function total(owed) {
  return Object.values(owed).reduce((sum, number) => sum + number, 0);
}

// In one sentence: how many calls, and how long they take.
export function inShort(plan) {
  const owed = total(plan.owed);
  if (!plan.changed && !plan.events.length) return "Nothing would change for the people who are stored.";
  const many_ = plan.exact ? many(owed, "call") : `about ${many(plan.calls, "call")}`;
  const takes = plan.seconds === null ? "; how long they take can't be told while no calls are made" : `, sent within about ${duration(plan.seconds)}`;
  const calls = owed ? `${many_} would become owed${takes}.` : "No call would become owed.";
  const dropped = plan.dropped ? ` ${many(plan.dropped, "call")} that wait now would be owed no more.` : "";
  return `${calls}${dropped}`;
}

function covers(plan) {
  if (plan.exact) return `All ${many(plan.contacts, "contact")} were looked at.`;
  return `A sample: ${count(plan.looked_at)} of ${many(plan.contacts, "contact")} were looked at in the time there is. The numbers below are of these; calls and hours are worked out for all.`;
}

function better({ attribute, appears, vanishes, changes }) {
  const is = /mobile_number|work_number|phone/.test(attribute) ? "phone" : /^(first|last)_name$/.test(attribute) ? "name" : "value";
  return [appears && `${many(appears, "contact")} get a ${is}`, vanishes && `${many(vanishes, "contact")} lose theirs`, changes && `of ${count(changes)} it differs`].filter(Boolean).join(", ");
}

function sides(sample) {
  const names = [...new Set([...Object.keys(sample.now), ...Object.keys(sample.then)])].sort();
  const value = (of) => (of === undefined ? h("span", { class: "faint" }, "—") : h("code", {}, pretty(of)));
  return h(
    "details",
    { class: "attempt", open: true },
    h("summary", {}, link(["contacts", sample.email], sample.email), sample.lane && h("span", { class: "pill wait" }, `call: ${LANES[sample.lane] ?? sample.lane}`)),
    names.length > 0 &&
      table(
        `${sample.email}, now and then`,
        [
          { name: "Attribute", cell: (name) => h("code", {}, name) },
          { name: "Now", cell: (name) => value(sample.now[name]) },
          { name: "Then", cell: (name) => value(sample.then[name]) },
        ],
        names,
        { class: "comparison" },
      ),
    sample.why.length > 0 && h("ul", { class: "plain" }, sample.why.map((why) => h("li", {}, why))),
  );
}

export function figures(plan) {
  const lanes = Object.entries(plan.owed).map(([lane, number]) => [LANES[lane] ?? lane, many(number, "call")]);
  return [
    note(total(plan.owed) || plan.changed ? "wait" : "good", inShort(plan), covers(plan)),
    plan.account && note("stop", "Another account", `Calls would go to ${plan.account}, which has nothing from here yet.`),
    lanes.length > 0 && section("Calls by lane", facts(lanes)),
    plan.attributes.length > 0 &&
      section(
        "Attributes",
        table("Attributes that would be wanted otherwise", [{ name: "Attribute", cell: ({ attribute }) => h("code", {}, attribute) }, { name: "What changes", cell: better }], plan.attributes),
      ),
    plan.events.length > 0 &&
      section(
        "Events",
        h("ul", { class: "plain" }, plan.events.map(({ event, mapped, came }) => h("li", {}, h("strong", {}, event), mapped ? " would be in the mapping." : ` would no longer make or change contacts${came ? `; ${many(came, "event")} came in the last nine days` : ""}.`))),
      ),
    plan.paths.length > 0 &&
      section(
        "Paths that nobody read before",
        h("p", {}, `What events said there was not stored, so it comes as people say it again: ${many(plan.later, "contact")} of the latest events that are kept would get something.`),
        h("ul", { class: "plain" }, plan.paths.map(({ path, events, looked_at: of }) => h("li", {}, h("code", {}, path), events ? `: in ${count(events)} of ${many(of, "event")}` : `: in none of ${many(of, "event")}. Is it spelled as the events spell it?`))),
      ),
    plan.samples.length > 0 && section(`Now and then, of ${many(plan.samples.length, "contact")}`, plan.samples.map(sides)),
  ];
}

// What is wrong with another configuration.
export function wrong(error) {
  const problems = error.problems?.map(({ key, value, expected }) => h("li", {}, h("code", {}, value ? `${key} = ${value}` : key), `: ${expected}`)) ?? [];
  return h("div", { class: "stack" }, h("p", {}, error.message), problems.length > 0 && h("ul", { class: "plain" }, problems));
}

export async function plan(place) {
  const text = h("textarea", { id: "plan-text", rows: 12, spellcheck: "false", autocomplete: "off", placeholder: EXAMPLE, "data-focus": "" });
  const result = h("div", { class: "list" });
  const look = async (given, what) => {
    show(result, loading());
    try {
      const found = await send("POST", "api/plan", given);
      show(result, h("h2", { class: "list-title" }, what), figures(found));
    } catch (error) {
      show(result, error.code === "invalid_configuration" ? note("stop", "That can't be used", wrong(error)) : problem(error, () => look(given, what)));
    }
  };
  const submit = (event) => {
    event.preventDefault();
    if (text.value.trim()) look({ mapping: text.value }, "What this mapping would change");
    else text.focus();
  };
  show(
    place,
    h("div", { class: "title" }, h("h1", {}, "Plan")),
    h("p", { class: "lead" }, "What another mapping or configuration would change for the people who are stored: who would be sent again, which attributes appear or vanish. Nothing is applied, nothing is sent."),
    h(
      "form",
      { class: "stack", on: { submit } },
      h("div", { class: "label-line" }, h("label", { for: "plan-text" }, "The whole mapping file, as it would be")),
      text,
      h(
        "div",
        { class: "actions" },
        h("button", { type: "submit", class: "primary" }, "Look at this mapping"),
        h("button", { type: "button", on: { click: () => look({}, "What the files on disk would change") } }, "Look at the files as they are now"),
      ),
    ),
    result,
  );
  show(result, empty("Nothing was looked at yet", "The files are those that the service reads. A reload applies them: it is under ", h("a", { href: "#/status" }, "Status"), ", and asks first."));
}
