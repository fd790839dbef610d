// The JavaScript tag: turns calls on a page into events and gets them to the service, each of them once.
//
// Here: where it sends to and as whom, what the browser remembers of the visitor, and what an event is. The other files
// of this folder are put behind this one, all inside one function (see `tag.rs`).
//
// Written to be read, served squeezed: so a comment has a line to itself, and no text goes over the end of a line. Must
// not use anything that a Content-Security-Policy may forbid.

// Why something is not sent is told, each reason once.
const told = new Set();
const warn = (...words) => {
  const reason = words.join(" ");
  if (!told.has(reason)) console.warn("freshsignal:", ...words);
  told.add(reason);
};
// What a page or a browser may forbid or have broken.
const attempt = (action) => {
  try {
    return action();
  } catch {}
};

// --- Where to, and as whom.

// A module has no current script; the trace of an error says what runs.
const trace = new Error().stack || "";
const script = document.currentScript || [...document.scripts].find(({ src }) => src && trace.includes(src + ":"));
const settings = script ? script.dataset : {};
const from = script ? script.src : (trace.match(/https?:[^\s)]+(?=:\d+:\d+)/) || [])[0];
if (!from) return warn("load the tag with <script src>");
const address = new URL(from);
const writeKey = settings.writeKey || address.searchParams.get("writeKey");
if (!writeKey) return warn("the script needs data-write-key");

const globalName = settings.global || "datafly";
// An element with this id has the name as well, until it is given to something else.
const datafly = Array.isArray(window[globalName]) ? window[globalName] : (window[globalName] = []);
// The same tag twice on a page counts once.
if (datafly.loaded === writeKey) return;
if (datafly.loaded) return warn("a second tag with another key needs a data-global");
datafly.loaded = writeKey;

// Filled in where the service has a `server.public_url`; else events go where the tag came from.
const base = "%PUBLIC_URL%" || address.origin + address.pathname.replace(/\/[^/]*$/, "");
const endpoint = base + "/ingest?writeKey=" + encodeURIComponent(writeKey);
const EVENT_BYTES_MAX = "%EVENT_BYTES_MAX%";
const PREFIX = "freshsignal-";
const DAY_MS = 864e5;

const hex = (byte) => (byte + 256).toString(16).slice(1);
const unique = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), hex).join("");
// An id as text; empty for what a mistake of a page makes of none.
const text = (value) =>
  typeof value === "object" || /^(undefined|null|nan|false|)$/i.test(value) ? "" : String(value);

// --- What a browser remembers: a first-party cookie, and localStorage where the cookie gets lost.

const ANONYMOUS = "anonymous-id";
const USER = "user-id";
const days = Number(settings.cookieDays || 365);
const inCookie = (name) =>
  attempt(() => decodeURIComponent(document.cookie.match("(?:^|; )" + PREFIX + name + "=([^;]+)")[1]));
const inStorage = (name) =>
  attempt(() => {
    const [value, until] = JSON.parse(localStorage.getItem(PREFIX + name));
    return until > Date.now() && value;
  });
const write = (name, value, seconds, scope) => {
  let cookie = PREFIX + name + "=" + encodeURIComponent(value) + ";path=/;samesite=lax" + scope;
  if (location.protocol === "https:") cookie += ";secure";
  // Without a lifetime it is forgotten when the browser closes.
  if (seconds || !value) cookie += ";max-age=" + (value ? seconds : 0);
  attempt(() => (document.cookie = cookie));
};
// The widest domain that the browser lets the site use, so that all its hosts see one visitor.
const widest = () => {
  const labels = location.hostname.split(".");
  for (let first = labels.length; first--; ) {
    const scope = ";domain=" + labels.slice(first).join(".");
    write("probe", "1", 9, scope);
    if (!inCookie("probe")) continue;
    write("probe", "", 0, scope);
    return scope;
  }
  return "";
};
const widestDomain = widest();

