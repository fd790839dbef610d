// Dead letters: what Freshsales refused, why, and what can be done: send again, after a look at what that costs, or
// discard.

import { get, send } from "./api.js";
import { chosenIn, columnsButton } from "./columns.js";
import { csvButton } from "./csv.js";
import { ask, h, show, toast } from "./dom.js";
import { listen } from "./live.js";
import { goTo } from "./main.js";
import { empty, grown, json, named, pages, recordLink, table, time } from "./rows.js";
import { duration, many } from "./words.js";

const PAGE = 50;

export async function deadLetters(place, { params, rows: had }) {
  const list = h("div", { class: "list" });
  const chosen = new Set();
  const some = h("button", { type: "button", "data-needs": "POST /api/dead-letters/redrive", class: "primary", disabled: true, on: { click: () => redrive({ subjects: [...chosen] }) } }, "Send chosen again");
  const all = h("button", { type: "button", "data-needs": "POST /api/dead-letters/redrive", on: { click: () => redrive({ all: true }) } }, "Send all again");
  const fresh = h("button", { type: "button", hidden: true, on: { click: () => read() } }, "Show what changed");
  const submit = (event) => {
    event.preventDefault();
    goTo("dead-letters", Object.fromEntries(new FormData(event.target)));
  };
  const text = (name, label, placeholder) =>
    h("div", { class: "field" }, h("label", { for: `filter-${name}` }, label), h("input", { id: `filter-${name}`, name, value: params[name] ?? "", placeholder, autocomplete: "off", spellcheck: "false", "data-focus": name === "email" }));
  const form = h(
    "form",
    { class: "filters", role: "search", on: { submit } },
    text("email", "Email", "sam@example.com"),
    text("reason", "Reason has", "last_name"),
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Filter"), (params.email || params.reason) && h("a", { class: "button", href: "#/dead-letters" }, "Clear")),
  );
  const choose = (letter) => {
    const box = h("input", { type: "checkbox", "data-needs": "POST /api/dead-letters/redrive", "aria-label": `Choose ${named(letter)}` });
    box.addEventListener("change", () => {
      if (box.checked) chosen.add(letter.subject);
      else chosen.delete(letter.subject);
      some.disabled = chosen.size === 0;
      some.textContent = chosen.size ? `Send ${chosen.size} again` : "Send chosen again";
    });
    return box;
  };
  const columns = [
    { name: "Choose", class: "choose", stays: true, cell: choose },
    { name: "Record", class: "who", stays: true, cell: (letter) => recordLink(letter.subject, named(letter), { class: "row" }) },
    { name: "Status", class: "number", cell: (letter) => letter.status ?? "—" },
    { name: "Why it was refused", class: "why", cell: (letter) => [letter.reason, letter.payload && payload(letter)] },
    { name: "First try", class: "when", cell: (letter) => time(letter.first_attempt_at) },
    { name: "Last try", class: "when", cell: (letter) => time(letter.last_attempt_at) },
    {
      name: "",
      class: "do",
      stays: true,
      cell: (letter) => [
        h("button", { type: "button", class: "small", "data-needs": "POST /api/dead-letters/redrive", on: { click: () => redrive({ subjects: [letter.subject] }) } }, "Send again"),
        h("button", { type: "button", class: "small danger", "data-needs": "DELETE /api/dead-letters/{email}", on: { click: () => discard(letter) } }, "Discard"),
      ],
    },
  ];
  const payload = (letter) => h("details", { class: "attempt" }, h("summary", {}, "What was sent"), json(letter.payload, { label: "Payload" }));
  show(
    place,
    h("div", { class: "title" }, h("h1", {}, "Dead letters"), h("div", { class: "tools" }, columnsButton("dead-letters", columns), csvButton("dead-letters", "api/dead-letters", () => params, "dead_letters"), fresh, some, all)),
    h("p", { class: "lead" }, "Freshsales refused these. They come back by themselves when their data changes. Once the reason is gone in Freshsales or in the mapping, send them again: always with the newest data."),
    form,
    list,
  );
  const paged = pages(list, {
    rows: had,
    load: async (before, size) => {
      const page = await get("api/dead-letters", { ...params, limit: Math.max(PAGE, size), before });
      return { rows: page.dead_letters, next: page.next };
    },
    render: (rows, before) => grown(table("Dead letters", columns, rows, chosenIn("dead-letters", { class: "letters" })), before),
    none: () =>
      params.email || params.reason
        ? empty("No dead letter fits", h("a", { href: "#/dead-letters" }, "Clear the filter"), ".")
        : empty("No dead letters", "Everything that Freshsales was sent, it took. What it refuses is kept here with its reason."),
  });

  async function redrive(which) {
    try {
      const preview = await send("POST", "api/dead-letters/redrive", { ...which, preview: true });
      const sure = await ask(
        "Send again?",
        h(
          "div",
          { class: "stack" },
          h("p", {}, `That is ${many(preview.calls, "call")}`, preview.seconds === null || preview.seconds === undefined ? "; how long it takes can't be told while no calls are made." : ` and takes about ${duration(preview.seconds)}.`),
          h("p", { class: "faint" }, "Each goes with its newest data, within the allowance. What is still wrong comes back here."),
        ),
        [
          { label: "Not now", value: false },
          { label: "Send again", value: true, primary: true },
        ],
      );
      if (!sure) return;
      await send("POST", "api/dead-letters/redrive", which);
      toast(which.all ? "All of them are queued again" : `${many(which.subjects.length, "record is", "records are")} queued again`);
      await read();
    } catch (error) {
      toast(error.message);
    }
  }

  async function discard(letter) {
    const sure = await ask(
      "Discard it?",
      h("p", {}, h("strong", {}, named(letter)), " stays as Freshsales has it, or is not made. It is tried again only when its data changes."),
      [
        { label: "Keep it", value: false },
        { label: "Discard", value: true, primary: true, danger: true },
      ],
    );
    if (!sure) return;
    try {
      await send("DELETE", `api/dead-letters/${encodeURIComponent(letter.subject)}`);
      toast("Discarded");
      await read();
    } catch (error) {
      toast(error.message);
    }
  }

  async function read() {
    fresh.hidden = true;
    chosen.clear();
    some.disabled = true;
    some.textContent = "Send chosen again";
    const rows = await paged.first();
    all.disabled = rows.length === 0;
  }

  const stop = listen((name, data) => {
    if (name === "delivery" && (data.state === "dead" || data.state === "discarded")) fresh.hidden = false;
  });
  await read();
  return stop;
}
