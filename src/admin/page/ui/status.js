// The status: the destination with pause and resume, what is owed and how long it takes, the allowance, and plots of
// the last hours.

import { get, send } from "./api.js";
import { ask, h, show, toast } from "./dom.js";
import { listen } from "./live.js";
import { figures, wrong } from "./plan.js";
import { plot } from "./plot.js";
import { facts, note, pill, problem, section, timeAgo } from "./rows.js";
import { drawing, meter, tile } from "./tiles.js";
import { HELD, LANES, OUTCOMES, STATES, count, duration, isSandbox, many, millis, soon, wordOf } from "./words.js";

const HOURS = 6;
const READ_HISTORY_EVERY_MS = 30000;

async function order(what) {
  if (what === "pause") {
    const sure = await ask("Pause all calls?", h("p", {}, "Events are still accepted and nothing is lost. No call is made until somebody resumes, not even after a restart."), [
      { label: "Keep going", value: false },
      { label: "Pause", value: true, primary: true },
    ]);
    if (!sure) return;
  }
  try {
    const { message } = await send("POST", `api/${what}`);
    toast(what === "pause" ? "Calls are paused" : message.charAt(0).toUpperCase() + message.slice(1));
  } catch (error) {
    toast(error.message);
  }
}

// What a reload would change is asked first; it is applied at once where nothing of anybody changes.
async function reload(event) {
  const button = event.target;
  button.disabled = true;
  try {
    const plan = await send("POST", "api/plan", {});
    if (plan.changed > 0 || plan.dropped > 0 || plan.events.length > 0) {
      const sure = await ask("Apply the files as they are now?", h("div", { class: "stack" }, figures(plan)), [
        { label: "Not now", value: false },
        { label: "Apply", value: true, primary: true },
      ]);
      if (!sure) return;
    }
    const { needs_restart: waiting } = await send("POST", "api/reload");
    const rest = waiting.length > 0 ? `; without effect until a restart: ${waiting.join(", ")}` : "";
    toast(`The configuration was read again${rest}`);
  } catch (error) {
    await ask("The configuration was not taken over", wrong(error), [{ label: "Close", value: null, primary: true }]);
  } finally {
    button.disabled = false;
  }
}

const NODES = { works: "this one does the work", stands_by: "this one stands by", other_settings: "this one stands by, and has other settings" };
function node({ state, works, epoch }) {
  const other = state !== "works" && (works ? [", ", h("code", {}, works), " works"] : ", none works");
  return [NODES[state] ?? state, other, `; the work changed hands ${epoch > 1 ? `${count(epoch - 1)} times` : "never"}`];
}

function destination(status) {
  const { state } = status.destination;
  const paused = state === "paused";
  const stuck = state === "blocked" || state === "unreachable";
  return section(
    "Freshsales",
    status.standings.map(({ tone, word, message, until }) => note(tone, word, `${message}.`, until && h("p", {}, `Next about ${soon(until)}`))),
    facts([
      ["Account", [h("code", {}, status.account), isSandbox(status.account) && " a sandbox, not Freshsales itself"]],
      ["Mode", status.mode === "dry_run" ? "dry run: payloads are built and shown, nothing is sent" : "live"],
      ["Version", status.version],
      ...(status.node ? [["Node", node(status.node)]] : []),
    ]),
    h(
      "div",
      { class: "actions" },
      paused
        ? h("button", { type: "button", class: "primary", "data-needs": "POST /api/resume", on: { click: () => order("resume") } }, "Resume calls")
        : h("button", { type: "button", "data-needs": "POST /api/pause", on: { click: () => order("pause") } }, "Pause calls"),
      stuck && h("button", { type: "button", class: "primary", "data-needs": "POST /api/resume", on: { click: () => order("resume") } }, "Try again now"),
      h("button", { type: "button", "data-needs": "POST /api/reload", on: { click: reload } }, "Reload configuration"),
    ),
  );
}

function bars(title, entries, unit) {
  const most = Math.max(1, ...entries.map(([, number]) => number));
  return h(
    "table",
    { class: "bars" },
    h("caption", {}, title),
    h(
      "tbody",
      {},
      entries.map(([name, number, href]) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, href ? h("a", { href }, name) : name),
          h("td", { class: "bar" }, h("meter", { min: 0, max: most, value: number, "aria-hidden": "true" })),
          h("td", { class: "number" }, count(number), h("span", { class: "hidden" }, ` ${unit}`)),
        ),
      ),
    ),
  );
}

