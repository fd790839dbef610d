// Where data goes, in the view "Settings": the account, its key and who is told when something is wrong. Looked at, its name
// typed again, and, but for a key, in effect ten minutes later unless somebody revokes it.

import { get, may, send } from "./api.js";
import { ask, h, show, toast } from "./dom.js";
import { outputs } from "./owned_outputs.js";
import { figures, inShort, wrong } from "./plan.js";
import { copyButton, note, section } from "./rows.js";
import { soon } from "./words.js";

function field(id, label, attributes, ...hint) {
  return h("div", { class: "setting" }, h("label", { for: id }, label), h("div", { class: "setting-control" }, h("input", { id, autocomplete: "off", spellcheck: "false", ...attributes }), hint.length > 0 && h("span", { class: "faint" }, hint)));
}
const valueOf = (id) => document.getElementById(id).value.trim();

// What it would be, and its name typed again; answers what was ordered, or null.
async function order(wish) {
  let looked;
  try {
    looked = await send("POST", "api/settings/owned", wish);
  } catch (error) {
    await ask("That can't be used", wrong(error), [{ label: "Close", value: null, primary: true, focus: true }]);
    return null;
  }
  const told = looked.findings.filter(({ level }) => level !== "fine").map(({ text }) => h("li", {}, text));
  const typed = h("input", { id: "typed-name", required: true, autocomplete: "off", spellcheck: "false" });
  const body = h(
    "div",
    { class: "stack plan-dialog" },
    h("ul", { class: "plain" }, looked.edits.map(({ key }) => h("li", {}, h("code", {}, key)))),
    looked.plan && [h("p", {}, h("strong", {}, inShort(looked.plan))), h("details", { class: "attempt" }, h("summary", {}, "All of what would change"), figures(looked.plan))],
    told.length > 0 && note("wait", "Good to know", h("ul", { class: "plain" }, told)),
    note("wait", null, looked.due ? "It takes effect in ten minutes, and can be revoked here until then. Whoever is told of alerts now is told of it." : "It is another key of the same account, so it is taken over at once."),
    h("label", { for: "typed-name" }, "Type ", h("code", {}, looked.name), " to order it"),
    typed,
  );
  if (!(await ask("Change where data goes?", body, [{ label: "Leave it", value: null }, { label: "Order it", value: "ok", primary: true, danger: true }]))) return null;
  try {
    return await send("POST", "api/settings/owned", { ...wish, name: typed.value.trim() });
  } catch (error) {
    await ask("Nothing was changed", wrong(error), [{ label: "Close", value: null, primary: true, focus: true }]);
    return null;
  }
}

// The section: whoever may edit sees what waits, and whoever owns the service changes it. What else is changed in the settings makes
// its revision old, so it is read again then.
export async function owned() {
  const place = h("div", {});
  const owns = await may("POST /api/settings/owned");
  const locked = (found, path) => found.locks.find((lock) => lock.path.join(".") === path)?.by;
  const lock = (found, path) => locked(found, path) && ["locked: set by ", h("code", {}, locked(found, path))];
  const go = async (wish) => {
    const done = await order(wish);
    if (!done) return;
    toast(done.due ? "Ordered; it waits ten minutes" : "The key is taken over");
    if (done.secret) {
      const body = h("div", { class: "stack" }, h("p", {}, "The receiver checks messages with this secret. It is shown this once:"), h("div", { class: "copyable" }, h("code", { id: "new-secret" }, done.secret), copyButton("Copy", () => done.secret, "The secret")));
      await ask("The secret of the receiver", body, [{ label: "I have it", value: null, primary: true, focus: true }]);
    }
    await read();
  };
  const revoke = async () => {
    await send("DELETE", "api/settings/owned").then(() => toast("Revoked"), (error) => toast(error.message));
    await read();
  };
  const draw = (found) => {
    const { account, alerts, pending, revision } = found;
    const form = (id, label, wish, ...fields) => h("form", { id, on: { submit: (event) => { event.preventDefault(); go({ revision, ...wish() }); } } }, fields, h("p", {}, h("button", { type: "submit" }, label)));
    const attributes = (path, more) => ({ disabled: Boolean(locked(found, path)), ...more });
    return section(
      "Where data goes",
      pending && note("stop", `Takes effect ${soon(pending.due)}`, `${pending.who || "Somebody"} ordered another ${pending.keys.join(", ")}. `, h("button", { type: "button", id: "revoke", class: "small danger", on: { click: revoke } }, "Revoke it")),
      !owns && h("p", {}, "Calls go to ", h("code", {}, account.alias), ", alerts to ", alerts.host ? h("code", {}, alerts.host) : "nobody", ". Both are changed by the role ", h("code", {}, "owner"), "."),
      owns && form(
        "owned-account",
        "Look at the account…",
        () => ({ account: { alias: valueOf("owned-alias"), api_key: valueOf("owned-key"), base_url: valueOf("owned-base") } }),
        field("owned-alias", "Account", attributes("freshsales.bundle_alias", { value: account.alias, required: true }), lock(found, "freshsales.bundle_alias")),
        field("owned-key", "Another API key", attributes("freshsales.api_key", { type: "password" }), lock(found, "freshsales.api_key") ?? "empty: the one that is there"),
        field("owned-base", "Calls go to another address", attributes("freshsales.base_url", { value: account.base_url }), lock(found, "freshsales.base_url")),
      ),
      owns && form(
        "owned-alerts",
        "Look at the alerts…",
        () => ({ alerts: { url: valueOf("owned-url"), format: document.getElementById("owned-format").value, secret: valueOf("owned-secret") } }),
        field("owned-url", "Alerts are posted to", attributes("alerts.url", { type: "password" }), lock(found, "alerts.url") ?? (alerts.host ? ["now at ", h("code", {}, alerts.host), "; empty: nobody is told"] : "now nobody is told")),
        h("div", { class: "setting" }, h("label", { for: "owned-format" }, "Their form"), h("div", { class: "setting-control" }, h("select", { id: "owned-format", disabled: Boolean(locked(found, "alerts.format")) }, [["slack", "Slack"], ["teams", "Teams"], ["json", "JSON, signed"]].map(([value, label]) => h("option", { value, selected: value === alerts.format }, label))))),
        field("owned-secret", "Secret that JSON is signed with", attributes("alerts.secret", { type: "password" }), lock(found, "alerts.secret") ?? "empty: the one that is there"),
      ),
      outputs(found, owns, (wish) => go({ revision, ...wish })),
      owns && h("p", { class: "faint" }, "The account is asked before. Another account, address or receiver waits for ten minutes; a key of the same account does not. What is entered is shown nowhere."),
    );
  };
  async function read() {
    try {
      show(place, draw(await get("api/settings/owned")));
    } catch (error) {
      show(place, section("Where data goes", note("stop", null, error.message)));
    }
  }
  await read();
  return { place, read };
}
