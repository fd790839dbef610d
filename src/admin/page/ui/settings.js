// The view "Settings": what may be changed here, and what says otherwise. Changes are gathered, looked at before they are
// applied, and undone from the list of changes.

import { get, send } from "./api.js";
import { ask, h, show, toast } from "./dom.js";
import { owned } from "./owned.js";
import { figures, inShort, wrong } from "./plan.js";
import { copyButton, facts, into, link, loading, note, problem, section, table, time } from "./rows.js";
import { deals } from "./settings_follow.js";
import { hooks } from "./settings_hooks.js";
import { attributes, events } from "./settings_mapping.js";
import { many } from "./words.js";

const keyOf = (path) => JSON.stringify(path);

// A value as a person reads it.
export function said(value) {
  if (value === null || value === undefined) return h("span", { class: "faint" }, "as the file or the default says");
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value.length ? h("code", {}, value.join(", ")) : h("span", { class: "faint" }, "none");
  if (typeof value === "object" && !Array.isArray(value)) return h("code", {}, flat(value).join("; "));
  return h("code", {}, typeof value === "string" ? value || "\"\"" : JSON.stringify(value));
}

// What stands in a section, by dotted keys.
function flat(section, above = "") {
  return Object.entries(section).flatMap(([name, value]) => {
    if (value !== null && typeof value === "object" && !Array.isArray(value)) return flat(value, `${above}${name}.`);
    return `${above}${name} = ${Array.isArray(value) ? value.join(", ") : value}`;
  });
}

function at(values, path) {
  return path.reduce((value, part) => value?.[part], values);
}

// A source has no section among the defaults.
function defaultOf([section, , key]) {
  return section === "sources" ? { enabled: true, allowed_origins: ["*"], form: false, form_event: "Lead Generated" }[key] : undefined;
}

// What the controls of this view share: what is set, what is wanted, what is locked.
class Sheet {
  constructor(found, changed) {
    this.found = found;
    this.wanted = new Map();
    this.changed = changed;
  }
  value(path) {
    const wish = this.wanted.get(keyOf(path));
    return (wish ? wish.value : at(this.found.values, path)) ?? defaultOf(path);
  }
  locked(path) {
    return this.found.locks.find((lock) => keyOf(lock.path) === keyOf(path))?.by ?? null;
  }
  isOurs(path) {
    return at(this.found.managed, path) !== undefined;
  }
  want(path, value) {
    this.wanted.set(keyOf(path), { path, value });
    this.changed();
  }
  forget(path) {
    this.wanted.delete(keyOf(path));
    this.changed();
  }
  // What stands beside a control: who says it, and a way back to that.
  state(path) {
    const by = this.locked(path);
    if (by) return h("span", { class: "faint" }, "locked: set by ", h("code", {}, by));
    if (this.wanted.has(keyOf(path))) return h("span", { class: "pill wait" }, "not applied yet");
    if (!this.isOurs(path)) return null;
    return [h("span", { class: "pill calm" }, "changed here"), " ", h("button", { type: "button", class: "small", on: { click: () => this.want(path, null) } }, "Back to the default")];
  }
}

let nextId = 0;
function row(sheet, path, label, control) {
  const id = `set-${nextId++}`;
  control.id = id;
  if (sheet.locked(path)) control.disabled = true;
  return h("div", { class: "setting" }, h("label", { for: id }, label), h("div", { class: "setting-control" }, control, " ", sheet.state(path)));
}

function choice(sheet, path, label, options) {
  const now = String(sheet.value(path) ?? "");
  const names = options.some(([value]) => value === now) ? options : [[now, now], ...options];
  const select = h("select", {}, names.map(([value, name]) => h("option", { value, selected: value === now }, name)));
  select.addEventListener("change", () => sheet.want(path, select.value));
  return row(sheet, path, label, select);
}

function number(sheet, path, label) {
  const input = h("input", { type: "number", min: "0", step: "1", value: String(sheet.value(path) ?? 0) });
  input.addEventListener("change", () => input.validity.valid && input.value !== "" && sheet.want(path, Number(input.value)));
  return row(sheet, path, label, input);
}

