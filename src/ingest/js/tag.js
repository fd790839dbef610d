// The JavaScript tag: turns calls on a page into events and gets them to the service, each of them once.
//
// An event is written to localStorage before it is sent and deleted when the service has acknowledged it, so it
// survives a reload, a closed tab and a lost network. Each page sends what it wrote itself. What a page leaves behind
// belongs to the next page that gets hold of its lock, and to that one alone.
//
// Written to be read, served without comments and indentation (see `tag.rs`): so a comment has a line to itself, and
// no text goes over the end of a line. Must not use anything that a Content-Security-Policy may forbid.
(() => {
  "use strict";
  const script = document.currentScript || document.querySelector("script[data-write-key]");
  if (!script || !script.src) return;
  const settings = script.dataset;
  const address = new URL(script.src);
  const writeKey = settings.writeKey || address.searchParams.get("writeKey");
  const datafly = (window[settings.global || "datafly"] ||= []);
  // The same tag twice on a page counts once.
  if (datafly.loaded) return;
  datafly.loaded = true;
  if (!writeKey) return console.error("freshsignal: the script needs data-write-key");

  // Filled in where the service has a `server.public_url`; else events go where the tag came from.
  const base = "%PUBLIC_URL%" || address.origin + address.pathname.replace(/\/[^/]*$/, "");
  const endpoint = base + "/ingest?writeKey=" + encodeURIComponent(writeKey);
  const PREFIX = "freshsignal-";
  const QUEUE = PREFIX + "event:";
  const DAY_MS = 864e5;
  // Beyond this the oldest events give way.
  const EVENTS_MAX = 500;
  const BATCH_MAX = 100;
  // What browsers still send when the page is gone, all requests together, is 64 KiB.
  const BODY_CHARS_MAX = 6e4;
  const SEND_AFTER_MS = 50;
  const ADOPT_AFTER_MS = 1e3;
  const RETRY_MAX_MS = 3e5;

  // Storage may be forbidden or full: then everything works as long as the page lives.
  const attempt = (action) => {
    try {
      return action();
    } catch {}
  };
  const hex = (byte) => (byte + 256).toString(16).slice(1);
  const unique = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), hex).join("");

  // --- What a browser remembers: a first-party cookie, and localStorage where the cookie gets lost.

  const days = Number(settings.cookieDays || 365);
  const inCookie = (name) =>
    attempt(() => decodeURIComponent(document.cookie.match("(?:^|; )" + PREFIX + name + "=([^;]+)")[1]));
  const recall = (name) =>
    inCookie(name) ||
    attempt(() => {
      const [value, until] = JSON.parse(localStorage.getItem(PREFIX + name));
      return until > Date.now() && value;
    }) ||
    "";
  const remember = (name, value) => {
    const key = PREFIX + name;
    let cookie = key + "=" + encodeURIComponent(value) + ";path=/;samesite=lax";
    if (location.protocol === "https:") cookie += ";secure";
    // Without a lifetime it is forgotten when the browser closes.
    if (days || !value) cookie += ";max-age=" + (value ? days * 86400 : 0);
    // The widest domain that the browser lets the site use, so that all its hosts see one visitor.
    const labels = location.hostname.split(".");
    for (let from = labels.length; from-- && !(value && inCookie(name) === value); )
      document.cookie = cookie + ";domain=" + labels.slice(from).join(".");
    if (inCookie(name) !== value) document.cookie = cookie;
    attempt(() => {
      if (value && days) localStorage.setItem(key, JSON.stringify([value, Date.now() + days * DAY_MS]));
      else localStorage.removeItem(key);
    });
  };
  let userId = recall("user-id");
  let anonymousId = recall("anonymous-id") || unique();
  remember("anonymous-id", anonymousId);
  if (userId) remember("user-id", userId);

  // --- Events.

  let lastTime = 0;
  // Two events of one page never have the same time, so their order is kept.
  const now = () => new Date((lastTime = Math.max(Date.now(), lastTime + 1))).toISOString();
  const present = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value));
  let referrer = document.referrer;
  const pageFields = () => ({
    path: location.pathname,
    referrer,
    search: location.search,
    title: document.title,
    url: location.href.split("#")[0],
  });
  const context = () => {
    const query = new URLSearchParams(location.search);
    const utm = (name) => query.get("utm_" + name);
    const campaign = present({
      source: utm("source"),
      medium: utm("medium"),
      name: utm("campaign"),
      term: utm("term"),
      content: utm("content"),
    });
    return {
      page: pageFields(),
      ...(Object.keys(campaign).length && { campaign }),
      locale: navigator.language,
      timezone: attempt(() => Intl.DateTimeFormat().resolvedOptions().timeZone),
      screen: { width: screen.width, height: screen.height, density: devicePixelRatio },
      library: { name: "freshsignal", version: "%VERSION%" },
      // A signal of the browser and no choice. One that was on when the visitor chose is answered by that choice.
      ...(navigator.globalPrivacyControl && !chosen.gpc && { globalPrivacyControl: true }),
    };
  };
  const emit = (type, fields, options) => {
    const event = {
      type,
      messageId: unique(),
      timestamp: now(),
      anonymousId,
      ...(userId && { userId }),
      ...fields,
      context: { ...context(), ...(options && options.context) },
    };
    put({ key: QUEUE + life + ":" + event.messageId, at: Date.now(), text: JSON.stringify(event) });
  };

  // --- The queue: written down, sent, acknowledged.

  // The name under which this page owns events.
  let life = "";
  let waiting = [];
  let inFlight = [];
  let timer = 0;
  let failures = 0;
  // Until when we wait by ourselves, and until when the service told us to.
  let notBefore = 0;
  let toldUntil = 0;
  let batchMax = BATCH_MAX;
  let release = [];

  const forget = (entries) => {
    waiting = waiting.filter((entry) => !entries.includes(entry));
    for (const { key } of entries) attempt(() => localStorage.removeItem(key));
  };
  const put = (entry) => {
    waiting.push(entry);
    attempt(() => localStorage.setItem(entry.key, entry.text));
    forget(waiting.slice(0, Math.max(0, waiting.length - EVENTS_MAX)));
    wake(SEND_AFTER_MS);
  };
  const pause = () => Math.max(notBefore, toldUntil) - Date.now();
  const wake = (wait) => {
    clearTimeout(timer);
    timer = setTimeout(flush, Math.max(wait, pause()));
  };
  const batch = (entries) => {
    let chars = 0;
    return entries.slice(0, batchMax).filter(({ text }, index) => (chars += text.length) < BODY_CHARS_MAX || !index);
  };
  const body = (entries) =>
    '{"sentAt":"' + new Date().toISOString() + '","batch":[' + entries.map(({ text }) => text) + "]}";
  // Text needs no preflight. With `keepalive` who leaves the page does not end the request.
  const post = (text, keepalive) =>
    fetch(endpoint, {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: text,
      keepalive,
      credentials: "omit",
      signal: attempt(() => AbortSignal.timeout(3e4)),
    });
  const flush = async () => {
    forget(waiting.filter(({ at }) => at < Date.now() - DAY_MS));
    // Without a network the `online` event comes back to it.
    if (inFlight.length || !waiting.length || navigator.onLine === false) return;
    // A timer may be a moment early.
    if (pause() > 0) return wake(1);
    inFlight = batch(waiting);
    const entries = inFlight;
    const text = body(entries);
    let answer;
    try {
      // A body that is too large to outlive the page is sent all the same.
      answer = await post(text, !failures && new Blob([text]).size < BODY_CHARS_MAX);
    } catch {}
    inFlight = [];
    const status = answer ? answer.status : 0;
    const unreadable = status === 400 || status === 413;
    if (status === 200 || (unreadable && entries.length === 1)) {
      // Good events are on disk, bad ones will never be good.
      forget(entries);
      failures = 0;
      if (waiting.length) wake(0);
      else batchMax = BATCH_MAX;
    } else if (unreadable) {
      // One of them spoils the rest: each by itself.
      batchMax = 1;
      wake(0);
    } else {
      const backoff = Math.min(RETRY_MAX_MS, 1e3 * 2 ** failures++);
      notBefore = Date.now() + backoff * (0.5 + Math.random() / 2);
      const seconds = Number(answer && answer.headers.get("retry-after"));
      if (seconds > 0) toldUntil = Date.now() + seconds * 1e3;
      wake(0);
    }
  };

  // --- Pages: each owns what it wrote, and adopts what dead ones left.

  const locks = navigator.locks;
  const written = (prefix) =>
    (attempt(() => Object.keys(localStorage)) || []).filter((key) => key.startsWith(prefix));
  const adopt = (of) => {
    for (const key of written(QUEUE + of + ":")) {
      const text = attempt(() => localStorage.getItem(key));
      const at = attempt(() => Date.parse(JSON.parse(text).timestamp));
      // Where there are no locks, only what is old is surely nobody's.
      const isFree = locks || at < Date.now() - 6e4;
      if (at && isFree && !waiting.some((entry) => entry.key === key)) waiting.push({ key, at, text });
    }
    waiting.sort((one, other) => one.at - other.at);
    wake(0);
  };
  // Owning lasts until the page is left; the browser ends it when the page dies.
  const own = (of) => {
    const mine = life;
    const held = (lock) => {
      if (!lock || mine !== life) return;
      if (of !== life) adopt(of);
      return new Promise((end) => release.push(end));
    };
    if (locks) locks.request(QUEUE + of, { ifAvailable: true }, held).catch(() => {});
    else if (of !== life) adopt(of);
  };
  const adoptAll = () => {
    for (const of of new Set(written(QUEUE).map((key) => key.slice(QUEUE.length).split(":")[0]))) {
      if (of !== life) own(of);
    }
  };
  const arrive = () => {
    life = unique();
    own(life);
    setTimeout(adoptAll, ADOPT_AFTER_MS);
  };
  const leave = () => {
    const rest = batch(waiting.filter((entry) => !inFlight.includes(entry)));
    if (rest.length && pause() <= 0) {
      const text = body(rest);
      const answered = ({ status }) => status === 200 && forget(rest);
      if ("keepalive" in Request.prototype) post(text, true).then(answered, () => {});
      else navigator.sendBeacon(endpoint, text);
    }
    // A page that is gone hears no answer, so they stay for the next page; the service knows a message it has had.
    waiting = [];
    life = "";
    for (const end of release.splice(0)) end();
  };
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => event.persisted && arrive());
  addEventListener("visibilitychange", () => document.visibilityState === "hidden" && flush());
  addEventListener("online", () => {
    // Only what the service told us still counts.
    notBefore = 0;
    flush();
    adoptAll();
  });

  // --- Consent.

  // What this browser said last, and whether Global Privacy Control was on then.
  const chosen = attempt(() => JSON.parse(localStorage.getItem(PREFIX + "consent"))) || {};
  const say = (categoryPreferences) => {
    chosen.said = { ...chosen.said, ...categoryPreferences };
    chosen.gpc = !!navigator.globalPrivacyControl;
    attempt(() => localStorage.setItem(PREFIX + "consent", JSON.stringify(chosen)));
    emit("identify", {}, { context: { consent: { categoryPreferences } } });
  };
  // A consent tool tells its state again and again; only what is new in it is a choice.
  const hear = (preferences) => {
    const said = chosen.said || {};
    const fresh = Object.entries(preferences).filter(([code, choice]) => said[code] !== choice);
    if (fresh.length) say(Object.fromEntries(fresh));
  };
  const tools = {
    // `gtag("consent", "update", …)`. A `default` is none of the visitor's doing.
    google() {
      const look = (entry) => {
        if (!entry || entry[0] !== "consent" || entry[1] !== "update") return;
        const isChoice = ([, value]) => value === "granted" || value === "denied";
        const choices = Object.entries(entry[2]).filter(isChoice);
        hear(Object.fromEntries(choices.map(([code, value]) => [code, value === "granted"])));
      };
      const layer = (window.dataLayer ||= []);
      const push = layer.push;
      layer.push = function (...entries) {
        entries.forEach((entry) => attempt(() => look(entry)));
        return push.apply(this, entries);
      };
      layer.forEach((entry) => attempt(() => look(entry)));
    },
    onetrust() {
      const look = () => {
        const tool = window.OneTrust;
        // Closed means that the visitor has chosen, now or on an earlier visit.
        if (!tool || !tool.IsAlertBoxClosed || !tool.IsAlertBoxClosed()) return;
        const active = window.OnetrustActiveGroups.split(",");
        const codes = tool.GetDomainData().Groups.map((group) => group.CustomGroupId);
        hear(Object.fromEntries(codes.map((code) => [code, active.includes(code)])));
      };
      addEventListener("OneTrustGroupsUpdated", () => attempt(look));
      attempt(look);
    },
    cookiebot() {
      const look = () => {
        const { hasResponse, consent } = window.Cookiebot || {};
        if (!hasResponse || consent.method === "implied") return;
        const { preferences, statistics, marketing } = consent;
        hear({ preferences, statistics, marketing });
      };
      for (const name of ["ConsentReady", "Accept", "Decline"]) {
        addEventListener("CookiebotOn" + name, () => attempt(look));
      }
      attempt(look);
    },
    tcf(tries = 20) {
      if (!window.__tcfapi) return tries && setTimeout(() => tools.tcf(tries - 1), 500);
      window.__tcfapi("addEventListener", 2, (data, success) => {
        // `cmpuishown` comes before the choice, and where the law does not apply nobody was asked.
        if (!success || !data.gdprApplies || !["tcloaded", "useractioncomplete"].includes(data.eventStatus)) return;
        const purposes = data.purpose.consents;
        const codes = Object.entries(purposes).map(([number, choice]) => ["tcf_" + number, choice]);
        // Profiles for advertising, and advertising by them.
        hear({ ...Object.fromEntries(codes), advertising: !!(purposes[3] && purposes[4]) });
      });
    },
  };

  // --- What a page calls.

  const text = (value) => (value == null || typeof value === "object" ? "" : String(value));
  const become = (id) => {
    userId = text(id);
    remember("user-id", userId);
  };
  const calls = {
    identify(id, traits, options) {
      if (id && typeof id === "object") [id, traits, options] = ["", id, traits];
      if (text(id)) become(id);
      emit("identify", { traits: traits || {} }, options);
    },
    track: (event, properties, options) => emit("track", { event, properties: properties || {} }, options),
    page(...given) {
      const names = given.filter((value) => typeof value === "string");
      const [properties, options] = given.filter((value) => value && typeof value === "object");
      const [name, category] = names.reverse();
      const named = present({ name, category });
      emit("page", { ...named, properties: { ...pageFields(), ...named, ...properties } }, options);
    },
    group: (groupId, traits, options) => emit("group", { groupId, traits: traits || {} }, options),
    alias(id, previous, options) {
      const previousId = text(previous) || userId || anonymousId;
      become(id);
      emit("alias", { previousId }, options);
    },
    // Somebody else may use the browser now.
    reset() {
      become("");
      anonymousId = unique();
      remember("anonymous-id", anonymousId);
      chosen.gpc = false;
    },
    consent: say,
    ready: (then) => then(),
  };
  const run = ([name, ...given]) => {
    try {
      calls[name](...given);
    } catch (error) {
      // A mistake of the page stays one of the page.
      console.warn("freshsignal:", name, error);
    }
  };

  // --- Page views: one at load, one when a page that is its own router goes on.

  const watchMoves = () => {
    const here = () => location.href.split("#")[0];
    let last = here();
    const moved = () =>
      // The page names itself after it moved.
      setTimeout(() => {
        if (here() === last) return;
        referrer = last;
        last = here();
        calls.page();
      });
    const { pushState } = history;
    history.pushState = function (...given) {
      pushState.apply(this, given);
      moved();
    };
    addEventListener("popstate", moved);
  };

  const start = () => {
    arrive();
    // What was called before the script had loaded, as arrays or as the arguments of a stub.
    const early = datafly.splice(0).map((call) => Array.from(call));
    for (const name in calls) datafly[name] = (...given) => run([name, ...given]);
    datafly.push = (...given) => given.forEach((call) => run(Array.from(call)));
    if (settings.autoPage !== "false") {
      if (!early.some(([name]) => name === "page")) early.unshift(["page"]);
      watchMoves();
    }
    early.forEach(run);
    const named = settings.consentTools;
    for (const tool of named === undefined ? Object.keys(tools) : named.split(" ")) attempt(() => tools[tool]());
  };
  // A page that the browser prepares in advance may never be seen.
  if (document.prerendering) document.addEventListener("prerenderingchange", start, { once: true });
  else start();
})();
