// The service's words in words for people: outcomes, states, lanes, times.

// Tone says how a thing is marked beside its word: good, wait, stop, calm.
export const OUTCOMES = {
  queued: ["Queued", "good", "It queued a call to Freshsales."],
  absorbed: ["Absorbed", "good", "Merged into a call of its contact that was queued already."],
  unchanged: ["Unchanged", "calm", "Freshsales has all of it already, so no call was made."],
  heard: ["Heard", "good", "Freshsales has something else than it accepted from here; ours is not sent against it."],
  echo: ["Echo", "calm", "Freshsales said what was known here already."],
  frozen: ["Frozen", "stop", "An attribute turned too often between two values; it stays as Freshsales has it for an hour."],
  merged: ["Merged", "wait", "Freshsales gave this record another id or key than was known."],
  unknown_record: ["Unknown record", "calm", "Freshsales spoke of a record that nobody here knows."],
  person_updated: ["Remembered", "calm", "What it says of the person is remembered; no call is needed for that yet."],
  not_mapped: ["Not mapped", "calm", "No rule of the mapping names this event."],
  switched_off: ["Switched off", "calm", "Its sender switched this destination off for it (integrations)."],
  excluded: ["Excluded", "calm", "Its address is one that filters.exclude_emails excludes."],
  no_email: ["No email", "wait", "No email of this person is known."],
  invalid_email: ["Invalid email", "stop", "The email it names does not look like an address."],
  hashed_email: ["Hashed email", "stop", "The email it names is a hash; Freshsales needs the address."],
  consent_denied: ["No consent", "stop", "A required category is not granted."],
  duplicate: ["Duplicate", "calm", "The same message came before and took effect then."],
  failed: ["Failed", "stop", "It could not be processed because of a defect; it is kept and can be tried again."],
  erased: ["Erased", "stop", "It concerns somebody who was erased afterwards."],
  rejected: ["Rejected", "stop", "It was refused at the door and never accepted."],
};

export const STATES = {
  waiting: ["Waiting", "wait", "Queued, not tried yet."],
  in_flight: ["In flight", "wait", "A call was made and is not answered yet."],
  retrying: ["Retrying", "wait", "An attempt failed; it will be tried again."],
  delivered: ["Delivered", "good", "Freshsales accepted it."],
  superseded: ["Superseded", "calm", "Nothing had to be sent any more when its turn came."],
  dead: ["Dead", "stop", "Freshsales refused it; kept until sent, discarded or erased."],
  discarded: ["Discarded", "calm", "Given up by hand, or because too many were kept."],
  erased: ["Erased", "calm", "Deleted with its person."],
};

// The same as the end of an event's way, after its outcome: a word, and a sentence for its page.
const BECAME = {
  waiting: ["waiting", "The call was not made yet."],
  in_flight: ["being sent", "The call is on its way."],
  retrying: ["to be tried again", "An attempt failed; it will be tried again automatically."],
  delivered: ["delivered", "Freshsales accepted it."],
  superseded: ["not needed any more", "Nothing had to be sent any more when its turn came."],
  dead: ["refused", "Freshsales refused it."],
  discarded: ["given up", "Somebody discarded it."],
  erased: ["erased", "It was deleted with its person."],
};

// What became of the delivery that an event opened or joined: a word, its tone, a sentence. Null where it led to none.
export function became(event) {
  if (event.outcome !== "queued" && event.outcome !== "absorbed") return null;
  if (!event.delivery) return ["no longer kept", "calm", "What became of its delivery is no longer kept."];
  const { state, ended_at, account } = event.delivery;
  if (state === "delivered" && account?.startsWith("dry_run:")) return ["not sent", "calm", "A dry run: what would be sent is shown below. Nothing was."];
  const [word, sentence] = BECAME[state] ?? [String(state), ""];
  const seconds = ended_at ? (new Date(ended_at) - new Date(event.received_at)) / 1000 : -1;
  const later = seconds < 0 ? "" : seconds < 1 ? "at once" : `${duration(seconds)} later`;
  const tone = wordOf(STATES, state)[1];
  return [state === "delivered" && later ? `${word} ${later}` : word, tone, sentence];
}

