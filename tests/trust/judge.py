"""Whether a round lost something, did something twice, or called once too often: by what the senders know, what the nodes show, what
the database holds, and what the CRM saw."""

import collections
import datetime
import time

from service import must, until


def drained(rig, tight, seconds):
    """Waits until a node says that every accepted event took effect and nothing is owed, or, with a tight allowance, that it is used."""
    last = {}

    def look():
        rig.sound()
        for node in rig.nodes:
            status = node.status()
            if status is None:
                continue
            last["status"] = {key: status.get(key) for key in
                              ("accepted", "journal_lag_events", "open", "owed", "destination", "allowance", "risks")}
            idle = status["journal_lag_events"] == 0 and status["open"]["in_flight"] == 0
            if idle and (not any(status["owed"].values()) or tight and used_up(status)):
                return status
        return None

    end = time.monotonic() + seconds
    while not (status := look()):
        must(time.monotonic() < end, f"not within {seconds} s: everything took effect and left; at last {last.get('status')}")
        time.sleep(0.1)
    return status


def used_up(status):
    """No lane that is owed a call may make one: conversions may use 95 % of the hour, new contacts and withdrawals all of it."""
    hour, owed = status["allowance"]["hour"], status["owed"]
    share = hour["limit"] if owed["withdrawal"] or owed["new_contact"] else hour["limit"] * 95 // 100
    return hour["used"] >= share


def listed(node):
    """Every event that the debugger lists."""
    found, before = [], ""
    while True:
        _, page = node.get(f"/api/events?limit=200{before}")
        found += page["events"]
        if not page["next"]:
            return found
        before = f"&before={page['next']}"


def judge(rig, status, tight):
    effects = sum(status["outcomes"].values())
    must(status["accepted"] == status["journal_lag_events"] + effects, f"accepted {status['accepted']}, outcomes {effects}")
    ends = sum(status["open"].values()) + sum(status["ended"].values())
    must(status["queued"] == ends, f"queued {status['queued']}, open and ended {ends}")
    must(status["outcomes"].get("failed", 0) == 0, f"events failed: {status['outcomes']}")
    journal(rig, status)
    effect_once(rig)
    orders = ordered_once(rig)
    calls = crm_calls(rig, status)
    if not tight:
        contacts = rig.sandbox.contacts()
        for sender in rig.senders:
            for email, title in sender.last.items():
                must(email in contacts, f"{email} is not in the CRM")
                found = contacts[email].get("job_title")
                must(found == title, f"{email} has the title {found} in the CRM, and {title} was acknowledged last: {explained(rig, email)}")
    for node in rig.nodes:
        must("panicked" not in node.told(), f"something panicked: {node.told()[-2000:]}")
    ended = sum(code != -9 for node in rig.nodes for code in node.ended)
    return {"acknowledged": len(rig.acknowledged), "calls": calls, "orders": orders, "ended": ended}


def explained(rig, email):
    """What the nodes and the CRM say of a contact."""
    contact = next(node for node in rig.nodes if node.ready()).get(f"/api/contacts/{email}")[1]
    shown = {key: contact.get(key) for key in ("wanted", "accepted", "owed", "why", "fields")}
    calls = [(request["at"], (request["body"] or {}).get("contact", {}).get("job_title"))
             for request in rig.sandbox.get("/sandbox/requests")["requests"]
             if ((request["body"] or {}).get("unique_identifier") or {}).get("emails") == email]
    events = [(event["received_at"], event["timestamp"], event["message_id"], event["outcome"], event["delivery_id"])
              for event in listed(next(node for node in rig.nodes if node.ready())) if event["email"] == email]
    return f"{shown}; calls {calls}; events {events[:6]}"


def journal(rig, status):
    """Positions are dense, and as many as were accepted."""
    counted = rig.cluster.primary.ask(
        "SELECT coalesce(sum(count), 0), coalesce(sum((first <> coalesce(before, 1))::int), 0) FROM "
        "(SELECT first, count, lag(first + count) OVER (ORDER BY first) AS before FROM freshsignal.groups) AS groups")
    must(counted == f"{status['accepted']}|0", f"the journal has (events|gaps) {counted}, accepted were {status['accepted']}")


def lost(rig):
    """What was acknowledged and is not among the events that took effect."""
    node = until(30, "a node is ready", lambda: next((node for node in rig.nodes if node.ready()), None))
    return set(rig.acknowledged) - {event["message_id"] for event in listed(node)}


def effect_once(rig):
    """What was acknowledged took effect; nothing twice; nothing that nobody sent. The same on every node."""
    sent = {message for sender in rig.senders for message in sender.sent}
    shown = []
    for node in rig.nodes:
        until(60, f"node {node.nth} is ready", node.ready)
        first = [event["message_id"] for event in listed(node) if event["outcome"] != "duplicate"]
        ids = set(first)
        twice = [message for message, times in collections.Counter(first).items() if times > 1]
        must(not twice, f"took effect twice: {twice[:5]}")
        must(ids <= sent, f"took effect and was never sent: {sorted(ids - sent)[:5]}")
        gone = set(rig.acknowledged) - ids
        must(not gone, f"{len(gone)} of {len(rig.acknowledged)} acknowledged events are lost: {sorted(gone)[:5]}")
        shown.append(ids)
    must(all(ids == shown[0] for ids in shown), "nodes show different events")


def ordered_once(rig):
    """What was promised of orders was done, nothing that nobody ordered was, and each is noted as often as it was done: once."""
    waiting = "SELECT count(*) FROM freshsignal.orders WHERE done_at IS NULL"
    until(60, "no order waits", lambda: rig.cluster.primary.ask(waiting) == "0")
    node = until(30, "a node is ready", lambda: next((node for node in rig.nodes if node.ready()), None))
    found, before = set(), ""
    while True:
        _, page = node.get(f"/api/people/suppress?limit=200{before}")
        found |= {one["email"] for one in page["suppressed"]}
        if not page["next"]:
            break
        before = f"&before={page['next']}"
    orderer = rig.orderer
    must(orderer.promised <= found, f"promised and not done: {sorted(orderer.promised - found)[:5]}")
    must(found <= orderer.promised | orderer.unknown, f"done and never ordered: {sorted(found - orderer.promised)[:5]}")
    noted = int(rig.cluster.primary.ask("SELECT count(*) FROM freshsignal.acts WHERE kind = 'suppressed'"))
    must(noted == len(found), f"{len(found)} orders were done, and {noted} are noted")
    return len(found)


def seconds(at):
    return datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()


def crm_calls(rig, status):
    """The allowance by what the CRM saw, and calls of one contact that it saw at the same time."""
    requests = rig.sandbox.get("/sandbox/requests")["requests"]
    times = sorted(seconds(request["at"]) for request in requests)
    for name, window in (("hour", 3600), ("minute", 60)):
        quota = status["allowance"][name]
        start, most = 0, 0
        for end, at in enumerate(times):
            while times[start] <= at - window:
                start += 1
            most = max(most, end - start + 1)
        must(most <= quota["limit"], f"{most} calls in one {name}, the allowance is {quota['limit']}")
    hour = status["allowance"]["hour"]
    must(len(requests) <= hour["used"] <= hour["limit"], f"{len(requests)} calls, slots {hour}")
    last = {}
    for request in sorted(requests, key=lambda request: request["at"]):
        identifier = (request["body"] or {}).get("unique_identifier") or {}
        email, at = identifier.get("emails"), seconds(request["at"])
        if email:
            must(at >= last.get(email, 0) + rig.sandbox.latency_ms / 1000, f"two calls of {email} at the same time")
            last[email] = at
    return len(requests)
