// --- The queue: written down, sent, acknowledged.

// The write key is part of the name, so that another tag on this site sends its own.
const QUEUE = PREFIX + "event:" + writeKey + ":";
// Beyond this the oldest events give way.
const EVENTS_MAX = 500;
const BATCH_MAX = 100;
// What browsers still send when the page is gone, all requests together, is 64 KiB.
const BODY_CHARS_MAX = 6e4;
const SEND_AFTER_MS = 50;
const ADOPT_AFTER_MS = 1e3;
const RETRY_MAX_MS = 3e5;
// Longer than that no answer of a service is obeyed: it could be anybody's on the way.
const TOLD_MAX_MS = 36e5;
const OFFLINE_MAX_MS = 3e4;

// The name under which this page owns events.
let life = "";
let waiting = [];
let inFlight = [];
let timer = 0;
let failures = 0;
// Until when we wait by ourselves, and until when the service told us to.
let notBefore = 0;
let toldUntil = 0;
// Until when a browser is believed that says it has no network.
let offlineUntil = 0;
let release = [];

const store = (entry) => attempt(() => localStorage.setItem(entry.key, entry.text));
const forget = (entries, why) => {
  if (why && entries.length) warn(why);
  waiting = waiting.filter((entry) => !entries.includes(entry));
  for (const { key } of entries) attempt(() => localStorage.removeItem(key));
};
const put = (entry) => {
  waiting.push(entry);
  store(entry);
  forget(waiting.slice(0, Math.max(0, waiting.length - EVENTS_MAX)), "too many events wait, the oldest are given up");
  wake(SEND_AFTER_MS);
};
// Each failure puts a space before an event: so the pages that come later know of it too.
const failed = ({ text }) => text.search(/\S/);
const backoff = (tries) => Math.min(RETRY_MAX_MS, 1e3 * 2 ** tries) * (0.5 + Math.random() / 2);
// What failed goes by itself, after all that did not, and what failed most goes last: an event that something on the way
// does not let through holds up no other.
const batch = (entries) => {
  const fresh = entries.filter((entry) => !failed(entry));
  if (!fresh.length) return [...entries].sort((one, other) => failed(one) - failed(other)).slice(0, 1);
  let chars = 0;
  return fresh.slice(0, BATCH_MAX).filter(({ text }, index) => (chars += text.length) < BODY_CHARS_MAX || !index);
};
const pause = () => {
  const [next] = batch(waiting);
  return Math.max(notBefore, toldUntil, (next && next.after) || 0) - Date.now();
};
const wake = (wait) => {
  clearTimeout(timer);
  timer = setTimeout(flush, Math.max(wait, pause()));
};
const body = (entries) =>
  '{"sentAt":"' + new Date().toISOString() + '","batch":[' + entries.map(({ text }) => text) + "]}";
// Text needs no preflight. With `keepalive` who leaves the page does not end the request.
const post = (content, keepalive) =>
  fetch(endpoint, {
    method: "POST",
    headers: { "content-type": "text/plain" },
    body: content,
    keepalive,
    credentials: "omit",
    signal: attempt(() => AbortSignal.timeout(3e4)),
  });