function list(sheet, path, label, placeholder) {
  const now = sheet.value(path);
  const input = h("input", { type: "text", value: Array.isArray(now) ? now.join(", ") : (now ?? ""), placeholder, autocomplete: "off", spellcheck: "false" });
  input.addEventListener("change", () => sheet.want(path, input.value.split(",").map((one) => one.trim()).filter(Boolean)));
  return row(sheet, path, label, input);
}

function text(sheet, path, label, placeholder) {
  const input = h("input", { type: "text", value: sheet.value(path) ?? "", placeholder, autocomplete: "off", spellcheck: "false" });
  input.addEventListener("change", () => sheet.want(path, input.value.trim()));
  return row(sheet, path, label, input);
}

function yes(sheet, path, label) {
  const box = h("input", { type: "checkbox", checked: String(sheet.value(path)) === "true" });
  box.addEventListener("change", () => sheet.want(path, box.checked));
  return row(sheet, path, label, box);
}

function consent(sheet) {
  const categories = sheet.found.values.consent?.categories ?? {};
  const add = async () => {
    const name = h("input", { id: "category-name", required: true, autocomplete: "off", spellcheck: "false" });
    const codes = h("input", { id: "category-codes", required: true, autocomplete: "off", spellcheck: "false", placeholder: "C0002, analytics_storage" });
    const body = h("div", { class: "stack" }, h("label", { for: "category-name" }, "Category"), name, h("label", { for: "category-codes" }, "Codes of consent tools, with commas"), codes);
    if (!(await ask("A category", body, [{ label: "Leave it", value: null }, { label: "Add", value: "ok", primary: true }]))) return;
    sheet.want(["consent", "categories", name.value.trim()], codes.value.split(",").map((one) => one.trim()).filter(Boolean));
  };
  return section(
    "Consent",
    list(sheet, ["consent", "required"], "Categories that must be granted before anything is sent", "marketing"),
    choice(sheet, ["consent", "unknown"], "A new contact whom nobody asked", [["", "status not sent"], ["hold", "waits for an answer"], ["subscribed", "subscribed"], ["unsubscribed", "unsubscribed"]]),
    Object.keys(categories).map((name) => list(sheet, ["consent", "categories", name], `Codes that mean ${name}`, "")),
    h("p", {}, h("button", { type: "button", on: { click: add } }, "Add a category…")),
  );
}

function source(sheet, name, made, more) {
  const path = (key) => ["sources", name, key];
  const drop = (key) => {
    const others = made.filter((one) => one.source === name && one.name !== key.name).map((one) => one.name);
    sheet.want(path("write_keys"), others.length ? others : null);
  };
  const mine = made.filter((one) => one.source === name);
  const key = (one) => h("li", {}, "…", h("code", {}, one.ends_with ?? "?"), " ", h("button", { type: "button", class: "small danger", on: { click: () => drop(one) } }, "Drop this key"));
  return h(
    "div",
    { class: "setting-group" },
    h("h3", {}, name),
    yes(sheet, path("enabled"), "On"),
    list(sheet, path("allowed_origins"), "Pages that may send", "https://shop.example"),
    choice(sheet, path("trust"), "Its keys", [["", "not said: as a server's"], ["visitor", "stand in pages or apps"], ["server", "stay on a server"]]),
    choice(sheet, path("mode"), "Calls", [["", "are made"], ["dry_run", "are shown, not made"]]),
    number(sheet, path("events_per_minute_max"), "Events in a minute, at most (0: no limit)"),
    yes(sheet, path("form"), "Takes forms"),
    String(sheet.value(path("form"))) === "true" && [
      h("p", { class: "faint" }, "A form posts to ", h("code", {}, `/form/${name}`), " on the address of the service."),
      text(sheet, path("form_event"), "The event that a form is", "Lead Generated"),
      list(sheet, path("form_required"), "Fields that must be filled, beside the email", "name, phone"),
      list(sheet, path("form_redirects"), "Pages that a visitor may be sent to afterwards", "https://shop.example/thanks"),
    ],
    mine.length > 0 && [h("p", { class: "faint" }, "Keys that were made here, beside those of the file:"), h("ul", { class: "plain" }, mine.map(key)), sheet.wanted.has(keyOf(path("write_keys"))) && h("span", { class: "pill wait" }, "not applied yet")],
    h("p", {}, h("button", { type: "button", on: { click: () => more(name) } }, "Another write key…")),
  );
}