// What somebody should know before it is too late, and what walks over all contacts now.
function notices(status) {
  const walk = (name, { state, done, total }) => (state === "done" ? null : note("wait", `${name}: ${count(done)} of ${many(total, "contact")}`, state));
  return [
    Object.entries(status.other_accounts ?? {}).map(([account, open]) =>
      note("wait", "Queued for another account", `${many(open, "delivery", "deliveries")} of ${account}, which is not called by this configuration, wait until it is. What its contacts should look like is queued for the current account as well.`),
    ),
    (status.risks ?? []).map((risk) => note("stop", "Look at this", risk.message)),
    status.review && walk("All contacts are looked at again, because settings changed", status.review),
    status.redrive && walk("Dead letters are sent again", status.redrive),
  ];
}

function numbers(status) {
  const { owed, ended } = status;
  const letters = status.dead_letters ?? ended.dead;
  const all = Object.values(owed).reduce((sum, number) => sum + number, 0);
  const onHold = Object.entries(status.held_deals ?? {});
  const held = onHold.reduce((sum, [, number]) => sum + number, 0);
  const causes = onHold.map(([cause, number]) => `${wordOf(HELD, cause)[0]}: ${count(number)}`).join(", ");
  const drain = status.drain_seconds === null ? "stands still" : all ? duration(status.drain_seconds) : "0 s";
  return h(
    "div",
    { class: "tiles" },
    tile("Waiting to be sent", many(all, "record"), all ? `the oldest for ${duration(status.oldest_owed_seconds)}` : "nothing waits"),
    tile("Drained in", drain, "as far as can be told"),
    tile("Not yet in effect", many(status.journal_lag_events, "event"), "accepted and on disk"),
    tile("Dead letters", h("a", { href: "#/dead-letters" }, count(letters)), "refused, kept"),
    held > 0 && tile("Deals on hold", h("a", { href: "#/deals?state=held" }, count(held)), causes),
    tile("Rejected", h("a", { href: "#/events?outcome=rejected" }, count(status.rejected)), "since the start"),
  );
}

function allowance({ hour, minute }) {
  return section(
    "Allowance",
    meter("This hour", hour.used, hour.limit, "calls"),
    meter("This minute", minute.used, minute.limit, "calls"),
    h("p", { class: "faint" }, "Calls that freshsignal made within the last hour and minute, of what it may use now."),
  );
}

// Who is told of what is wrong, and what was told.
function told({ receiver, receiver_error: trouble, heartbeat, alerts }) {
  const row = ({ title, open, began_at: began, told_at: told, ended_at: ended, end_told_at: endTold, error }) => [
    title,
    h(
      "div",
      {},
      h("p", {}, open ? "since " : "was there from ", timeAgo(began), ended && " to ", ended && timeAgo(ended)),
      h("p", { class: "faint" }, told ? "told " : "not told", told && timeAgo(told), endTold && "; its end told ", endTold && timeAgo(endTold)),
      error && h("p", { class: "faint" }, error),
    ),
  ];
  const beats = heartbeat && (heartbeat.beats ? heartbeat.error || "asked each minute" : "not asked: something stands still");
  return section(
    "Alerts",
    facts([
      ["Receiver", receiver ? trouble || `takes ${receiver}` : "none: set alerts.url, and somebody is told when something is wrong"],
      ["Heartbeat", beats],
      ...alerts.map(row),
    ]),
  );
}

