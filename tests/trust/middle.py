"""What stands between the journal and the calls: nothing stops it, and nobody holds it up for others."""

import itertools
import os
import shutil
import tempfile
import time

from service import (Sandbox, Service, call, identify, lead, must, running, seconds_until_called, send_all, until)


def unusable_addresses(binary, long):
    """R16: addresses that are none, without an id, in every form; what comes after them takes effect."""
    wrong = ["sam@", "kim.example.com", "", " ", "a@b@c", 17, 1.5, True, [], ["sam@"], {}, {"address": "sam@"}, None,
             "0" * 64, "undefined", "@", "sam@example..com", "sam@ex ample.com", "\u0000@x.y", ["a@", "b@"]]
    forms = [
        lambda value: {"type": "identify", "traits": {"email": value, "name": "Sam"}},
        lambda value: {"type": "track", "event": "Lead Generated", "properties": {"email": value}},
        lambda value: {"type": "track", "event": "Scrolled", "context": {"traits": {"email": value}}},
        lambda value: {"type": "page", "context": {"traits": {"email": value}}},
        lambda value: {"type": "group", "groupId": "g1", "traits": {"email": value}},
        lambda value: {"type": "alias", "previousId": value, "traits": {"email": value}},
    ]
    events = [form(value) for form, value in itertools.product(forms, wrong)]
    folder = tempfile.mkdtemp(prefix="trust-")
    sandbox = Sandbox(binary)
    service = Service(binary, os.path.join(folder, "data"), sandbox)
    try:
        accepted = 0
        client = service.client()
        for event in events:
            status, answer = client.post("/ingest", event)
            must(status in (200, 400), f"{event} was answered with {status}: {answer}")
            accepted += status == 200
        for _ in range(2):
            status, answer = client.post("/v1/batch", {"batch": events})
            must(status == 200, f"the batch was answered with {status}")
            accepted += answer["accepted"]
        first = seconds_until_called(service, "first@example.com", lead("first@example.com"))
        service.kill()
        service = Service(binary, service.folder, sandbox)
        client = service.client()
        client.post("/v1/batch", {"batch": events})
        second = seconds_until_called(service, "second@example.com", lead("second@example.com"))
        until(10, "everything took effect", lambda: service.status()["journal_lag_events"] == 0)
        status = service.conserved()
        must(status["outcomes"].get("failed", 0) == 0, f"events failed: {status['outcomes']}")
        must(set(sandbox.contacts()) == {"first@example.com", "second@example.com"},
             f"other contacts came of it: {sorted(sandbox.contacts())}")
        return f"{accepted} accepted; a lead after them in {first:.2f} s, after a kill in {second:.2f} s"
    finally:
        service.kill()
        sandbox.close()
        shutil.rmtree(folder, ignore_errors=True)


def fat_visitor(binary, long):
    """R18: one visitor with the public key: fat traits, one constant anonymous id, thousands of ids on one address."""
    count = 8000 if long else 2000
    figures = []
    with running(binary) as service:
        idle = service.memory_kib()
        fat = {f"trait_{n}": "x" * 2000 for n in range(8)}
        fat_events = [{"type": "identify", "anonymousId": "fat", "traits": fat | {"nth": n}} for n in range(500)]
        constant = [{"type": "track", "event": "Scrolled", "anonymousId": "constant", "userId": f"u{n}",
                     "properties": {"n": n}} for n in range(count)]
        crowded = [identify("crowd@example.com", anonymousId=f"id-{n}") for n in range(count)]
        for name, events in (("fat traits", fat_events), ("constant id", constant), ("ids on one address", crowded)):
            before, peak = service.cpu_seconds(), 0
            send_all(service, events, batch=20)
            waited = seconds_until_called(service, f"after-{name.replace(' ', '-')}@example.com",
                                          lead(f"after-{name.replace(' ', '-')}@example.com"))
            cpu = (service.cpu_seconds() - before) / len(events) * 1000
            peak = service.memory_kib() - idle
            must(waited <= 2, f"a lead after {name} waited {waited:.1f} s")
            must(peak <= 64 * 1024, f"{name}: {peak // 1024} MiB over idle")
            figures.append(f"{name}: lead {waited:.2f} s, {cpu:.2f} ms CPU an event, {peak // 1024} MiB")
        service.settle()
        service.conserved()
    return "; ".join(figures)