function sources(sheet, more) {
  const names = sheet.found.sources;
  const add = async () => {
    const name = h("input", { id: "source-name", required: true, pattern: "[a-z0-9_\\-]+", autocomplete: "off", spellcheck: "false", placeholder: "website" });
    const body = h("div", { class: "stack" }, h("label", { for: "source-name" }, "Its name: small letters, digits, - and _"), name);
    if (await ask("A source", body, [{ label: "Leave it", value: null }, { label: "Make its key", value: "ok", primary: true }])) await more(name.value.trim());
  };
  return section(
    "Sources",
    h("p", { class: "faint" }, "To rotate a key: make another, put it where the old one is, and drop the old one once nothing comes by it any more. Both are good until then."),
    names.map((name) => source(sheet, name, sheet.found.keys, more)),
    h("p", {}, h("button", { type: "button", on: { click: add } }, "Add a source…")),
  );
}

function allowance(sheet) {
  return section(
    "Allowance",
    choice(sheet, ["allowance", "plan"], "Plan of the account", ["free", "growth", "pro", "enterprise"].map((plan) => [plan, plan])),
    number(sheet, ["allowance", "per_hour"], "Calls in an hour (0: what the plan allows)"),
    number(sheet, ["allowance", "reserve_percent"], "Left for others, in percent"),
    number(sheet, ["delivery", "hold_seconds"], "Seconds that log-ins and refreshes wait for more changes"),
    h("p", { class: "faint" }, "The allowance is taken over at the next start."),
  );
}

function changeLine(change, undo) {
  const edit = (one) => h("li", {}, h("code", {}, one.key), ": ", said(one.before), " → ", said(one.after));
  return [
    time(change.at),
    " ",
    h("strong", {}, change.who || "no name"),
    change.undoes && ` undid change ${change.undoes}`,
    " ",
    // Where data goes is never undone like a detail.
    !change.edits.some(({ path }) => ["freshsales", "alerts", "outputs"].includes(path[0])) && h("button", { type: "button", class: "small", "aria-label": `Undo change ${change.revision}`, on: { click: () => undo(change) } }, "Undo…"),
    h("ul", { class: "plain" }, change.edits.map(edit)),
  ];
}

// What a change would make, and whether it is to be applied. Answers what was applied, or null.
async function propose(draft) {
  let looked;
  try {
    looked = await send("POST", "api/settings/preview", draft);
  } catch (error) {
    await ask("That can't be used", wrong(error), [{ label: "Close", value: null, primary: true, focus: true }]);
    return null;
  }
  const body = h(
    "div",
    { class: "stack plan-dialog" },
    h("ul", { class: "plain" }, looked.edits.map((one) => h("li", {}, h("code", {}, one.key), ": ", said(one.before), " → ", said(one.after)))),
    looked.needs_restart.length > 0 && note("wait", null, `Takes effect after a restart: ${looked.needs_restart.join(", ")}.`),
    h("p", {}, h("strong", {}, inShort(looked.plan))),
    h("details", { class: "attempt" }, h("summary", {}, "All of what would change"), figures(looked.plan)),
  );
  const sure = await ask("Apply this change?", body, [{ label: "Leave it", value: null }, { label: "Apply", value: "ok", primary: true, focus: true }]);
  if (!sure) return null;
  try {
    return await send("POST", "api/settings/apply", { preview: looked.preview });
  } catch (error) {
    await ask("Nothing was changed", wrong(error), [{ label: "Close", value: null, primary: true, focus: true }]);
    return null;
  }
}

async function keysMade(keys) {
  for (const [name, key] of Object.entries(keys)) {
    const what = name.startsWith("hooks.") ? `token of the hook ${name.slice("hooks.".length)}` : `write key of ${name}`;
    const body = h("div", { class: "stack" }, h("p", {}, `The new ${what}. It is shown this once:`), h("div", { class: "copyable" }, h("code", { id: "new-key" }, key), copyButton("Copy", () => key, "The key")));
    await ask(name.startsWith("hooks.") ? "A new token" : "A new write key", body, [{ label: "I have it", value: null, primary: true, focus: true }]);
  }
}

