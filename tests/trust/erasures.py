"""R21: erasures under load, with the bytes counted in the files."""

import glob
import os
import threading
import time

from service import call, identify, lead, must, running, send_all, until


def under_load(binary, long):
    """Erases people while events come, then looks for their addresses and ids in every file of the data folder."""
    people = 1000 if long else 60
    with running(binary) as service:
        events = []
        for n in range(people):
            email = f"gone-{n:05}@erased.example"
            events.append(identify(email, userId=f"goner-{n:05}", anonymousId=f"device-of-goner-{n:05}"))
            events.append(lead(email, userId=f"goner-{n:05}"))
            events.append({"type": "track", "event": "Lead Generated", "userId": f"friend-{n % 7}",
                           "messageId": f"mentions-gone-{n:05}@erased.example", "properties": {"note": "invited somebody"}})
        send_all(service, events)
        service.settle(120)
        there = bytes_of(service.folder, people)
        must(there > 0, "nothing of them was in the files before: the search finds nothing")
        stop = threading.Event()

        def load():
            client, n = service.client(), 0
            while not stop.is_set():
                client.send(identify(f"stays-{n % 500}@example.com", userId=f"stayer-{n % 500}", nth=n))
                n += 1

        loading = threading.Thread(target=load)
        loading.start()
        try:
            orders = []
            for n in range(people):
                status, answer = call(service.private, "DELETE", f"/api/people?email=gone-{n:05}%40erased.example")
                must(status in (200, 202), f"an erasure was answered with {status}: {answer}")
                orders.append(answer)
        finally:
            stop.set()
            loading.join()
        until(300, "every erasure is done", lambda: done(service, orders))
        time.sleep(0.2)
        left = bytes_of(service.folder, people)
        must(left == 0, f"{left} traces of {people} erased people are left in the files")
        service.settle(120)
        service.conserved()
    return f"{people} erased under load: {there} traces before, {left} after"


def done(service, orders):
    for order in orders:
        number = order.get("erasure") or order.get("id")
        if number is None:
            continue
        _, view = service.get(f"/api/erasures/{number}")
        if isinstance(view, dict) and view.get("state") not in (None, "done"):
            return False
    return True


def bytes_of(folder, people):
    """How often a userId, a device or an address of an erased person stands in the files, message ids of friends included."""
    needles = [b"goner-%05d" % n for n in range(people)] + [b"gone-%05d@erased.example" % n for n in range(people)]
    found = 0
    for path in glob.glob(os.path.join(folder, "*")):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                content = file.read()
            found += sum(content.count(needle) for needle in needles)
    return found