function counters({ owed, open, outcomes, ended }) {
  return h(
    "div",
    { class: "halves" },
    section("Queued by lane", bars("Contacts, companies and deals that wait to be sent", Object.entries(owed).map(([lane, number]) => [LANES[lane] ?? lane, number]), "records"), h("p", { class: "faint" }, "Upper lanes are sent first.")),
    section(
      "Deliveries",
      bars("Open and ended", [...Object.entries(open), ...Object.entries(ended)].map(([state, number]) => [wordOf(STATES, state)[0], number, `#/deliveries?state=${state}`]), "deliveries"),
    ),
    section("Events", bars("What became of them", Object.entries(outcomes).map(([outcome, number]) => [wordOf(OUTCOMES, outcome)[0], number, `#/events?outcome=${outcome}`]), "events")),
    section("What the words mean", h("p", {}, "An event ", pill(OUTCOMES, "absorbed"), " was merged into a call that was queued already. ", pill(OUTCOMES, "unchanged"), " means that Freshsales has it all. A delivery is ", pill(STATES, "superseded"), " when nothing had to be sent any more at its turn.")),
  );
}

// From counters to numbers a minute.
function perMinute(samples, name) {
  return samples.map((sample, nth) => {
    const before = samples[nth - 1];
    if (!before || sample[name] < before[name]) return null;
    const minutes = (new Date(sample.at) - new Date(before.at)) / 60000;
    return minutes > 0 && minutes < 5 ? (sample[name] - before[name]) / minutes : null;
  });
}

function plots({ samples, every_seconds: every }) {
  const times = samples.map((sample) => Number(new Date(sample.at)));
  const of = (read) => samples.map(read);
  const whole = (number) => count(Math.round(number * 10) / 10);
  const drawn = (title, series, format = whole, least = 1) => plot({ title, times, every, series, format, least });
  const total = (sample) => Object.values(sample.owed).reduce((sum, number) => sum + number, 0);
  return h(
    "div",
    { class: "halves" },
    drawn("Allowance used in the hour", [
      { name: "used", values: of((sample) => sample.allowance.hour.used) },
      { name: "may be used", values: of((sample) => sample.allowance.hour.limit) },
    ]),
    drawn("Owed", [{ name: "contacts", values: of(total) }]),
    drawn("Throughput a minute", [
      { name: "events accepted", values: perMinute(samples, "accepted") },
      { name: "contacts delivered", values: perMinute(samples, "delivered") },
    ]),
    drawn(
      "From queued to stored",
      [
        { name: "half within", values: of((sample) => sample.latency?.median_ms ?? null) },
        { name: "95 % within", values: of((sample) => sample.latency?.p95_ms ?? null) },
      ],
      millis,
    ),
  );
}

export async function status(place, { latest }) {
  const [warnings, tiles, account, calls, past, sums, alerts] = Array.from({ length: 7 }, () => h("div", { class: "list" }));
  show(
    place,
    h("div", { class: "title" }, h("h1", {}, "Status")),
    warnings,
    tiles,
    h("div", { class: "halves" }, account, calls),
    h("h2", { class: "list-title" }, `The last ${HOURS} hours`),
    past,
    h("h2", { class: "list-title" }, "Told"),
    alerts,
    h("h2", { class: "list-title" }, "Counted"),
    sums,
  );
  const draw = drawing([
    [warnings, ({ risks, review, redrive }) => ({ risks, review, redrive }), notices],
    [tiles, ({ accepted, outcomes, queued, ...rest }) => rest, numbers],
    [account, ({ standings, destination, account, mode, version }) => ({ standings, destination, account, mode, version }), destination],
    [calls, ({ allowance }) => allowance, allowance],
    [sums, ({ owed, open, outcomes, ended }) => ({ owed, open, outcomes, ended }), counters],
  ]);
  const readPast = async () => {
    try {
      show(past, plots(await get("api/status/history", { hours: HOURS })));
    } catch (error) {
      show(past, problem(error, readPast));
    }
  };
  const drawTold = drawing([[alerts, (view) => view, told]]);
  const readTold = async () => {
    try {
      drawTold(await get("api/alerts"));
    } catch (error) {
      show(alerts, problem(error, readTold));
    }
  };
  const read = async () => {
    try {
      draw(await get("api/status"));
    } catch (error) {
      show(warnings, problem(error, read));
    }
  };
  const stop = listen((name, data) => {
    if (name === "status") draw(data);
  });
  const again = setInterval(() => Promise.all([readPast(), readTold()]), READ_HISTORY_EVERY_MS);
  if (latest()) draw(latest());
  await Promise.all([read(), readPast(), readTold()]);
  return () => {
    clearInterval(again);
    stop();
  };
}
