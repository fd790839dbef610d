// The page: which view is shown, the state in its head, and the keyboard.

import { Failure, enter, get, isSignedIn, me, signOut } from "./api.js";
import { ask, h, show } from "./dom.js";
import { listen, liveState, watch } from "./live.js";
import { problem, walk } from "./rows.js";
import { isSandbox, soon } from "./words.js";

// The script of a view is read when the view is first opened.
const VIEWS = [
  { path: "events", name: "Events", file: () => import("./events.js"), list: "events", one: "event", oneFile: () => import("./event.js") },
  { path: "contacts", name: "Contacts", file: () => import("./contacts.js"), list: "contacts", one: "contact", needs: "GET /api/contacts/{email}" },
  { path: "deals", name: "Deals", file: () => import("./deals.js"), list: "deals", one: "deal", needs: "GET /api/deals" },
  { path: "companies", name: "Companies", file: () => import("./companies.js"), list: "companies", one: "company", needs: "GET /api/companies" },
  { path: "deliveries", name: "Deliveries", file: () => import("./deliveries.js"), list: "deliveries", one: "delivery" },
  { path: "dead-letters", name: "Dead letters", file: () => import("./dead_letters.js"), list: "deadLetters" },
  { path: "playground", name: "Playground", file: () => import("./playground.js"), list: "playground", needs: "POST /api/map" },
  { path: "status", name: "Status", file: () => import("./status.js"), list: "status" },
  { path: "connect", name: "Connect", file: () => import("./connect.js"), list: "connect" },
  { path: "happenings", name: "Notes", file: () => import("./happenings.js"), list: "happenings", one: "happening", needs: "GET /api/happenings" },
  { path: "outputs", name: "Outputs", file: () => import("./outputs.js"), list: "outputs", one: "output" },
  { path: "plan", name: "Plan", file: () => import("./plan.js"), list: "plan", needs: "POST /api/plan" },
  { path: "settings", name: "Settings", file: () => import("./settings.js"), list: "settings", needs: "GET /api/settings" },
  { path: "acts", name: "Log", file: () => import("./acts.js"), list: "acts", needs: "GET /api/acts" },
  { path: "start", name: "Start", file: () => import("./start.js"), list: "start", needs: "GET /api/setup" },
  { path: "now", name: "Now", file: () => import("./now.js"), list: "now" },
];
// The first view is no. 0, so that the others keep their keys.
const HOME = VIEWS[VIEWS.length - 1];
// In the head until the service is set up.
const START = VIEWS[VIEWS.length - 2];

const main = document.getElementById("main");
let leave = null;
let view = null;
let latest = null;

// `#/events/ID?source=website` is the view, what it is about, and its parameters.
function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  const about = rest.length ? decode(rest.join("/")) : null;
  return { name: name || HOME.path, about, params: Object.fromEntries(new URLSearchParams(query ?? "")) };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// Where each list was left, by its address: how far it was scrolled, and how many rows it had.
const left = new Map();
// The list that a page of one record leads back to, with its filter.
const lists = new Map();
let shown = null;
let returning = false;
window.addEventListener("scroll", () => shown && left.set(shown, { y: window.scrollY, rows: main.querySelectorAll("tbody tr").length }), { passive: true });

