// The view "Now": is anything wrong, may calls leave and when, who waits, what came today and what became of it, and what
// changed meanwhile. It is read again by itself.

import { get } from "./api.js";
import { h, show } from "./dom.js";
import { listen } from "./live.js";
import { empty, link, note, outcome as outcomePills, problem, section, table, time, timeAgo } from "./rows.js";
import { drawing, meter, tile } from "./tiles.js";
import { CHANGES, OUTCOMES, SAID, STATES, clock, count, duration, many, soon, wordOf } from "./words.js";

const READ_EVERY_MS = 30000;

// Why nothing of these events reaches Freshsales, and what to do about it.
const TODO = {
  no_email: "Nobody has said the email of these people yet. Send identify with an email where the page knows it; one that comes in time still creates the contact.",
  invalid_email: "What stands where the email belongs is no address. Look at the form or the field of the page.",
  hashed_email: "A hash came in place of the address. Freshsales needs the address itself: send it unhashed to this service.",
  consent_denied: "A category of consent.required is not granted, so nothing is sent. Is the banner heard? See consent below.",
  not_mapped: "No rule of the mapping names these events. Name them there if they are to make or change contacts.",
  switched_off: "Their sender switched this destination off (integrations).",
  excluded: "Their addresses are excluded: filters.exclude_emails, or by hand.",
  failed: "A defect: they are kept, and can be tried again from their page. Please report it.",
};

function standing({ standings, risks }) {
  const [worst] = standings;
  const calm = worst.state === "running" && standings.length === 1 && risks.length === 0;
  if (calm) return note("good", "Nothing is wrong", "Events are taken, and calls are made as the allowance permits.");
  return [
    standings.map(({ word, tone, message, until }) => note(tone, word, `${message}.`, until && h("p", {}, `Next call about ${soon(until)}.`))),
    risks.map(({ message }) => note("stop", "Look at this", `${message.charAt(0).toUpperCase()}${message.slice(1)}.`)),
  ];
}

function tiles({ at, standings, calls, leads, deliveries, dead_letters: letters }) {
  const ended = (state) => deliveries.find((one) => one.state === state) ?? { today: 0, yesterday: 0, last_week: 0 };
  const [{ state }] = standings;
  const sends = state === "running" || state === "lane_shut" || state === "processing_behind";
  const leaves = sends ? "Yes" : state === "dry_run" ? "No" : calls.next_at && new Date(calls.next_at) > new Date(at) ? `About ${soon(calls.next_at)}` : "No";
  const why = { dry_run: "a dry run: nothing is sent", paused: "until somebody resumes" }[state] ?? (sends ? "as the allowance permits" : calls.next_at ? "the next call" : "nobody knows when");
  const gone = calls.owed === 0 ? "Nothing waits" : calls.gone_at ? soon(calls.gone_at) : "Not while this lasts";
  const delivered = ended("delivered");
  return h(
    "div",
    { class: "tiles" },
    tile("May calls leave?", leaves, why),
    tile("Backlog gone", gone, calls.owed ? `${many(calls.owed, "record")} waiting` : "everything is sent"),
    tile("Leads waiting", count(leads.waiting), leads.waiting ? ["the oldest ", timeAgo(leads.since), leads.next_at && new Date(leads.next_at) > new Date(at) && `, next about ${soon(leads.next_at)}`] : "new contacts and orders"),
    tile("Delivered today", count(delivered.today), `${count(delivered.yesterday)} by this time yesterday`),
    tile("Refused, kept", h("a", { href: "#/dead-letters" }, count(letters)), `${count(ended("dead").today)} refused today`),
  );
}

function allowance({ calls: { allowance } }) {
  return section("Allowance", meter("This hour", allowance.hour.used, allowance.hour.limit, "calls"), meter("This minute", allowance.minute.used, allowance.minute.limit, "calls"));
}

