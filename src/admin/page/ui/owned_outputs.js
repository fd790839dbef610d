// Of the view "Settings": who else is told of what happens. Like everything about where data goes it is ordered by the owner, its
// host typed again, and in effect ten minutes later.

import { ask, h } from "./dom.js";
import { table } from "./rows.js";

const FORMATS = { standard: "Signed, for a program", slack: "Slack", teams: "Teams" };
const TAKE = [{ label: "Leave it", value: null }, { label: "Look at it", value: "ok", primary: true }];

function field(label, control, hint) {
  return [h("label", { for: control.id }, label), control, hint && h("span", { class: "faint" }, hint)];
}

async function askOutput(topics, now) {
  const name = h("input", { id: "output-name", required: true, pattern: "[a-z0-9_\\-]+", value: now?.name ?? "", disabled: Boolean(now), autocomplete: "off", spellcheck: "false", placeholder: "shop" });
  const url = h("input", { id: "output-url", type: "password", required: !now, autocomplete: "off", spellcheck: "false", placeholder: "https://…" });
  const format = h("select", { id: "output-format" }, Object.entries(FORMATS).map(([value, label]) => h("option", { value, selected: value === now?.format }, label)));
  const boxes = topics.map((topic) => [topic, h("input", { type: "checkbox", id: `topic-${topic}`, checked: now ? now.events.includes(topic) : topic === "deal.won" })]);
  const body = h(
    "div",
    { class: "stack" },
    field("Its name: small letters, digits, - and _", name),
    field("Messages are posted to", url, now ? "Empty: where they go now. Another address gets another secret." : null),
    field("Their form", format),
    h("fieldset", {}, h("legend", {}, "It is told of"), boxes.map(([topic, box]) => h("div", { class: "setting" }, h("label", { for: box.id }, topic), h("div", { class: "setting-control" }, box)))),
  );
  if (!(await ask(now ? `Change ${now.name}` : "A receiver", body, TAKE))) return null;
  return { name: name.value.trim(), url: url.value.trim(), format: format.value, events: boxes.filter(([, box]) => box.checked).map(([topic]) => topic) };
}

// The receivers; `go` takes what is wanted of one.
export function outputs(found, owns, go) {
  const lockedBy = (output) => found.locks.find(({ path }) => path[0] === "outputs" && path[1] === output.name)?.by;
  const change = async (now) => {
    const wish = await askOutput(found.topics, now);
    if (wish) await go({ output: wish });
  };
  const buttons = (output) => {
    const by = lockedBy(output);
    if (by) return h("span", { class: "faint" }, "locked: set by ", h("code", {}, by));
    return owns && [
      h("button", { type: "button", class: "small", "aria-label": `Change ${output.name}`, on: { click: () => change(output) } }, "Change…"),
      " ",
      h("button", { type: "button", class: "small danger", "aria-label": `Remove ${output.name}`, on: { click: () => go({ output: { name: output.name, remove: true } }) } }, "Remove…"),
    ];
  };
  const columns = [
    { name: "Receiver", class: "what", cell: (output) => [h("code", {}, output.name), " at ", h("code", {}, output.host ?? "no address")] },
    { name: "Form", cell: (output) => FORMATS[output.format] ?? output.format },
    { name: "Told of", class: "why", cell: (output) => output.events.join(", ") },
    { name: "Change", class: "do", cell: buttons },
  ];
  return [
    h("h3", {}, "Who else is told of what happens"),
    found.outputs.length > 0 ? table("Receivers", columns, found.outputs, { class: "mapped" }) : h("p", { class: "faint" }, "Nobody. A receiver hears of deals that are won, of contacts that were created or that unsubscribed, and more."),
    owns && h("p", {}, h("button", { type: "button", id: "add-output", on: { click: () => change(null) } }, "Add a receiver…")),
  ];
}