// How a deal or a company stands.
export const RECORD_STATES = {
  settled: ["Up to date", "good", "Freshsales has it as it should be."],
  queued: ["Queued", "wait", "Its call waits for its turn."],
  in_flight: ["Being sent", "wait", "A call of it is on its way."],
  refused: ["Refused", "stop", "Freshsales refused it; kept until it changes, is sent again or given up."],
  held: ["On hold", "wait", "It waits for something else."],
};

// What a deal on hold waits for.
export const HELD = {
  no_email: ["Waits for an email", "wait"],
  contact: ["Waits for its contact", "wait"],
  lead: ["Waits until its lead is a contact", "calm"],
  contact_refused: ["Its contact was refused", "stop"],
  company: ["Waits for its company", "wait"],
  name: ["Freshsales lacks a name", "stop"],
  consent: ["No consent", "stop"],
  not_begun: ["Nothing started it yet", "calm"],
  several: ["You choose which deal", "stop"],
  left_alone: ["Left alone by hand", "calm"],
  gone: ["Deleted in Freshsales", "calm"],
  unclear: ["You decide: is it there?", "stop"],
};

// What is told once.
export const KINDS = { note: "Note", activity: "Activity", task: "Task" };

// Where something that is told once is in its life.
export const HAPPENINGS = {
  planned: ["To be told", "wait", "Its call waits for its turn."],
  sent: ["Being sent", "wait", "The call that tells it is on its way."],
  unanswered: ["Not answered", "wait", "Freshsales is asked whether it has it before the call is repeated."],
  told: ["Told", "good", "Freshsales has it."],
  unclear: ["You decide: is it there?", "stop", "Nobody can tell whether Freshsales has it."],
  dropped: ["Not told", "calm", "No call is made of it any more."],
};

// What one that is to be told waits for.
export const HELD_HAPPENINGS = {
  no_email: ["Waits for an email", "wait"],
  contact: ["Waits for its contact", "wait"],
  contact_refused: ["Its contact was refused", "stop"],
  deal: ["Waits for its deal", "wait"],
  company: ["Waits for its company", "wait"],
  name: ["Freshsales lacks a name", "stop"],
  consent: ["No consent", "stop"],
  unclear: ["You decide: is it there?", "stop"],
};

// What an event did to a deal or a company, or told.
export const ACTIONS = {
  queued: ["Queued", "good", "It queued a call."],
  absorbed: ["Joined a call", "good", "A call that was queued already takes it along."],
  unchanged: ["No change", "calm", "Freshsales has all of it already."],
  no_key: ["No key", "stop", "The event does not say which deal it is about."],
  no_deal: ["No deal yet", "calm", "This event changes a deal and makes none."],
  no_email: ["No email", "wait", "Nobody has said the email of its person."],
  consent_denied: ["No consent", "stop", "A required category is not granted."],
  held: ["On hold", "wait", "It waits for something else."],
  too_many: ["Too many today", "calm", "So much was told of this record today that this is only counted."],
  dropped: ["Not told", "calm", "No call is made of it."],
};

// What was said of consent.
export const SAID = { granted: "Granted", denied: "Denied", unclear: "Unclear" };

// What was ordered, and what the service did by itself.
// What each role may.
export const ROLES = {
  view: "sees what happens; people are masked",
  read: "sees people, too",
  act: "orders, too: pause, send again, discard, erase",
  edit: "changes settings, too",
  owner: "sees who looked at whom, too",
};

export const CHANGES = {
  started: "Service started",
  reloaded: "Configuration reloaded",
  paused: "Calls paused",
  resumed: "Calls resumed",
  redriven: "Dead letters sent again",
  discarded: "Dead letter discarded",
  erased: "Erasure ordered",
  suppressed: "Address suppressed",
  unsuppressed: "Address no longer suppressed",
  decided: "Decided by hand",
  doubted: "Calls doubted since",
  outputs: "Output ordered",
  resent: "Contacts sent whole again",
  retried: "Failed event decided again",
  exported: "Export ordered",
  edited: "Settings changed",
  review_began: "All contacts looked at again",
  review_ended: "Look at all contacts ended",
  alert_began: "Alert",
  alert_ended: "Alert over",
};

