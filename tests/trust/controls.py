"""Rounds with what protects taken away. They must lose acknowledged events: a round that can't lose shows nothing."""

import contextlib
import random
import shutil
import subprocess
import tempfile
import threading
import time

import judge
from cluster import DATABASE, USER, Cluster, Proxies
from service import must


@contextlib.contextmanager
def rig(binary, template, seed, name, synchronous=True):
    from postgres import Rig
    chance = random.Random(f"{seed}-{name}")
    folder, proxies, cluster = tempfile.mkdtemp(prefix="trust-"), Proxies(), None
    try:
        cluster = Cluster(template, proxies, name, synchronous)
        with Rig(binary, cluster, proxies, folder, chance) as made:
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


CONTROLS = {"asynchronous": asynchronous, "behind": behind, "believed": believed}
