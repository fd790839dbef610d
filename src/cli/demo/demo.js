// The demo page: the buttons of the shop call the tag, and the right side shows what /demo/state says.
//
// Whatever is shown goes through textContent: events hold what anybody sent.
"use strict";

const at = (id) => document.getElementById(id);
const element = (name, className, text) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

// --- The shop.

const call = (method, ...given) => {
  datafly[method](...given);
  at("called").textContent = `datafly.${method}(${given.map((value) => JSON.stringify(value, null, 2)).join(", ")})`;
};

// A shop knows its customers by a number; this one forgets it with the tab.
const customer = () => {
  const number = sessionStorage.getItem("customer") || String(Math.floor(1000 + Math.random() * 9000));
  sessionStorage.setItem("customer", number);
  return `customer-${number}`;
};
at("identify").addEventListener("submit", (event) => {
  event.preventDefault();
  const fields = new FormData(event.target);
  const traits = Object.fromEntries([...fields].filter(([, value]) => value));
  call("identify", customer(), traits);
});
// An order has a number from the checkout on. Who goes on after it was completed or cancelled orders anew, but what is
// cancelled is the last one.
const orderOf = (track) => {
  const { number, done } = JSON.parse(sessionStorage.getItem("order") || '{"number":1000,"done":true}');
  const next = done && track !== "Order Cancelled" ? number + 1 : Math.max(number, 1001);
  sessionStorage.setItem("order", JSON.stringify({ number: next, done: track !== "Checkout Started" }));
  return { order_id: `A-${next}`, total: 48, currency: "EUR" };
};
const choose = (choice) => {
  for (const button of at("consent").children) button.setAttribute("aria-pressed", String(button === choice));
};
at("reset").addEventListener("click", () => {
  sessionStorage.removeItem("customer");
  choose(null);
  call("reset");
});
at("events").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { track, properties, order } = button.dataset;
  const about = order === undefined ? properties && JSON.parse(properties) : orderOf(track);
  if (track) call("track", track, ...(about ? [about] : []));
  else call("page");
});
at("consent").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  choose(button);
  call("consent", { marketing: button.dataset.consent === "true" });
});

// --- What became of it.

const OUTCOMES = {
  queued: ["good", "owed a call"],
  absorbed: ["good", "joined a call"],
  unchanged: ["", "no call needed"],
  person_updated: ["", "remembered"],
  not_mapped: ["", "not mapped"],
  duplicate: ["", "had it before"],
  switched_off: ["", "switched off"],
  excluded: ["", "excluded"],
  no_email: ["warn", "no email yet"],
  consent_denied: ["warn", "no consent"],
  invalid_email: ["bad", "bad email"],
  hashed_email: ["bad", "hashed email"],
};
const DEALS = {
  queued: ["good", "owed a call"],
  absorbed: ["good", "joined a call"],
  unchanged: ["", "no call needed"],
  held: ["warn", "waits for its contact"],
  no_email: ["warn", "no email yet"],
  no_deal: ["", "none to change"],
};
// What became of the call that an event led to.
const CALLS = {
  waiting: ["warn", "its call waits"],
  in_flight: ["warn", "its call is on its way"],
  retrying: ["warn", "its call is tried again"],
  delivered: ["good", "the CRM took it"],
  superseded: ["", "no call was needed any more"],
  dead: ["bad", "the CRM refused it"],
};
const LABELS = {
  first_name: "First name",
  last_name: "Last name",
  mobile_number: "Mobile",
  work_number: "Work phone",
  job_title: "Job title",
  company_name: "Company",
  subscription_status: "Subscription",
};
const HIDDEN = ["id", "emails", "created_at", "updated_at"];

const clock = (moment) => new Date(moment).toLocaleTimeString([], { hour12: false });
const seen = new Set();