async function go() {
  const { name, about, params } = route();
  // Back and forward come to a place that was here before; a link begins at the top.
  const back = returning || history.state?.visited === true;
  returning = false;
  const hash = location.hash || `#/${HOME.path}`;
  const was = back ? left.get(hash) : null;
  history.replaceState({ visited: true }, "");
  const next = VIEWS.find((view) => view.path === name) ?? HOME;
  const arrived = view !== null;
  leave?.();
  leave = null;
  view = next;
  shown = null;
  if (!about) lists.set(next.path, hash);
  for (const item of document.querySelectorAll("#nav a")) {
    const here = item.dataset.view === next.path;
    if (here) item.setAttribute("aria-current", "page");
    else item.removeAttribute("aria-current");
    if (here) item.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  showBanner();
  document.title = `${about ? `${about} · ` : ""}${next.name} · freshsignal`;
  const place = h("div", { class: `view ${next.path}` });
  show(main, place);
  if (arrived) {
    window.scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
  if (next.path !== "events" || about) watch();
  try {
    const one = about !== null && next.one;
    const script = await ((one && next.oneFile) || next.file)().catch(() => Promise.reject(new Failure(0, "unreachable", "The service does not answer, so this view can't be read.")));
    if (!place.isConnected) return;
    const open = script[one || next.list];
    const done = await open(place, { about, params, latest: () => latest, rows: was?.rows ?? 0 });
    if (!place.isConnected) {
      done?.();
      return;
    }
    leave = done ?? null;
    if (was) window.scrollTo(0, was.y);
    shown = hash;
  } catch (error) {
    if (error instanceof Failure) show(place, problem(error, go));
    else throw error;
  }
}

// Goes to a view with parameters; the same place again is read again.
export function goTo(path, params = {}) {
  const given = Object.entries(params).filter(([, value]) => value);
  const hash = `#/${path}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
  if (location.hash === hash) go();
  else location.hash = hash;
}

function showStatus(status) {
  latest = status;
  document.getElementById("out").hidden = !isSignedIn();
  const [{ word, tone, message, until }] = status.standings;
  const pill = document.getElementById("destination");
  pill.className = `pill ${tone}`;
  const text = until ? `${word} · ${soon(until)}` : word;
  if (pill.textContent !== text) pill.textContent = text;
  pill.title = until ? `${message}. Next: about ${soon(until)}` : message;
  const sandbox = document.getElementById("sandbox");
  sandbox.hidden = !isSandbox(status.account);
  sandbox.title = `Calls go to a sandbox at ${status.account}: wherever this page says Freshsales, it is that.`;
  const dead = document.querySelector('#nav a[data-view="dead-letters"]');
  const letters = status.dead_letters ?? status.ended.dead;
  show(dead, "Dead letters", letters > 0 && h("span", { class: "count" }, letters > 999 ? "999+" : letters));
}

// How Freshsales stands is not known while the service says nothing.
function forgetStatus() {
  const pill = document.getElementById("destination");
  pill.className = "pill calm";
  pill.textContent = "Not known";
  pill.title = "The service does not answer.";
}

// How it stands is told above every view in these cases: of the others a risk tells, or they are every backlog's way.
const TOLD = ["blocked", "unreachable", "paused", "throttled", "allowance_used_up", "dry_run"];

// A destination that does not work and what may be lost is news on every view; so is a page that is no longer live.
function showBanner() {
  const lines = [];
  if (liveState() === "broken") lines.push(["stop", "The service does not answer; this page shows what it was. It tries again by itself."]);
  // The first view says all of that itself, and before an account is named all of it is still to come.
  const elsewhere = view === HOME || view === START ? {} : (latest ?? {});
  for (const { state, tone, message, until } of elsewhere.standings ?? []) {
    if (!TOLD.includes(state)) continue;
    lines.push([tone, until ? `${message}. Next call about ${soon(until)}.` : `${message}.`]);
  }
  for (const risk of elsewhere.risks ?? []) lines.push(["stop", risk.message]);
  const banner = document.getElementById("banner");
  const text = lines.map(([, line]) => line).join("\n");
  if (banner.dataset.text === text) return;
  banner.dataset.text = text;
  show(banner, lines.map(([tone, line]) => h("p", { class: tone }, line)));
}

const THEMES = ["auto", "light", "dark"];
function theme(turn) {
  const now = localStorage.getItem("freshsignal-theme") ?? "auto";
  const next = turn ? THEMES[(THEMES.indexOf(now) + 1) % THEMES.length] : now;
  if (turn) localStorage.setItem("freshsignal-theme", next);
  document.documentElement.dataset.theme = next;
  document.getElementById("theme").textContent = { auto: "Auto", light: "Light", dark: "Dark" }[next] ?? "Auto";
}

function density(turn) {
  const dense = (localStorage.getItem("freshsignal-rows") === "close") !== Boolean(turn);
  localStorage.setItem("freshsignal-rows", dense ? "close" : "apart");
  document.documentElement.dataset.rows = dense ? "close" : "apart";
}

function help() {
  const keys = [
    ["j / k", "next and previous row"],
    ["Enter", "open the row"],
    ["/", "to the filter"],
    ["p", "pause and resume the live list"],
    ["0 … 9", "to a view: 0 is Now"],
    ["Esc", "back to the list, as it was"],
    ["d", "rows close together or apart"],
    ["c", "which columns the list shows"],
    ["?", "this help"],
  ];
  const list = h("dl", { class: "facts keys" }, keys.map(([key, does]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, does)]));
  ask("Keyboard", list, [{ label: "Close", value: null, primary: true }]);
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = event.target.closest?.("input, textarea, select");
  if (event.key === "Escape") {
    if (typing) typing.blur();
    else if (route().about !== null) {
      returning = true;
      location.hash = lists.get(view.path) ?? `#/${view.path}`;
    }
    return;
  }
  if (typing) return;
  const number = Number(event.key);
  if (event.key === "j" || event.key === "k") walk(event.key === "j" ? 1 : -1);
  else if (event.key === "/") document.querySelector("[data-focus]")?.focus();
  else if (event.key === "p") document.querySelector("[data-pause]")?.click();
  else if (event.key === "c") document.querySelector("[data-columns]")?.click();
  else if (event.key === "?") help();
  else if (event.key === "d") density(true);
  else if (event.key === "0") goTo(HOME.path);
  else if (number >= 1 && number <= VIEWS.length) goTo(VIEWS[number - 1].path);
  else return;
  event.preventDefault();
}