// Events summed up by something, most of today first.
function summed(events, by) {
  const sums = new Map();
  for (const event of events) {
    const key = by(event);
    const sum = sums.get(key) ?? { key, today: 0, yesterday: 0, last_week: 0 };
    for (const day of ["today", "yesterday", "last_week"]) sum[day] += event[day];
    sums.set(key, sum);
  }
  return [...sums.values()].sort((one, other) => other.today - one.today || other.yesterday - one.yesterday);
}

function days(caption, name, rows, cell) {
  const number = (title, day) => ({ name: title, class: "number", cell: (row) => (row[day] ? count(row[day]) : h("span", { class: "faint" }, "0")) });
  return table(caption, [{ name, cell }, number("Today", "today"), number("Yesterday", "yesterday"), number("A week ago", "last_week")], rows, { class: "days" });
}

function came({ events, day }) {
  if (!events.length) return section("Today", h("p", {}, "No event came today, yesterday or a week ago. What to paste where is under ", h("a", { href: "#/connect" }, "Connect"), "."));
  const since = (filter) => ({ ...filter, since: new Date(day).toISOString() });
  const ofOutcome = ({ key }) => link([["events"], since({ outcome: key })], wordOf(OUTCOMES, key)[0], { class: "row", title: wordOf(OUTCOMES, key)[2] });
  const ofEvent = ({ key }) => (key === null ? link([["events"], since({ outcome: "not_mapped" })], "Not in the mapping", { class: "row" }) : link([["events"], since({ event: key })], key, { class: "row" }));
  const ofSource = ({ key }) => link([["events"], since({ source: key })], key, { class: "row" });
  return [
    h("p", { class: "faint" }, "Yesterday and a week ago are counted to the same time of day."),
    h(
      "div",
      { class: "halves" },
      section("By outcome", days("Events of today by outcome", "Outcome", summed(events, ({ outcome }) => outcome), ofOutcome)),
      h(
        "div",
        {},
        section("By event", days("Events of today by name", "Event", summed(events, ({ event }) => event), ofEvent)),
        section("By source", days("Events of today by source", "Source", summed(events, ({ source }) => source), ofSource)),
      ),
    ),
  ];
}

function dropped({ dropped: groups, rejected }) {
  const places = ({ outcome, places: rows }) =>
    table(
      `Where ${wordOf(OUTCOMES, outcome)[0]} came from`,
      [
        { name: "Page", class: "page", cell: ({ page }) => (page ? h("code", {}, page) : h("span", { class: "faint" }, "no page named")) },
        { name: "Event", cell: ({ event, source, message_id: id }) => [link([["events", id], { source }], event, { class: "row" }), " ", h("span", { class: "faint" }, source)] },
        { name: "Events", class: "number", cell: (row) => count(row.count) },
        { name: "Why, of the latest", class: "why", cell: ({ reason }) => reason },
      ],
      rows,
      { class: "places" },
    );
  const group = (one) =>
    h(
      "div",
      { class: "dropped" },
      h("h3", {}, outcomePills({ outcome: one.outcome }), ` ${many(one.today, "event")} today`),
      h("p", {}, TODO[one.outcome] ?? ""),
      one.looked_at < one.today && h("p", { class: "faint" }, `Where the latest ${count(one.looked_at)} of them came from:`),
      places(one),
    );
  return section(
    "Dropped today, and why",
    groups.length ? groups.map(group) : h("p", {}, "Nothing was dropped today: every event that should reach Freshsales did, or waits."),
    rejected > 0 && h("p", {}, h("a", { href: "#/events?outcome=rejected" }, many(rejected, "request or event", "requests or events")), " were refused at the door since the service started."),
  );
}

