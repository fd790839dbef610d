"""What a round does to its nodes and servers while events come. Each gives what it saw: how long a take-over took, how soon after a
promotion an event was acknowledged again."""

import signal
import time

from nodes import LEASE
from service import must, until

# A lease that was renewed in the moment before, a look each quarter of a second, and what two busy cores take.
TAKE_OVER_LEASES_MAX = 3
APPENDS_AGAIN_MAX = 5


class Since:
    """A moment, and the epoch of the lease then."""

    def __init__(self, rig):
        self.at, self.epoch = time.monotonic(), max(node.epoch() for node in rig.nodes)


def taken_over(rig, since):
    took = rig.await_take_over(since, 30)
    must(took <= TAKE_OVER_LEASES_MAX * LEASE, f"another node took over only after {took:.1f} s: {took / LEASE:.1f} leases")
    return {"taken_over": took}


def worker_killed(rig, chance):
    since = Since(rig)
    rig.worker().signal(signal.SIGKILL)
    return taken_over(rig, since)


def bystander_killed(rig, chance):
    rig.bystander().signal(signal.SIGKILL)
    return {}


def frozen(rig, node, seconds):
    since, worked = Since(rig), node is rig.worker()
    node.signal(signal.SIGSTOP)
    try:
        # One that slept for less may still have the work.
        seen = taken_over(rig, since) if worked and seconds >= TAKE_OVER_LEASES_MAX * LEASE else {}
        time.sleep(max(0, since.at + seconds - time.monotonic()))
        return seen
    finally:
        node.signal(signal.SIGCONT)


def worker_frozen(rig, chance):
    return frozen(rig, rig.worker(), chance.uniform(1, 8))


def bystander_frozen(rig, chance):
    return frozen(rig, rig.bystander(), chance.uniform(1, 8))


def cut_off(rig, node, chance, worked):
    """A node and the database; one direction or both."""
    there, back = chance.choice([(True, True), (True, False), (False, True)])
    seconds, since = chance.uniform(1, 8), Since(rig)
    node.cut(there, back)
    seen = taken_over(rig, since) if worked and seconds >= TAKE_OVER_LEASES_MAX * LEASE else {}
    time.sleep(max(0, since.at + seconds - time.monotonic()))
    # After 5 s without an answer the network of a node would give up by itself.
    node.heal(abort=seconds > 5 or chance.random() < 0.5)
    return seen


def worker_cut_off(rig, chance):
    return cut_off(rig, rig.worker(), chance, True)


def bystander_cut_off(rig, chance):
    return cut_off(rig, rig.bystander(), chance, False)


def promoted(rig, chosen):
    """Promotes a standby; gives how soon an event was acknowledged again."""
    rig.promoted_at = rig.cluster.promote(chosen)
    known = len(rig.acknowledged)
    until(60, "an event is acknowledged after the promotion", lambda: rig.sound() and len(rig.acknowledged) > known + 1)
    took = min(at for at in list(rig.acknowledged.values()) if at > rig.promoted_at) - rig.promoted_at
    must(took <= APPENDS_AGAIN_MAX, f"the first event after the promotion was acknowledged only after {took:.1f} s")
    return {"appended_after": took}


def primary_killed(rig, chance):
    rig.cluster.primary.kill()
    time.sleep(chance.uniform(0, 1.5))
    return promoted(rig, rig.cluster.furthest())


def primary_comes_back(rig, chance):
    """As it was: nobody told it that another took its place. Whoever looks after the cluster ends it then."""
    old = rig.cluster.primary
    seen = primary_killed(rig, chance)
    old.start().await_answers()
    time.sleep(chance.uniform(1, 3))
    old.end(chance.choice([signal.SIGINT, signal.SIGQUIT]))
    return seen


def primary_cut_off(rig, chance):
    """It runs on, and neither nodes nor standbys reach it."""
    old = rig.cluster.primary
    links = [*rig.cluster.links.values(), *(node.links[0] for node in rig.nodes)]
    for link in links:
        link.cut()
    time.sleep(chance.uniform(0, 1.5))
    try:
        return promoted(rig, rig.cluster.furthest())
    finally:
        time.sleep(chance.uniform(0, 2))
        for link in links:
            link.heal(abort=True)
        time.sleep(chance.uniform(0, 1.5))
        old.end(chance.choice([signal.SIGINT, signal.SIGQUIT]))


def primary_hangs(rig, chance):
    """It takes connections and answers nothing, as with a disk that hangs; a standby takes its place."""
    old = rig.cluster.primary
    old.signal_all(signal.SIGSTOP)
    time.sleep(chance.uniform(0, 1.5))
    try:
        return promoted(rig, rig.cluster.furthest())
    finally:
        old.kill()


def primary_frozen(rig, chance):
    """For so short a time that nobody promotes another."""
    primary = rig.cluster.primary
    primary.signal_all(signal.SIGSTOP)
    time.sleep(chance.uniform(1, 8))
    primary.signal_all(signal.SIGCONT)
    return {}


def standby_killed(rig, chance):
    standby = chance.choice(rig.cluster.standbys())
    standby.kill()
    time.sleep(chance.uniform(0, 2))
    standby.start().await_answers()
    return {}


def standby_frozen(rig, chance):
    standby = chance.choice(rig.cluster.standbys())
    standby.signal_all(signal.SIGSTOP)
    time.sleep(chance.uniform(1, 8))
    standby.signal_all(signal.SIGCONT)
    return {}


def standbys_cut_off(rig, chance):
    """Both: commits wait, and what was refused meanwhile may hold all the same."""
    for link in rig.cluster.links.values():
        link.cut()
    time.sleep(chance.uniform(1, 6))
    for link in rig.cluster.links.values():
        link.heal(abort=chance.random() < 0.5)
    return {}


def waits_cancelled(rig, chance):
    """Every commit that waits for a standby is told not to, and then another server takes over, which has none of them."""
    cancel = ("SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep' "
              "AND application_name LIKE 'freshsignal/%'")
    for link in rig.cluster.links.values():
        link.cut()
    cancelled, end = 0, time.monotonic() + chance.uniform(1, 3)
    while time.monotonic() < end:
        cancelled += int(rig.cluster.primary.ask(cancel) or 0)
        time.sleep(0.05)
    must(cancelled > 0, "no commit waited, so nothing was cancelled: nothing was shown")
    rig.cluster.primary.kill()
    return promoted(rig, rig.cluster.furthest()) | {"cancelled": cancelled}


def answers_lost(rig, chance):
    """What the CRM answers does not arrive: nobody knows what became of the calls."""
    rig.crm.cut(there=False)
    time.sleep(chance.uniform(1, 5))
    rig.crm.heal(abort=True)
    return {}


FAULTS = {fault.__name__: fault for fault in (
    worker_killed, bystander_killed, worker_frozen, bystander_frozen, worker_cut_off, bystander_cut_off, primary_killed,
    primary_comes_back, primary_cut_off, primary_hangs, primary_frozen, standby_killed, standby_frozen, standbys_cut_off,
    waits_cancelled, answers_lost)}
