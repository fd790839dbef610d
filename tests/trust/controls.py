"""Rounds with what protects taken away. They must lose acknowledged events, or make calls over the allowance: a round that can't fail
shows nothing."""

import contextlib
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import judge
from cluster import DATABASE, USER, Cluster, Proxies
from nodes import WORKS
from service import must, until

EPOCHLESS_PER_HOUR = 100
# A lease that is taken over leaves the epoch as it is, so that whoever lost it does not know.
EPOCHLESS = """CREATE FUNCTION freshsignal.as_it_was() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.epoch := OLD.epoch; RETURN NEW; END';
    CREATE TRIGGER as_it_was BEFORE UPDATE ON freshsignal.turns FOR EACH ROW EXECUTE FUNCTION freshsignal.as_it_was()"""


@contextlib.contextmanager
def rig(binary, template, seed, name, synchronous=True, env=None):
    from postgres import Rig
    chance = random.Random(f"{seed}-{name}")
    folder, proxies, cluster = tempfile.mkdtemp(prefix="trust-"), Proxies(), None
    try:
        cluster = Cluster(template, proxies, name, synchronous)
        with Rig(binary, cluster, proxies, folder, chance, env) as made:
            made.send()
            made.await_acknowledged(40)
            yield made
    finally:
        if cluster:
            cluster.close()
        proxies.close()
        shutil.rmtree(folder, ignore_errors=True)


def promote(made, chosen):
    """Another server takes over, and what it has is counted: how many acknowledged events it lacks."""
    for sender in made.senders:
        sender.stopped = True
    made.cluster.primary.kill()
    acknowledged = dict(made.acknowledged)
    made.cluster.promote(chosen)
    for sender in made.senders:
        sender.give_up()
        sender.join(30)
    made.acknowledged = acknowledged
    return len(judge.lost(made))


def asynchronous(binary, template, seed):
    """No standby is waited for, and both are cut off when the primary dies."""
    with rig(binary, template, seed, "asynchronous", synchronous=False) as made:
        for link in made.cluster.links.values():
            link.cut()
        made.await_acknowledged(40)
        return promote(made, made.cluster.furthest())


def behind(binary, template, seed):
    """The standby that is behind is promoted, not the furthest."""
    with rig(binary, template, seed, "behind") as made:
        standby = made.cluster.standbys()[0]
        made.cluster.links[standby.name].cut()
        made.await_acknowledged(40)
        return promote(made, standby)


def believed(binary, template, seed):
    """A writer that takes a commit whose wait was cancelled for one that holds, as its answer says: what the service does not do."""
    proxies = Proxies()
    cluster = Cluster(template, proxies, "believed")
    written, stopped = [], threading.Event()
    command = [f"{cluster.bin}/psql", "-XAtq", "-h", "127.0.0.1", "-p", str(cluster.primary.port), "-U", USER, "-d", DATABASE, "-c"]

    def write():
        nth = 0
        while not stopped.is_set():
            nth += 1
            with contextlib.suppress(subprocess.TimeoutExpired):
                done = subprocess.run([*command, f"INSERT INTO written VALUES ({nth})"], capture_output=True, timeout=5, check=False)
                if done.returncode == 0:
                    written.append(nth)

    try:
        cluster.primary.ask("CREATE TABLE written (n int)")
        writer = threading.Thread(target=write, daemon=True)
        for link in cluster.links.values():
            link.cut()
        writer.start()
        end = time.monotonic() + 30
        while len(written) < 10:
            must(time.monotonic() < end, "no commit that waited was cancelled")
            cluster.primary.ask("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            time.sleep(0.02)
        stopped.set()
        cluster.primary.kill()
        writer.join(30)
        cluster.promote(cluster.furthest())
        kept = set(map(int, (cluster.primary.ask("SELECT n FROM written") or "").split()))
        return len(set(written) - kept)
    finally:
        stopped.set()
        cluster.close()
        proxies.close()


def epochless(binary, template, seed):
    """A lease without an epoch: the node that works is frozen until another has taken over, and when it wakes both work. Gives how many
    calls were made over the allowance."""
    with rig(binary, template, seed, "epochless", env={"FRESHSIGNAL_ALLOWANCE__PER_HOUR": str(EPOCHLESS_PER_HOUR)}) as made:
        must(made.cluster.primary.ask(EPOCHLESS) is not None, "the trigger could not be made")
        worker = made.worker()
        worker.signal(signal.SIGSTOP)
        others = [node for node in made.nodes if node is not worker]
        until(30, "another node takes over", lambda: any(WORKS.search(node.told()) for node in others))
        worker.signal(signal.SIGCONT)
        end, over = time.monotonic() + 90, 0
        while over <= 0 and time.monotonic() < end:
            time.sleep(0.5)
            over = len(made.sandbox.get("/sandbox/requests")["requests"]) - EPOCHLESS_PER_HOUR
        return max(0, over)


CONTROLS = {"asynchronous": asynchronous, "behind": behind, "believed": believed, "epochless": epochless}