function consent({ consent: rows }) {
  if (!rows.length) {
    return section("Consent arriving", h("p", {}, "No event of the last days said anything of consent. If your page has a banner, it is not heard: look under ", h("a", { href: "#/connect" }, "Connect"), "."));
  }
  const lines = new Map();
  for (const row of rows) {
    const key = JSON.stringify([row.source, row.tool, row.category]);
    const line = lines.get(key) ?? { ...row, granted: 0, denied: 0, unclear: 0, before: 0 };
    line[row.said] += row.today;
    line.before += row.yesterday;
    lines.set(key, line);
  }
  const number = (said) => ({ name: SAID[said], class: "number", cell: (row) => count(row[said]) });
  return section(
    "Consent arriving",
    table(
      "What was said of consent today",
      [
        { name: "Tool", cell: ({ tool, category }) => tool ?? (category ? "said by the page itself" : "not understood") },
        { name: "Category", cell: ({ category }) => (category ? h("code", {}, category) : "—") },
        { name: "Source", cell: ({ source }) => source },
        number("granted"),
        number("denied"),
        number("unclear"),
        { name: "Yesterday", class: "number", cell: ({ before }) => count(before) },
      ],
      [...lines.values()],
      { class: "consent" },
    ),
  );
}

function refused({ refused: groups, dead_letters: letters }) {
  if (!letters) return section("Refused by Freshsales", h("p", {}, "Everything that Freshsales was sent, it took."));
  const shown = groups.reduce((sum, one) => sum + one.count, 0);
  return section(
    "Refused by Freshsales",
    table(
      "Refusals by reason",
      [
        { name: "Records", class: "number", cell: (row) => link([["dead-letters"], { reason: row.reason }], count(row.count), { class: "row" }) },
        { name: "Why", class: "why", cell: ({ reason }) => reason || "without a reason" },
        { name: "What to do", class: "why", cell: ({ todo, again_may_help: again }) => [`${todo}. `, h("span", { class: again ? "pill calm" : "pill wait" }, again ? "Sending again may help" : "Sending again does not help before")] },
      ],
      groups,
      { class: "refused" },
    ),
    shown < letters && h("p", { class: "faint" }, `${count(letters - shown)} more have other reasons.`),
  );
}

function changes({ changes: lines }) {
  const line = ({ at, kind, who, about }) => h("li", {}, time(at), " ", h("strong", {}, CHANGES[kind] ?? kind), about && `: ${about}`, who && h("span", { class: "faint" }, ` by ${who}`));
  return section("What changed lately", lines.length ? h("ol", { class: "plain timeline" }, lines.map(line)) : empty("Nothing yet"));
}

export async function now(place, { latest }) {
  const [head, numbers, calls, today, why, said, letters, line] = Array.from({ length: 8 }, () => h("div", { class: "list" }));
  const at = h("span", { class: "live on", role: "status" });
  show(
    place,
    h("div", { class: "title" }, h("h1", {}, "Now"), h("div", { class: "tools" }, at)),
    head,
    numbers,
    h("div", { class: "halves" }, calls, line),
    h("h2", { class: "list-title" }, "Today"),
    today,
    why,
    letters,
    said,
  );
  const drawHead = drawing([[head, ({ standings, risks }) => ({ standings, risks }), standing]]);
  const draw = drawing([
    [numbers, (view) => ({ ...view, at: clock(view.at).slice(0, 5) }), () => tiles(current)],
    [calls, ({ calls: { allowance: used } }) => ({ calls: { allowance: used } }), allowance],
    [today, ({ events, day }) => ({ events, day }), came],
    [why, ({ dropped: groups, rejected }) => ({ dropped: groups, rejected }), dropped],
    [said, ({ consent: rows }) => ({ consent: rows }), consent],
    [letters, ({ refused: groups, dead_letters: all }) => ({ refused: groups, dead_letters: all }), refused],
    [line, ({ changes: all }) => ({ changes: all }), changes],
  ]);
  let current = null;
  const read = async () => {
    try {
      current = await get("api/now", { zone: -new Date().getTimezoneOffset() });
      drawHead(current);
      draw(current);
      at.textContent = `As of ${clock(current.at)}`;
    } catch (error) {
      show(head, problem(error, read));
    }
  };
  const stop = listen((name, data) => {
    if (name === "status") drawHead(data);
  });
  const again = setInterval(read, READ_EVERY_MS);
  if (latest()) drawHead(latest());
  await read();
  return () => {
    clearInterval(again);
    stop();
  };
}
