// The time line of a contact: what its people did, what was sent and answered, what was said of consent, and what somebody
// changed in Freshsales, the latest first.

import { h } from "./dom.js";
import { link, pill, time } from "./rows.js";
import { LANES, OUTCOMES, STATES, became, pretty, wordOf } from "./words.js";

const SHOWN_MAX = 60;

function ofEvent(event) {
  const then = became(event);
  const word = then ? h("span", { class: `pill ${then[1]}` }, then[0]) : pill(OUTCOMES, event.outcome);
  return [event.received_at, "event", [link([["events", event.message_id], { source: event.source }], event.event), " ", word]];
}

function ofDelivery(delivery) {
  const about = [wordOf(STATES, delivery.state)[0], delivery.reason].filter(Boolean).join(": ");
  const lane = LANES[delivery.lane] ?? delivery.lane;
  const line = [link(["deliveries", delivery.id], `Call (${lane.toLowerCase()})`), ` ${about}`];
  return [delivery.ended_at ?? delivery.opened_at, "call", line];
}

function ofConsent({ at, category, choice, kind, tool, page }) {
  const from = [tool, page].filter(Boolean).join(", ");
  return [at, "consent", `${category} ${choice}, ${kind === "shown" ? "as a tool shows it" : "as the person said"}${from && ` (${from})`}`];
}

function ofHeard([attribute, { value, since }]) {
  return [since, "Freshsales", [h("code", {}, attribute), " was changed there to ", h("code", {}, pretty(value))]];
}

// What is known of a contact in the order of time. Any of the three may be missing while it is read.
export function timeline(contact, events = [], deliveries = []) {
  const lines = [
    ...events.map(ofEvent),
    ...deliveries.map(ofDelivery),
    ...(contact?.consent_history.changes ?? []).map(ofConsent),
    ...Object.entries(contact?.heard ?? {}).map(ofHeard),
  ];
  lines.sort(([one], [other]) => new Date(other) - new Date(one));
  if (!lines.length) return h("p", { class: "faint" }, "Nothing is kept of it.");
  const line = ([at, kind, what]) => h("li", {}, time(at), " ", h("span", { class: "faint" }, `${kind}: `), what);
  return [
    h("ol", { class: "plain timeline" }, lines.slice(0, SHOWN_MAX).map(line)),
    lines.length > SHOWN_MAX && h("p", { class: "faint" }, `The latest ${SHOWN_MAX}. Older ones are in the lists below.`),
  ];
}