export const LANES = {
  withdrawal: "Withdrawal",
  new_contact: "New contact",
  conversion: "Conversion",
  login: "Log-in",
  refresh: "Refresh",
  backfill: "Backfill",
};

export function wordOf(table, word) {
  return table[word] ?? [String(word ?? "?"), "calm", ""];
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const MINUTE = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

export function clock(moment) {
  const date = new Date(moment);
  const today = new Date().toDateString() === date.toDateString();
  return today ? CLOCK.format(date) : `${DAY.format(date)} ${CLOCK.format(date)}`;
}

// A moment to come, by the clock: the minute is enough.
export function soon(moment) {
  const date = new Date(moment);
  const days = Math.round((new Date(date).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86400000);
  const day = days === 0 ? "" : days === 1 ? "tomorrow " : `${DAY.format(date)} `;
  return `${day}${MINUTE.format(date)}`;
}

// Whether calls go to something that stands in for Freshsales.
export function isSandbox(account) {
  return !/\.(myfreshworks|freshsales)\.[a-z]+$/.test(String(account ?? "").replace(/^dry_run:/, ""));
}

export function full(moment) {
  return FULL.format(new Date(moment));
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "unknown";
  if (seconds < 1) return seconds === 0 ? "0 s" : "under 1 s";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 600) return `${Math.round(seconds / 6) / 10} min`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 360) / 10} h`;
  return `${Math.round(seconds / 8640) / 10} days`;
}

export function millis(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : duration(ms / 1000);
}

export function ago(moment) {
  const seconds = (Date.now() - new Date(moment)) / 1000;
  return seconds < 0 ? `in ${duration(-seconds)}` : `${duration(seconds)} ago`;
}

export function count(number) {
  return Number(number).toLocaleString("en");
}

export function many(number, one, more) {
  return `${count(number)} ${number === 1 ? one : (more ?? `${one}s`)}`;
}

// A person's key in words: `user:42` of the default people, `shop/user:42` of another table.
export function person(key) {
  const [, people, kind, id] = /^(?:([^/]*)\/)?(user|email|anonymous):(.*)$/s.exec(key ?? "") ?? [];
  if (!kind) return String(key ?? "");
  const who = { user: "user", email: "email", anonymous: "visitor" }[kind];
  return `${who} ${id}${people ? ` (${people})` : ""}`;
}

// A record as a person would name it: `order A-1001`, a company, an address.
export function subjectName(subject) {
  const [, kind, key] = /^(contact|company|deal|happening|list):(.*)$/s.exec(subject ?? "") ?? [];
  // A contact's place on a list: `jane@example.com on newsletter`.
  if (kind === "list") return key.includes(":") ? `${key.slice(key.lastIndexOf(":") + 1)} on ${key.slice(0, key.lastIndexOf(":"))}` : key;
  if (kind !== "deal") return key ?? String(subject ?? "");
  const [, of, number] = /^[^/]*\/([^/]*)\/(.*)$/s.exec(key) ?? [];
  return of ? `${of} ${number}` : key;
}

export function pretty(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

// Text that may be JSON, put in lines where it is.
export function prettyText(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function quoted(text) {
  return `'${String(text).replaceAll("'", "'\\''")}'`;
}

// The call as a command. The key is not known here: the shell fills it in.
export function curl(request) {
  const parts = [`curl -X ${quoted(request.method)} ${quoted(request.url)}`];
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    const secret = name.toLowerCase() === "authorization";
    parts.push(secret ? `-H "Authorization: Token token=$FRESHSALES_API_KEY"` : `-H ${quoted(`${name}: ${value}`)}`);
  }
  parts.push(`--data-raw ${quoted(JSON.stringify(request.body))}`);
  return parts.join(" \\\n  ");
}