show(
  document.getElementById("nav"),
  [START, HOME, ...VIEWS.filter((view) => view !== HOME && view !== START)].map(({ path, name }) => h("a", { href: `#/${path}`, "data-view": path, hidden: path === START.path }, name)),
);
theme(false);
density(false);
document.getElementById("theme").addEventListener("click", () => theme(true));
document.getElementById("help").addEventListener("click", help);
document.getElementById("out").addEventListener("click", signOut);
document.addEventListener("keydown", pressed);
window.addEventListener("hashchange", go);
listen((name, data) => {
  if (name === "status") showStatus(data);
  if (name === "live" && data === "broken") forgetStatus();
  if (name === "status" || name === "live") showBanner();
  // The service is back: what could not be read is read again.
  if (name === "live" && data === "live" && main.querySelector(".problem")) go();
});
// Nor are orders that it may not give: `data-needs` names the route of one, `data-lacks` stands in its place.
const allowed = new CSSStyleSheet();
document.adoptedStyleSheets.push(allowed);
function offer(may) {
  const named = (attribute) => may.map((route) => `[${attribute}="${route}"]`);
  const needed = `[data-needs]:not(${named("data-needs").join(", ")}) { display: none !important; }`;
  const instead = `[data-lacks]:is(${named("data-lacks").join(", ")}) { display: none; }`;
  allowed.replaceSync(needed + instead);
}
// Views that this token may not see are not offered.
function showMe({ name, role, may }) {
  offer(may);
  for (const { path, needs } of VIEWS) document.querySelector(`#nav a[data-view="${path}"]`).hidden = Boolean(needs) && !may.includes(needs);
  const who = document.getElementById("who");
  who.hidden = !name;
  show(who, name, h("span", { class: "faint" }, ` ${role}`));
}
// Whoever sets the service up begins there, and finds it in the head until it is done.
async function showStart({ may }) {
  const item = document.querySelector('#nav a[data-view="start"]');
  item.hidden = true;
  if (!may.includes("GET /api/setup")) return;
  const { first_start, finished } = await get("api/setup");
  item.hidden = !first_start || finished;
  if (!item.hidden && !location.hash) goTo("start");
}
const code = /^#\/start\/([\w-]{20,})$/.exec(location.hash)?.[1];
if (code) {
  // Nobody reads it over a shoulder or in the history.
  history.replaceState(null, "", "#/start");
  await enter(code);
}
get("api/status").then(showStatus, () => {});
me().then((who) => {
  showMe(who);
  return showStart(who);
}).catch(() => {});
go();