const isOffline = () => {
  if (navigator.onLine !== false) offlineUntil = 0;
  else offlineUntil ||= Date.now() + OFFLINE_MAX_MS;
  return Date.now() < offlineUntil;
};
const flush = async () => {
  forget(waiting.filter(({ at }) => at < Date.now() - DAY_MS), "events of more than a day ago are given up");
  if (inFlight.length || !waiting.length) return;
  if (isOffline()) return wake(offlineUntil - Date.now());
  // A timer may be a moment early.
  if (pause() > 0) return wake(1);
  const entries = (inFlight = batch(waiting));
  const content = body(entries);
  let status = 0;
  let wait = 0;
  try {
    // A body that is too large to outlive the page is sent all the same.
    const answer = await post(content, !failures && new Blob([content]).size < BODY_CHARS_MAX);
    status = answer.status;
    const after = answer.headers.get("retry-after");
    if (status === 429 || status >= 500) wait = Number(after) * 1e3 || Date.parse(after) - Date.now();
    const { message, rejected } = await answer.json();
    for (const said of [{ message }, ...(rejected || [])]) said.message && warn("the service says:", said.message);
  } catch {}
  inFlight = [];
  if (status === 200 || (entries.length === 1 && (status === 400 || status === 413))) {
    // Good events are on disk, bad ones will never be good.
    forget(entries);
    failures = notBefore = 0;
  } else if (wait > 0) {
    toldUntil = Date.now() + Math.min(wait, TOLD_MAX_MS);
  } else {
    // One that had failed by itself says nothing of the others, so they need not wait as long as it does.
    const isKnown = entries.length === 1 && failed(entries[0]) > 1;
    // What another page has got hold of meanwhile is its own.
    for (const entry of entries.filter((entry) => waiting.includes(entry))) {
      // Of several nobody knows whose fault it was.
      if (entries.length === 1) entry.after = Date.now() + backoff(failed(entry));
      entry.text = " " + entry.text;
      store(entry);
    }
    notBefore = Date.now() + backoff(isKnown ? 0 : failures++);
  }
  if (waiting.length) wake(0);
};

// --- Pages: each owns what it wrote, and adopts what dead ones left.

const locks = navigator.locks;
const written = (prefix) =>
  (attempt(() => Object.keys(localStorage)) || []).filter((key) => key.startsWith(prefix));
const adopt = (owner) => {
  for (const key of written(QUEUE + owner + ":")) {
    const json = attempt(() => localStorage.getItem(key));
    const at = attempt(() => Date.parse(JSON.parse(json).timestamp));
    // Where there are no locks, only what is old is surely nobody's.
    const isFree = locks || at < Date.now() - 6e4;
    if (at && isFree && !waiting.some((entry) => entry.key === key)) waiting.push({ key, at, text: json });
  }
  waiting.sort((one, other) => one.at - other.at);
  wake(0);
};
// Owning lasts until the page is left; the browser ends it when the page dies.
const own = (owner) => {
  const mine = life;
  const held = (lock) => {
    if (!lock || mine !== life) return;
    if (owner !== life) adopt(owner);
    return new Promise((end) => release.push(end));
  };
  if (locks) locks.request(QUEUE + owner, { ifAvailable: true }, held).catch(() => {});
  else if (owner !== life) adopt(owner);
};
const adoptAll = () => {
  for (const owner of new Set(written(QUEUE).map((key) => key.slice(QUEUE.length).split(":")[0]))) {
    if (owner !== life) own(owner);
  }
};
const arrive = () => {
  life = unique();
  own(life);
  setTimeout(adoptAll, ADOPT_AFTER_MS);
};
const leave = () => {
  settle();
  const rest = batch(waiting.filter((entry) => !inFlight.includes(entry)));
  if (rest.length && Date.now() >= toldUntil) {
    const content = body(rest);
    const answered = ({ status }) => status === 200 && forget(rest);
    if ("keepalive" in Request.prototype) post(content, true).then(answered, () => {});
    else navigator.sendBeacon(endpoint, content);
  }
  // A page that is gone hears no answer, so they stay for the next page; the service knows a message it has had.
  waiting = [];
  life = "";
  for (const end of release.splice(0)) end();
};
addEventListener("pagehide", leave);
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  arrive();
  if (isOn(settings.restored)) calls.page();
});
addEventListener("visibilitychange", () => {
  if (document.visibilityState !== "hidden") return;
  settle();
  flush();
});
addEventListener("online", () => {
  // Only what the service told us still counts.
  notBefore = 0;
  for (const entry of waiting) entry.after = 0;
  flush();
  adoptAll();
});