// `user:ID`, `email:ADDRESS` or `anonymous:ID`, as a person would say it.
const whose = (person) => {
  const [kind, id] = (person || "").split(/:(.*)/);
  if (kind === "anonymous") return `anonymous visitor ${id.slice(0, 6)}…`;
  return kind === "user" ? id : "";
};
// The outcome, and where it led to a call what became of that.
const became = ({ outcome, delivery }) => {
  const led = (outcome === "queued" || outcome === "absorbed") && delivery && CALLS[delivery.state];
  return [OUTCOMES[outcome] || ["", outcome], led].filter(Boolean);
};
// On a phone the trail is far below the buttons: the newest of it stands at the edge.
const showLatest = (event) => {
  at("latest").hidden = !event;
  if (event) at("latest").textContent = `${event.event}: ${became(event).map(([, words]) => words).join(" → ")}`;
};
const showEvent = (event) => {
  const item = element("li", seen.has(event.message_id) ? "" : "fresh");
  seen.add(event.message_id);
  const line = element("div", "line");
  const chips = became(event).map(([mood, words]) => element("span", `chip ${mood}`, words));
  for (const { subject, state } of event.actions || []) {
    if (subject.startsWith("deal:")) chips.push(element("span", `chip ${DEALS[state]?.[0] ?? ""}`, `deal: ${DEALS[state]?.[1] ?? state}`));
  }
  line.append(element("b", "", event.event), ...chips, element("time", "", clock(event.received_at)));
  item.append(line, element("p", "why", event.reason));
  item.append(element("p", "why", [whose(event.person), event.email].filter(Boolean).join(" · ")));
  return item;
};
const showContact = (contact) => {
  const card = element("div", "contact");
  const list = element("dl");
  for (const [name, value] of Object.entries(contact)) {
    if (HIDDEN.includes(name)) continue;
    list.append(element("dt", "", LABELS[name] || name), element("dd", "", typeof value === "object" ? JSON.stringify(value) : value));
  }
  card.append(element("h3", "", contact.emails), list);
  return card;
};
const showDeal = ({ key, state, why, calls, stored, stage }) => {
  const card = element("div", "contact");
  const list = element("dl");
  const facts = stored
    ? { Stage: stage, Amount: `${stored.amount} EUR`, Contact: (stored.contact_ids || []).length ? "linked" : "none" }
    : { State: state, Why: why };
  for (const [name, value] of Object.entries({ ...facts, "Calls of it": String(calls) })) {
    list.append(element("dt", "", name), element("dd", "", value));
  }
  card.append(element("h3", "", stored ? stored.name : `order #${key}`), list);
  return card;
};
const show = ({ events, contacts, deals, call, status, debugger: address }) => {
  at("accepted").textContent = status.accepted;
  at("calls").textContent = status.allowance.hour.used;
  at("left").textContent = Math.max(0, status.allowance.hour.limit - status.allowance.hour.used);
  at("no-events").hidden = events.length > 0;
  at("trail").replaceChildren(...events.map(showEvent));
  showLatest(events[0]);
  at("no-contacts").hidden = contacts.length > 0;
  contacts.sort((one, other) => other.updated_at.localeCompare(one.updated_at));
  at("contacts").replaceChildren(...contacts.slice(0, 3).map(showContact));
  at("no-deals").hidden = deals.length > 0;
  at("deals").replaceChildren(...deals.map(showDeal));
  at("no-call").hidden = Boolean(call);
  at("call").hidden = !call;
  if (call) {
    const answer = call.response ? call.response.status : call.error || "on its way";
    at("call-line").textContent = `${call.request.method} ${new URL(call.request.url).pathname} → ${answer}`;
    at("call-body").textContent = JSON.stringify(call.request.body, null, 2);
  }
  at("debugger").hidden = !address;
  if (address) at("debugger").href = address;
};

let before = "";
const look = async () => {
  try {
    const answer = await fetch("/demo/state");
    if (!answer.ok) throw new Error(`the service answered ${answer.status}`);
    const state = await answer.text();
    // Nothing moves while nothing happens, so that text can be selected.
    if (state !== before) show(JSON.parse((before = state)));
    at("problem").hidden = true;
  } catch (error) {
    at("problem").hidden = false;
    at("problem").textContent = `The demo does not answer (${error.message}). Start it again with: freshsignal demo`;
  }
  setTimeout(look, document.hidden ? 3000 : 400);
};
look();
