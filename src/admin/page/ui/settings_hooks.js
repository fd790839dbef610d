// Of the view "Settings": the hooks by which other systems send, and Freshsales itself. One is made with its secret, looked at
// like any change.

import { ask, h } from "./dom.js";
import { section, table } from "./rows.js";

const KINDS = { freshsales: "Freshsales, the way back", stripe: "Stripe", calendly: "Calendly", shopify: "Shopify", woocommerce: "WooCommerce", typeform: "Typeform", standard: "Standard Webhooks" };
const KEYS = ["kind", "source", "secret", "verify"];
const TAKE = [{ label: "Leave it", value: null }, { label: "Look at it", value: "ok", primary: true }];
const at = (name, key) => ["hooks", name, key];

function field(label, control, hint) {
  return [h("label", { for: control.id }, label), control, hint && h("span", { class: "faint" }, hint)];
}

// Asks for a hook; one that is there keeps its name and kind and gets another secret.
async function askHook(sheet, now) {
  const name = h("input", { id: "hook-name", required: true, pattern: "[a-z0-9_\\-]+", value: now?.name ?? "freshsales", disabled: Boolean(now), autocomplete: "off", spellcheck: "false" });
  const kind = h("select", { id: "hook-kind", disabled: Boolean(now) }, Object.entries(KINDS).map(([value, label]) => h("option", { value, selected: value === now?.kind }, label)));
  const source = h("select", { id: "hook-source" }, sheet.found.sources.map((one) => h("option", { value: one, selected: one === now?.source }, one)));
  const secret = h("input", { id: "hook-secret", type: "password", autocomplete: "off", spellcheck: "false" });
  const signed = h("p", { class: "faint" });
  const told = () => {
    const makes = kind.value === "freshsales";
    secret.required = !makes;
    signed.textContent = makes ? "Left empty, a token is made and shown once: paste it into the workflow of Freshsales." : "Paste what the sender shows as its signing secret. It is shown nowhere afterwards.";
  };
  kind.addEventListener("change", () => {
    if (!now && Object.keys(KINDS).includes(name.value)) name.value = kind.value;
    told();
  });
  told();
  const body = h("div", { class: "stack" }, field("Who sends", kind), field("Its name: small letters, digits, - and _", name, "Messages come to /hooks/ and this name."), field("The source whose people and limits count", source), field("The secret", secret), signed);
  if (!(await ask(now ? `Another secret for ${now.name}` : "A hook", body, TAKE))) return null;
  return { name: name.value.trim(), kind: kind.value, source: source.value, secret: secret.value };
}

// The hooks, with what can be done to those that were made here; `apply` takes a draft.
export function hooks(sheet, apply) {
  const make = async (now) => {
    const wish = await askHook(sheet, now);
    if (wish) await apply({ new_hook: wish });
  };
  const remove = (hook) => apply({ changes: KEYS.filter((key) => sheet.isOurs(at(hook.name, key))).map((key) => ({ path: at(hook.name, key), value: null })) });
  const buttons = (hook) => {
    const by = sheet.locked(at(hook.name, "kind"));
    if (by) return h("span", { class: "faint" }, "locked: set by ", h("code", {}, by));
    return [
      h("button", { type: "button", class: "small", "aria-label": `Another secret for ${hook.name}`, on: { click: () => make(hook) } }, "Another secret…"),
      " ",
      h("button", { type: "button", class: "small danger", "aria-label": `Remove ${hook.name}`, on: { click: () => remove(hook) } }, "Remove…"),
    ];
  };
  const columns = [
    { name: "Hook", class: "what", cell: (hook) => h("code", {}, `/hooks/${hook.name}`) },
    { name: "Who sends", cell: (hook) => KINDS[hook.kind] ?? hook.kind },
    { name: "Source", cell: (hook) => hook.source },
    { name: "Change", class: "do", cell: buttons },
  ];
  return section(
    "Hooks",
    sheet.found.hooks.length > 0 ? table("Hooks", columns, sheet.found.hooks, { class: "mapped" }) : h("p", { class: "faint" }, "No other system sends here. A hook lets Stripe, Shopify and others send what happened, and Freshsales what people changed there."),
    h("p", { class: "faint" }, "What to paste where is under ", h("a", { href: "#/connect" }, "Connect"), ". A hook of the kind generic is defined in the configuration file."),
    sheet.found.sources.length > 0 && h("p", {}, h("button", { type: "button", id: "add-hook", on: { click: () => make(null) } }, "Add a hook…")),
  );
}
