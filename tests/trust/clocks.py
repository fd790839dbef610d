"""R22: clocks that jump."""

import os
import tempfile
import time

from meddle import preload
from service import lead, must, running, seconds_until_called, Service

DAY = 86_400


def that_jump(binary, long):
    """500 days ahead for 14 s, and a restart with the clock 10 days ahead: no live event counts as old, nothing is deleted by
    age, nobody is called more often than allowed."""
    jump = 14 if long else 4
    with tempfile.NamedTemporaryFile("w", prefix="trust-clock-") as moved:
        def move(seconds):
            moved.seek(0)
            moved.truncate()
            moved.write(str(seconds))
            moved.flush()

        env = {"MEDDLE_CLOCK": moved.name, "FRESHSIGNAL_RETENTION__TRAIL_DAYS_MAX": "30"}
        with running(binary, env=env, preload=preload()) as service:
            seconds_until_called(service, "before@example.com", lead("before@example.com", messageId="before"))
            move(500 * DAY)
            time.sleep(jump)
            seconds_until_called(service, "during@example.com", lead("during@example.com", messageId="during", **now(0)))
            move(0)
            seconds_until_called(service, "after@example.com", lead("after@example.com", messageId="after", **now(0)))
            service.settle()
            lanes = {message: lane_of(service, message) for message in ("before", "during", "after")}
            must(set(lanes.values()) == {"new_contact"}, f"live events went as {lanes}")
            used = service.status()["allowance"]["hour"]["used"]
            must(used == 3, f"{used} calls are counted for 3 contacts")

            service.kill()
            move(10 * DAY)
            again = Service(binary, service.folder, service.sandbox, env, preload())
            try:
                used = again.status()["allowance"]["hour"]["used"]
                must(used >= 3, f"after a restart with the clock ahead {used} calls are counted of 3")
                seconds_until_called(again, "late@example.com", lead("late@example.com", messageId="late", **now(0)))
                must(lane_of(again, "late") == "new_contact", "after a restart a live event counts as old")
                for message in ("before", "during", "after", "late"):
                    status, _ = again.get(f"/api/events/{message}")
                    must(status == 200, f"the trail of `{message}` was deleted")
            finally:
                again.kill()
            service.process = again.process
            service.close = lambda: None
    return f"500 days ahead for {jump} s, 10 days ahead over a restart: all live, nothing deleted, slots kept"


def now(ahead):
    """A time of its own, as a sender with a right clock says it."""
    return {"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + ahead))}


def lane_of(service, message):
    _, event = service.get(f"/api/events/{message}")
    _, delivery = service.get(f"/api/deliveries/{event['delivery_id']}")
    return delivery["lane"]
