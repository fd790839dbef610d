// The playground: an event in, the decision and the payload out. Nothing is stored and nothing is sent.

import { send } from "./api.js";
import { h, show } from "./dom.js";
import { facts, json, leftOut, note, origin, pill, problem, section } from "./rows.js";
import { ACTIONS, OUTCOMES, pretty, subjectName, wordOf } from "./words.js";

const EXAMPLES = {
  "A lead with everything": {
    type: "track",
    event: "Lead Generated",
    userId: "user-456",
    context: {
      consent: { categoryPreferences: { marketing: true } },
      traits: { email: "sam.lee@example.com", first_name: "Sam", last_name: "Lee", phone: "+1 (415) 555-0142", company: "Globex" },
    },
    properties: { value: 0 },
  },
  "An order": {
    type: "track",
    event: "Order Completed",
    userId: "user-456",
    context: { traits: { email: "sam.lee@example.com", first_name: "Sam", last_name: "Lee", company: "Globex" } },
    properties: { order_id: "A-1001", total: "48.00", currency: "EUR" },
  },
  "An identify alone": { type: "identify", userId: "user-456", traits: { email: "sam.lee@example.com", name: "Sam Lee" } },
  "A page view of a visitor": { type: "page", anonymousId: "visitor-1", properties: { url: "https://example.com/pricing" } },
  "An event that is not mapped": { type: "track", event: "Button Clicked", userId: "user-456" },
  "A hashed email": { type: "track", event: "Signed Up", userId: "u1", properties: { email: "a".repeat(64) } },
};

// What it would do to a deal or a company.
function action({ subject, state, why, deal, company, payload }) {
  const [, tone] = wordOf(ACTIONS, state);
  const wanted = deal ?? company;
  return [
    h("h3", {}, subject.startsWith("deal:") ? "Deal: " : "Company: ", subjectName(subject), " ", pill(ACTIONS, state)),
    note(tone, null, `${why}.`),
    wanted && Object.keys(wanted).length > 0 && facts(Object.entries(wanted).map(([name, value]) => [name, h("code", {}, pretty(value))])),
    payload && json(payload, { label: "Its call would carry" }),
  ];
}

const KEPT = "freshsignal-playground";

export async function playground(place) {
  const text = h("textarea", {
    id: "playground",
    rows: 18,
    spellcheck: "false",
    autocomplete: "off",
    "data-focus": "",
    value: sessionStorage.getItem(KEPT) ?? JSON.stringify(EXAMPLES["A lead with everything"], null, 2),
  });
  const result = h("div", { class: "list", "aria-live": "polite" });
  const example = h(
    "select",
    { id: "example", "aria-label": "Example" },
    h("option", { value: "" }, "Take an example…"),
    Object.keys(EXAMPLES).map((name) => h("option", { value: name }, name)),
  );
  example.addEventListener("change", () => {
    if (!example.value) return;
    text.value = JSON.stringify(EXAMPLES[example.value], null, 2);
    example.value = "";
    decide();
  });

  async function decide() {
    sessionStorage.setItem(KEPT, text.value);
    try {
      JSON.parse(text.value);
    } catch (error) {
      show(result, note("stop", "That is not JSON yet", error.message));
      return;
    }
    try {
      const decided = await send("POST", "api/map", text.value);
      const [, tone, meaning] = wordOf(OUTCOMES, decided.outcome);
      show(
        result,
        section(
          "Decision",
          h("p", {}, pill(OUTCOMES, decided.outcome)),
          note(tone, decided.reason, meaning),
          decided.fields?.length > 0 && [
            h("h3", {}, "Which attribute came from where"),
            h("ul", { class: "plain" }, decided.fields.map((field) => h("li", {}, h("code", {}, field.attribute), " from ", origin(field.path)))),
          ],
          leftOut(decided.left_out),
          decided.notes.length > 0 && [h("h3", {}, "Notes"), h("ul", { class: "plain" }, decided.notes.map((line) => h("li", {}, line)))],
          decided.payload ? json(decided.payload, { label: "The call of the contact would carry" }) : h("p", { class: "faint" }, "It would make no call of a contact."),
          (decided.actions ?? []).map(action),
        ),
      );
    } catch (error) {
      if (error.status === 400) show(result, note("stop", "Ingest would refuse it", error.message));
      else show(result, problem(error, decide));
    }
  }

  const form = h(
    "form",
    {
      class: "stack",
      on: {
        submit: (event) => {
          event.preventDefault();
          decide();
        },
        keydown: (event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            decide();
          }
        },
      },
    },
    h("div", { class: "label-line" }, h("label", { for: "playground" }, "One event, as it would be sent to ", h("code", {}, "/ingest")), example),
    text,
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Decide"), h("span", { class: "faint" }, "or Ctrl+Enter. Nothing is stored, nothing is sent.")),
  );
  show(
    place,
    h("div", { class: "title" }, h("h1", {}, "Playground")),
    h("p", { class: "lead" }, "What would an event do, by the mapping and consent rules in use? It is judged alone: as if no person were known."),
    h("div", { class: "halves" }, form, result),
  );
  await decide();
}
