"""R27: several nodes on PostgreSQL. Three nodes, a primary and two synchronous standbys, clients that send to all nodes; in each
round a fault is drawn. What was acknowledged must be in the journal, take effect once, and no call may be one too many; what was ordered
on any node must be carried out once. Then the
controls: the same round with what protects taken away. They must lose, or the rounds show nothing."""

import contextlib
import os
import random
import shutil
import tempfile
import time

import controls
import judge
from cluster import Cluster, Proxies, Proxy, Template
from faults import FAULTS
from nodes import LEASE, Node, Orderer, Sender
from service import Failed, Sandbox, must, until

NODES = 3
CLIENTS = 4
LATENCY_MS = 150
# What a call may take; claims of a node that is gone are waited for so long and 5 s more.
ATTEMPT_SECONDS = 2
TIGHT_PER_HOUR = 60
DRAIN_SECONDS = 120


class Rig:
    """Everything that a round runs on."""

    def __init__(self, binary, cluster, proxies, folder, chance, env=None):
        self.binary, self.cluster, self.proxies, self.chance = binary, cluster, proxies, chance
        self.nodes, self.senders, self.acknowledged, self.sandbox = [], [], {}, None
        self.promoted_at, self.folder, self.env = None, folder, env or {}
        self.orderer = Orderer(self, random.Random(chance.random()))

    def __enter__(self):
        self.sandbox = Sandbox(self.binary, latency_ms=LATENCY_MS)
        # What the CRM answers goes through a proxy, so that answers can be lost.
        self.crm = Proxy(self.proxies, self.sandbox.port)
        env = {"FRESHSIGNAL_FRESHSALES__ATTEMPT_TIMEOUT_SECONDS": str(ATTEMPT_SECONDS)} | self.env
        try:
            for nth in range(NODES):
                self.nodes.append(Node(self, nth, env))
            for node in self.nodes:
                node.start()
            until(60, "every node is ready", lambda: all(node.ready() for node in self.nodes))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for sender in self.senders:
            sender.give_up()
        self.orderer.stopped = True
        for node in self.nodes:
            node.close()
        self.sandbox.close()

    def send(self):
        self.senders = [Sender(self, f"c{nth}") for nth in range(CLIENTS)]
        for sender in self.senders:
            sender.start()

    def order(self):
        self.orderer.start()

    def await_acknowledged(self, more, seconds=60):
        enough = len(self.acknowledged) + more
        until(seconds, f"{more} more events are acknowledged", lambda: self.sound() and len(self.acknowledged) >= enough)

    def sound(self):
        for node in self.nodes:
            node.sound()
        return True

    def stop_sending(self):
        """Every sender goes on until its last event is acknowledged, and the last order is answered."""
        self.orderer.stopped = True
        for sender in self.senders:
            sender.stopped = True
        for sender in self.senders:
            sender.join(60)
            must(not sender.is_alive(), f"a sender got no 200 for 60 s after the last fault, only {sender.refused}")
        if self.orderer.ident:
            self.orderer.join(60)
            must(not self.orderer.is_alive(), "an order got no answer for 60 s after the last fault")

    def worker(self):
        """The node that works now: the one that took the highest epoch."""
        return max(self.nodes, key=Node.epoch)

    def bystander(self):
        return self.chance.choice([node for node in self.nodes if node is not self.worker()])

    def await_take_over(self, since, seconds):
        """How long after a moment another node took over the work."""
        epoch = max(node.epoch() for node in self.nodes) if since.epoch is None else since.epoch
        until(seconds, "another node does the work", lambda: self.sound() and max(node.epoch() for node in self.nodes) > epoch)
        return time.monotonic() - since.at


def keep(folder, cluster):
    """Logs of a round that failed, to be read."""
    kept = tempfile.mkdtemp(prefix="trust-failed-")
    logs = [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".log")]
    for log in logs + [f"{server.data}.log" for server in (cluster.servers if cluster else ())]:
        with contextlib.suppress(OSError):
            shutil.copy(log, kept)
    return kept


def one_round(binary, template, nth, seed, kind=None):
    """Gives what was seen in one round."""
    chance = random.Random(f"{seed}-{nth}")
    drawn = chance.choice(sorted(FAULTS))
    kind = kind or drawn
    tight = chance.random() < 0.25
    env = {"FRESHSIGNAL_ALLOWANCE__PER_HOUR": str(TIGHT_PER_HOUR)} if tight else {}
    folder, proxies, cluster = tempfile.mkdtemp(prefix="trust-"), Proxies(), None
    try:
        cluster = Cluster(template, proxies, f"{nth}-{kind}")
        with Rig(binary, cluster, proxies, folder, chance, env) as rig:
            rig.send()
            rig.order()
            rig.await_acknowledged(chance.randrange(40, 160))
            seen = FAULTS[kind](rig, chance)
            rig.await_acknowledged(40)
            rig.stop_sending()
            status = judge.drained(rig, TIGHT_PER_HOUR if tight else None, DRAIN_SECONDS)
            seen |= judge.judge(rig, status, TIGHT_PER_HOUR if tight else None)
            return {"kind": kind, "tight": tight} | seen
    except Failed as why:
        kept = keep(folder, cluster)
        raise Failed(f"round {nth} of seed {seed} ({kind}): {why}; the logs are in {kept}") from None
    finally:
        if cluster:
            cluster.close()
        proxies.close()
        shutil.rmtree(folder, ignore_errors=True)


def told(rounds, lost):
    """The figures of all rounds in words."""
    def worst(key):
        return max((seen[key] for seen in rounds if seen.get(key) is not None), default=None)
    words = [f"{len(rounds)} rounds, {sum(seen['acknowledged'] for seen in rounds)} acknowledged, 0 lost, 0 twice",
             f"{sum(seen['orders'] for seen in rounds)} orders on any node, each once",
             f"{sum(seen['calls'] for seen in rounds)} calls, none over the allowance, no two of one contact at a time"]
    taken = [seen["taken_over"] / LEASE for seen in rounds if seen.get("taken_over") is not None]
    if taken:
        words.append(f"{len(taken)} take-overs within {max(taken):.1f} leases of {LEASE} s")
    if worst("appended_after") is not None:
        words.append(f"{sum(seen.get('appended_after') is not None for seen in rounds)} promotions, appends again within "
                     f"{worst('appended_after'):.1f} s")
    words.append(f"{sum(seen['ended'] for seen in rounds)} ends of nodes by themselves")
    words += [f"control {name}: {count} {'calls too many' if name == 'epochless' else 'lost'}" for name, count in lost.items()]
    return "; ".join(words)


def several_nodes(binary, long, rounds=None, seed=None, kinds=None, with_controls=True, say=None, first=0):
    rounds = rounds or (100 if long else 3)
    seed = seed if seed is not None else int(time.time())
    template = Template()
    seen, lost = [], {}
    try:
        for nth in range(first, first + rounds):
            began = time.monotonic()
            seen.append(one_round(binary, template, nth, seed, kinds[nth % len(kinds)] if kinds else None))
            if say:
                say(nth, time.monotonic() - began, seen[-1])
        for name, control in controls.CONTROLS.items() if with_controls else ():
            lost[name] = control(binary, template, seed)
            if say:
                say(name, 0, {"lost": lost[name]})
            must(lost[name] > 0, f"the control \"{name}\" lost nothing: the rounds can't fail")
    finally:
        template.close()
    return f"seed {seed}: " + told(seen, lost)