async function exported() {
  const found = await get("api/settings/export");
  const text = [found.configuration && "# For the configuration file:", found.configuration, found.mapping && "# For the mapping file:", found.mapping].filter(Boolean).join("\n");
  const body = h(
    "div",
    { class: "stack" },
    h("p", {}, "Paste it into the files, and undo it here, so that one place says it. What a file says wins."),
    found.keys_left_out.length > 0 && h("p", {}, `Write keys are left out: those of ${found.keys_left_out.join(", ")}.`),
    found.secrets_left_out.length > 0 && h("p", {}, `Left out too: ${found.secrets_left_out.join(", ")}. With `, h("code", {}, "admin.edit = true"), " what lies in the data folder goes on to count, secrets too."),
    h("pre", { tabindex: "0" }, text || "# Nothing was changed here"),
  );
  await ask("As TOML", body, [{ label: "Close", value: null, primary: true }]);
}

export async function settings(place) {
  const [body, waiting] = [h("div", { class: "list" }), h("div", { class: "list pending", role: "status" })];
  let sheet = null;
  let paths = null;
  let destination = null;
  show(place, h("div", { class: "title" }, h("h1", {}, "Settings"), h("div", { class: "tools" }, h("button", { type: "button", on: { click: exported } }, "As TOML"))), body, waiting);
  const apply = async (draft) => {
    const done = await propose({ revision: sheet.found.revision, ...draft });
    if (!done) return;
    toast(done.needs_restart.length ? "Applied; some of it after a restart" : "Applied");
    await keysMade(done.new_keys);
    await read();
  };
  const another = (source) => apply({ new_key: source });
  const undo = (change) => apply({ undo: change.revision });
  const drawWaiting = () => {
    const wishes = [...sheet.wanted.values()];
    const wish = (one) => h("li", {}, h("code", {}, one.path.join(".")), ": ", said(one.value), " ", h("button", { type: "button", class: "small", on: { click: () => sheet.forget(one.path) } }, "Forget"));
    show(
      waiting,
      wishes.length > 0 &&
        section(
          `${many(wishes.length, "change")} not applied yet`,
          h("ul", { class: "plain" }, wishes.map(wish)),
          h("div", { class: "actions" }, h("button", { type: "button", id: "look-at-it", class: "primary", on: { click: () => apply({ changes: wishes }) } }, "Look at what this changes"), h("button", { type: "button", on: { click: read } }, "Forget all")),
        ),
    );
  };
  const draw = () => {
    // Whoever works by keyboard stays where they were.
    const focused = document.activeElement?.id;
    nextId = 0;
    drawWaiting();
    const { changes } = sheet.found;
    show(
      body,
      attributes(sheet, paths),
      events(sheet),
      deals(sheet),
      consent(sheet),
      sources(sheet, another),
      hooks(sheet, apply),
      allowance(sheet),
      destination.place,
      section("Changes", changes.length ? h("ol", { class: "plain timeline" }, changes.map((change) => h("li", {}, changeLine(change, undo)))) : h("p", { class: "faint" }, "Nothing was changed here yet. Who ordered what else is under ", h("a", { href: "#/acts" }, "the log"), ".")),
    );
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  };
  async function read() {
    show(waiting);
    if (!sheet) show(body, loading());
    try {
      const found = await get("api/settings");
      if (!found.editable) {
        show(body, note("calm", "Settings are not changed here", `${found.message}.`, h("p", {}, "Set ", h("code", {}, "admin.edit = true"), " and restart; what is in the file stays locked here.")));
        return;
      }
      paths ??= await get("api/settings/paths").catch(() => ({ paths: [], looked_at: 0 }));
      if (destination) await destination.read();
      else destination = await owned();
      sheet = new Sheet(found, draw);
      draw();
    } catch (error) {
      show(body, problem(error, read));
    }
  }
  await read();
}
