"""What things cost: syncs and writes of one lead, time to start, memory and disk of what waits; and what too much load gets."""

import contextlib
import http.client
import json
import os
import shutil
import statistics
import tempfile
import threading
import time

from meddle import preload
from service import Client, Sandbox, Service, identify, lead, must, running, seconds_until_called, send_all, until

OLD = "2024-03-01T10:00:00Z"
# Measured: 4 syncs, two for the events, one for the claim, one for the answer. A second more may be the machine's, two are ours.
SYNCS_MAX = 5
WRITTEN_KB_MAX = 400


def one_lead(binary, long):
    """R25: an identify and a lead on an idle machine: how often it syncs, how much it writes, how soon the call is made."""
    people = 100 if long else 25
    waits, synced, written = [], [], []
    with tempfile.TemporaryDirectory(prefix="trust-syncs-") as folder:
        syncs = os.path.join(folder, "syncs")
        with running(binary, env={"MEDDLE_SYNCS": syncs}, preload=preload()) as service:
            for n in range(people):
                who, ids = f"person-{n}@example.com", {"userId": f"person-{n}"}
                before = os.path.getsize(syncs), bytes_written(service)
                service.client().send(identify(who, **ids))
                service.settle()
                waits.append(seconds_until_called(service, who, {"type": "track", "event": "Lead Generated"} | ids))
                service.settle()
                synced.append(os.path.getsize(syncs) - before[0])
                written.append(bytes_written(service) - before[1])
    syncs, kb, ms = statistics.median(synced), statistics.median(written) / 1000, statistics.median(waits) * 1000
    must(syncs <= SYNCS_MAX, f"{syncs:.0f} syncs")
    must(kb <= WRITTEN_KB_MAX, f"{kb:.0f} kB written")
    return f"{syncs:.0f} syncs, {kb:.0f} kB written, in the CRM {ms:.0f} ms after the lead's answer (medians of {people})"


def bytes_written(service):
    """What the process handed to the system to write so far, answers included."""
    with open(f"/proc/{service.process.pid}/io", encoding="ascii") as io:
        return next(int(line.split()[1]) for line in io if line.startswith("wchar"))


def starting_and_holding(binary, long):
    """R26: how long a start takes, empty and with events waiting; memory idle and with contacts owed; bytes a contact owed."""
    events, contacts = (1_000_000, 1_000_000) if long else (100_000, 20_000)
    with starts(binary) as start:
        def timed():
            began = time.monotonic()
            service = start({"FRESHSIGNAL_ALLOWANCE__PER_HOUR": "10"})
            return service, time.monotonic() - began

        service, first = timed()
        idle = service.memory_kib() / 1024
        service.close()
        service, again = timed()
        send_all(service, [signed_up(n) for n in range(contacts)], batch=500)
        until(1800, "the contacts are owed", lambda: service.status()["journal_lag_events"] == 0)
        owed = sum(service.status()["owed"].values())
        must(owed >= contacts - 20, f"{owed} contacts are owed")
        held, state = service.memory_kib() / 1024, os.path.getsize(os.path.join(service.folder, "state.db"))
        send_all(service, [page_of_old(n) for n in range(events)], batch=1000)
        service.kill()
        service, behind = timed()
        lag = service.status()["journal_lag_events"]
        until(1800, "everything took effect", lambda: service.status()["journal_lag_events"] == 0)
        service.conserved()
        service.close()
    must(max(first, again) <= 1, f"ready after {first:.2f} s at first, {again:.2f} s later")
    must(behind <= 2, f"ready after {behind:.2f} s with {lag} events waiting")
    must(idle <= 64, f"{idle:.0f} MiB idle")
    must(held <= 300, f"{held:.0f} MiB with {owed} contacts owed")
    return (f"ready after {first * 1000:.0f} ms at first, {again * 1000:.0f} ms later, {behind * 1000:.0f} ms with {lag} events "
            f"waiting; {idle:.0f} MiB idle, {held:.0f} MiB with {owed} contacts owed, {state / owed / 1000:.1f} kB of state each")


def signed_up(n):
    who = {"email": f"owed-{n}@example.com", "firstName": "Kim", "lastName": f"Lead {n}"}
    return {"type": "track", "event": "Signed Up", "userId": f"owed-{n}", "context": {"traits": who}}


def page_of_old(n):
    return {"type": "page", "anonymousId": f"visitor-{n % 5000}", "timestamp": OLD, "context": {"backfill": True},
            "properties": {"n": n}}


def more_than_it_can_take(binary, long):
    """R7: many senders that never stop, on a slow disk: refused at once and told when to come again, or taken and kept."""
    seconds, senders, batch = (60 if long else 8), 200, 500
    body = json.dumps({"batch": [{"type": "page", "anonymousId": f"visitor-{n}"} for n in range(batch)]}).encode()
    slow = {"MEDDLE_SYNC_MS": "25"}
    with starts(binary) as start:
        service = start(slow, preload())
        idle, peak, answers, end = service.memory_kib(), 0, [], time.monotonic() + seconds
        threads = [threading.Thread(target=press, args=(service.public, body, end, answers)) for _ in range(senders)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            peak = max(peak, service.memory_kib() - idle)
            time.sleep(0.05)
        service.kill()
        taken = sorted(took for status, took, _ in answers if status == 200)
        refused = sorted(took for status, took, _ in answers if status in (429, 503))
        others = {status for status, _, _ in answers} - {200, 429, 503}
        must(not others, f"other answers: {sorted(others)}")
        must(refused, "nothing was refused, so it was not more than it could take: press harder")
        must(all(again for status, _, again in answers if status != 200), "a refusal does not say when to come again")
        service = start()
        kept = service.status()["accepted"]
        must(kept >= len(taken) * batch, f"{len(taken) * batch} events were answered with 200, {kept} are there after a kill")
        service.close()
    slowest = {name: times[len(times) * 99 // 100] for name, times in (("taken", taken), ("refused", refused))}
    must(slowest["taken"] <= 1, f"99 of 100 were taken within {slowest['taken']:.2f} s")
    must(peak <= 512 * 1024, f"{peak // 1024} MiB over idle")
    return (f"{len(taken) * batch / seconds:.0f} events a second taken (99 % within {slowest['taken'] * 1000:.0f} ms), {len(refused)} "
            f"requests refused (99 % within {slowest['refused'] * 1000:.0f} ms), {peak // 1024} MiB over idle, 0 lost in a kill")


def press(port, body, end, answers):
    """Posts a batch again as soon as the one before is answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    heads = {"Authorization": Client(port).authorization, "Content-Type": "application/json"}
    while time.monotonic() < end:
        began = time.monotonic()
        try:
            connection.request("POST", "/v1/batch", body, heads)
            answer = connection.getresponse()
            answer.read()
            answers.append((answer.status, time.monotonic() - began, answer.getheader("Retry-After")))
        except (http.client.HTTPException, OSError):
            connection.close()


@contextlib.contextmanager
def starts(binary):
    """Starts services on one folder, one after the other; what still runs in the end is killed, and the folder deleted."""
    folder, sandbox, services = tempfile.mkdtemp(prefix="trust-"), Sandbox(binary), []

    def start(env=None, library=None):
        services.append(Service(binary, os.path.join(folder, "data"), sandbox, env, library))
        return services[-1]

    try:
        yield start
    finally:
        for service in services:
            if service.process.poll() is None:
                service.kill()
        sandbox.close()
        shutil.rmtree(folder, ignore_errors=True)