def crowd_on_an_address(binary, long):
    """R19: a thousand users of one address: the data and the withdrawal of each count."""
    users = 1000
    with running(binary) as service:
        email = "desk@example.com"
        # One connection: the last to say a title is the newest then.
        send_all(service, [identify(email, userId=f"user-{n}", traits={"email": email, "name": f"User N{n}",
                 "title": f"title {n}"}) for n in range(users)], clients=1)
        service.client().send(lead(email, userId="user-0"))
        service.settle()
        first = service.sandbox.contacts()[email]
        must(first.get("job_title") == f"title {users - 1}", f"the last user's title is not there: {first.get('job_title')}")
        withdrawn = 0
        for n in (users - 1, 0, 500, 101):
            yes = {"context": {"consent": {"categoryPreferences": {"marketing": True}}}}
            no = {"context": {"consent": {"categoryPreferences": {"marketing": False}}}}
            for choice, wanted in ((yes, "subscribed"), (no, "unsubscribed")):
                service.client().send({"type": "identify", "userId": f"user-{n}", "traits": {}} | choice)
                service.settle()
                status = service.sandbox.contacts()[email].get("subscription_status")
                must(status == wanted, f"user {n} said {wanted}; Freshsales has {status}")
            withdrawn += 1
        service.conserved()
    return f"{users} users, the newest data there, {withdrawn} of {withdrawn} tried withdrawals told"


def import_before_a_lead(binary, long):
    """R20: a great import, then a live lead."""
    count = 1_000_000 if long else 40_000
    old = "2024-03-01T10:00:00Z"
    with running(binary) as service:
        events = [{"type": "track", "event": "Lead Generated", "userId": f"old-{n % 5000}", "timestamp": old,
                   "context": {"backfill": True}, "properties": {"n": n}} for n in range(count)]
        send_all(service, events, batch=1000)
        lag = service.status()["journal_lag_events"]
        waits = [seconds_until_called(service, f"live-{n}@example.com", lead(f"live-{n}@example.com")) for n in range(5)]
        still = service.status()["journal_lag_events"]
        waits.sort()
        must(waits[2] <= 0.2, f"a live lead waited {waits[2]:.2f} s (median of five) behind {lag} imported events")
        must(still > 0, "the import had taken effect before the leads came: nothing was shown; import more")
        until(1800, "the import takes effect", lambda: service.status()["journal_lag_events"] == 0)
        service.conserved()
    return f"{lag} waiting: live leads in {waits[0] * 1000:.0f} to {waits[-1] * 1000:.0f} ms, median {waits[2] * 1000:.0f}"


def slow_disk(binary, long):
    """R17: a sync that takes 25 ms more."""
    from meddle import preload
    count = 60_000 if long else 15_000
    with running(binary, env={"MEDDLE_SYNC_MS": "25"}, preload=preload()) as service:
        events = [{"type": "page", "userId": f"u{n % 2000}", "properties": {"n": n}} for n in range(count)]
        began = time.monotonic()
        send_all(service, events, batch=500)
        until(300, "everything took effect", lambda: service.status()["journal_lag_events"] == 0)
        rate = count / (time.monotonic() - began)
        service.conserved()
        must(rate >= 1000, f"{rate:.0f} events a second")
        waited = seconds_until_called(service, "lead@example.com", lead("lead@example.com"))
    return f"{rate:.0f} events a second took effect; a lead afterwards in {waited * 1000:.0f} ms"


def review_beside_calls(binary, long):
    """R24: every contact is looked at again after a change of the mapping, and new leads are called all the while."""
    count, leads = (100_000 if long else 20_000), 300
    with tempfile.NamedTemporaryFile("w", suffix=".toml", prefix="trust-mapping-") as mapping:
        env = {"FRESHSIGNAL_MAPPING__FILE": mapping.name}
        with running(binary, env=env) as service:
            send_all(service, [identify(f"known-{n}@example.com", userId=f"known-{n}") for n in range(count)], batch=500)
            service.settle(300)
            alone = calls_a_second(service, "alone", leads)
            mapping.write('[fields.keyword]\nconst = "web"\n')
            mapping.flush()
            status, answer = call(service.private, "POST", "/api/reload")
            must(status == 200 and "mapping" in answer["taken_over"], f"the reload was answered with {status}: {answer}")
            until(10, "the review begins", lambda: service.status()["review"]["because"] == "settings")
            beside = calls_a_second(service, "beside", leads)
            review = service.status()["review"]
            must(review["state"] != "done", "the review was over before the leads were called: nothing was shown; store more")
            must(beside >= min(100, alone / 2), f"{beside:.0f} calls a second beside the review, {alone:.0f} without it")
            looked_at = review["done"]
            until(600, "the review is done", lambda: service.status()["review"]["state"] == "done")
            service.settle(600)
            service.conserved()
    return f"{beside:.0f} calls a second beside a review of {count} contacts, {alone:.0f} without it; {looked_at} looked at by then"


def calls_a_second(service, name, leads):
    """Sends leads at one go, and counts how fast their contacts arrive."""
    last = f"{name}-{leads - 1}@example.com"
    began = time.monotonic()
    send_all(service, [lead(f"{name}-{n}@example.com") for n in range(leads)], batch=100)
    until(120, f"the leads {name} arrive",
          lambda: sum(email.startswith(f"{name}-") for email in service.sandbox.contacts()) == leads)
    must(last in service.sandbox.contacts(), "the last lead is not there")
    return leads / (time.monotonic() - began)