// As long as this page lives, where the browser keeps neither.
const memory = {};
let isForbidden = false;
// Where there is a cookie it is right: storage belongs to one host, and somebody may have logged out on another.
const kept = (name) => text((inCookie(ANONYMOUS) ? inCookie : inStorage)(name));
// Looked up for each event: another tab may have become somebody else since.
const recall = (name) => (isForbidden ? memory[name] || "" : kept(name));
const remember = (name, value) => {
  memory[name] = value;
  write(name, value, days * 86400, widestDomain);
  if ((inCookie(name) || "") !== value) write(name, value, days * 86400, "");
  attempt(() => {
    if (value && days) localStorage.setItem(PREFIX + name, JSON.stringify([value, Date.now() + days * DAY_MS]));
    else localStorage.removeItem(PREFIX + name);
  });
  if (value) isForbidden = kept(name) !== value;
};
const visitor = () => {
  const id = recall(ANONYMOUS) || unique();
  if (!recall(ANONYMOUS)) remember(ANONYMOUS, id);
  return id;
};
// Written anew on each visit: from then on it lasts.
for (const name of [ANONYMOUS, USER]) {
  const id = name === USER ? recall(USER) : visitor();
  if (id) remember(name, id);
}

// --- What stands in addresses and is nobody's business.

const keptNames = (settings.keepQuery || "").toLowerCase().split(" ");
// Bounded, as a long address must not keep the page busy.
const EMAIL = /[^\s/?#&=:]{1,64}(@|%40)[^\s/?#&=:]{1,255}\.[a-z]{2,63}/gi;
const SECRET = /%SECRET%/i;
const isShown = (field) =>
  keptNames.includes("*") || keptNames.includes(field.split("=")[0].toLowerCase()) || (!SECRET.test(field) && field.search(EMAIL) < 0);
const hidden = (words) => words.replace(EMAIL, "(email)");
// An address without the fields of its query and its fragment that name a secret.
const shown = (url) =>
  url.split(/(?=[?#])/).map((part) => {
    if (!/^[?#]/.test(part)) return hidden(part);
    const fields = part.slice(1).split("&").filter(isShown).join("&");
    return fields && part[0] + fields;
  }).join("");

// --- Events.

let lastTime = 0;
// Two events of one page never have the same time, so their order is kept.
const now = () => new Date((lastTime = Math.max(Date.now(), lastTime + 1))).toISOString();
const present = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value));
const isOn = (setting) => setting !== undefined && setting !== "false";
const here = () => (isOn(settings.hashRoutes) ? location.href : location.href.split("#")[0]);
let referrer = document.referrer;
const pageFields = () => ({
  path: hidden(location.pathname),
  referrer: shown(referrer),
  search: shown(location.search),
  title: hidden(document.title),
  url: shown(here()),
});
const context = () => {
  const query = new URLSearchParams(shown(location.search));
  const utm = (name) => query.get("utm_" + name);
  const campaign = { name: utm("campaign") };
  for (const name of ["source", "medium", "term", "content"]) campaign[name] = utm(name);
  return {
    page: pageFields(),
    ...(Object.values(campaign).some(Boolean) && { campaign: present(campaign) }),
    locale: navigator.language,
    timezone: attempt(() => Intl.DateTimeFormat().resolvedOptions().timeZone),
    screen: { width: screen.width, height: screen.height, density: devicePixelRatio },
    library: { name: "freshsignal", version: "%VERSION%" },
    // A signal of the browser and no choice. One that was on when the visitor chose is answered by that choice.
    ...(navigator.globalPrivacyControl && !chosen.gpc && { globalPrivacyControl: true }),
  };
};
// A value as far as it can be written down: what can't costs itself, and not what stands beside it.
const sayable = (value, above = []) => {
  if (typeof value === "bigint") return String(value);
  if (attempt(() => [JSON.stringify(value)])) return value;
  const isPlain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
  if (isPlain && above.length < 9 && !above.includes(value)) {
    const part = (key) => attempt(() => sayable(value[key], [...above, value]));
    if (Array.isArray(value)) return value.map((_, index) => part(index));
    return Object.fromEntries(Object.keys(value).map((key) => [key, part(key)]));
  }
  warn("left out: a value that is no JSON");
};
const emit = (type, fields, options) => {
  settle();
  const userId = recall(USER);
  const event = {
    type,
    messageId: unique(),
    timestamp: now(),
    anonymousId: visitor(),
    ...(userId && { userId }),
    ...fields,
    context: { ...context(), ...(options && options.context) },
  };
  const json = JSON.stringify(sayable(event));
  if (new Blob([json]).size > EVENT_BYTES_MAX) return warn("an event is too large:", fields.event || type);
  put({ key: QUEUE + life + ":" + event.messageId, at: Date.now(), text: json });
};
