"""A node of several on one database, started again when it ends as a supervisor would; and senders, which send to any node until an
event is acknowledged."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time

from cluster import DATABASE, USER, Proxy
from service import PEOPLE_ENV, Client, call, free_port, must

# Seconds that the lease lasts.
LEASE = 2
# What a node may end with by itself: it could not reach the database when it started. One that lost the work to another stands by.
COULD_NOT_START = 74
NOT_OPENED = "the database of the store can't be opened"
WORKS = re.compile(r"this node does the work now.*?epoch=(\d+)")
ENV = {
    "FRESHSIGNAL_STORE__KIND": "postgres",
    "FRESHSIGNAL_STORE__TLS": "off",
    "FRESHSIGNAL_STORE__DURABILITY": "managed",
    "FRESHSIGNAL_STORE__LEASE_SECONDS": str(LEASE),
    "FRESHSIGNAL_SOURCES__WEBSITE__EVENTS_PER_MINUTE_MAX": "0",
    "FRESHSIGNAL_SOURCES__WEBSITE__NEW_CONTACTS_PER_HOUR_MAX": "0",
    "FRESHSIGNAL_LOG__LEVEL": "warn,freshsignal::store=info",
}
WAIT_AT_MOST = 5


class Node:
    """One node. What it is to the network goes through proxies of its own, one for each server of the database."""

    def __init__(self, rig, nth, env):
        self.rig, self.nth, self.process, self.wanted, self.ended, self.wrong = rig, nth, None, False, [], None
        self.told_before = 0
        self.public, self.private = free_port(), free_port()
        self.log = os.path.join(rig.folder, f"node-{nth}.log")
        self.links = [Proxy(rig.proxies, server.port) for server in rig.cluster.servers]
        hosts = ",".join(f"127.0.0.1:{link.port}" for link in self.links)
        whole = {key: value for key, value in os.environ.items() if not key.startswith("FRESHSIGNAL_")}
        self.env = whole | PEOPLE_ENV | ENV | {
            "FRESHSIGNAL_SERVER__LISTEN": f"127.0.0.1:{self.public}",
            "FRESHSIGNAL_ADMIN__LISTEN": f"127.0.0.1:{self.private}",
            "FRESHSIGNAL_FRESHSALES__BASE_URL": f"http://127.0.0.1:{rig.crm.port}",
            "FRESHSIGNAL_STORE__URL": f"postgres://{USER}@{hosts}/{DATABASE}?target_session_attrs=read-write",
        } | env
        self.supervisor = threading.Thread(target=self.supervise, daemon=True)

    def start(self):
        self.wanted = True
        self.spawn()
        self.supervisor.start()

    def spawn(self):
        self.told_before = len(self.told())
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.rig.binary, "serve"], env=self.env, stdout=log, stderr=log, cwd=self.rig.folder)

    def supervise(self):
        while True:
            code = self.process.wait()
            if not self.wanted:
                return
            self.ended.append(code)
            started = self.told()[self.told_before:]
            if code != -signal.SIGKILL and not (code == COULD_NOT_START and NOT_OPENED in started):
                self.wrong = f"node {self.nth} ended with {code}"
                return
            time.sleep(0.2)
            self.spawn()

    def sound(self):
        must(self.wrong is None, f"{self.wrong}: {self.told()}")

    def told(self):
        with contextlib.suppress(OSError), open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()
        return ""

    def epoch(self):
        """The last epoch in which it worked."""
        return max(map(int, WORKS.findall(self.told())), default=0)

    def ready(self):
        self.sound()
        with contextlib.suppress(OSError):
            return call(self.private, "GET", "/readyz")[0] == 200
        return False

    def get(self, path):
        return call(self.private, "GET", path)

    def status(self):
        """None while it does not answer or can't."""
        with contextlib.suppress(OSError):
            code, answer = call(self.private, "GET", "/api/status")
            return answer if code == 200 else None
        return None

    def signal(self, which):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(which)

    def cut(self, there=True, back=True):
        for link in self.links:
            link.cut(there, back)

    def heal(self, abort):
        for link in self.links:
            link.heal(abort)

    def close(self):
        self.wanted = False
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        if self.process:
            self.process.wait()


class Orderer(threading.Thread):
    """A person who orders on any node, one order after the other: that nothing is ever sent of an address of its own. What was
    answered with 200 or 202 was promised; of anything else nobody knows whether it was kept."""

    def __init__(self, rig, chance):
        super().__init__(daemon=True)
        self.rig, self.chance, self.stopped, self.nth = rig, chance, False, 0
        self.promised, self.unknown = set(), set()

    def run(self):
        while not self.stopped:
            self.nth += 1
            email = f"order-{self.nth}@example.org"
            try:
                code, _ = call(self.chance.choice(self.rig.nodes).private, "POST", "/api/people/suppress", json.dumps({"email": email}))
            except (http.client.HTTPException, OSError, ValueError):
                code = None
            (self.promised if code in (200, 202) else self.unknown).add(email)
            time.sleep(0.05)


class Sender(threading.Thread):
    """Sends events of people of its own, one after the other, each until a node has answered it with 200."""

    PEOPLE = 12

    def __init__(self, rig, name):
        super().__init__(daemon=True)
        self.rig, self.name, self.stopped, self.gone, self.last = rig, name, False, False, {}
        self.refused, self.sent, self.nth = {}, {}, 0

    def give_up(self):
        self.stopped = self.gone = True

    def run(self):
        ports = [node.public for node in self.rig.nodes]
        clients = {}
        at = int(self.name[1:]) % len(ports)
        while not self.stopped:
            self.nth += 1
            message, event = self.event()
            body = json.dumps(event).encode()
            self.sent[message] = event
            while not self.gone:
                port = ports[at % len(ports)]
                client = clients.setdefault(port, Client(port, WAIT_AT_MOST))
                try:
                    code, answer = client.post("/ingest", body, tries=1)
                except (http.client.HTTPException, OSError) as error:
                    code, answer = type(error).__name__, None
                if code == 200:
                    self.rig.acknowledged[message] = time.monotonic()
                    email = event["context"]["traits"]["email"]
                    self.last[email] = event["context"]["traits"]["title"]
                    break
                # Another node may take it, as a load balancer would see to.
                self.refused[str(code)] = self.refused.get(str(code), 0) + 1
                if code == 400:
                    self.refused["400"] = answer
                at += 1
                time.sleep(0.02)
            # Some go to another node each time, some stay.
            at += self.nth % 3 == 0
            time.sleep(0.01)

    def event(self):
        message = f"{self.name}-{self.nth}"
        email = f"{self.name}-{self.nth % self.PEOPLE}@example.com"
        traits = {"email": email, "name": "Sam Lee", "title": f"t{self.nth}"}
        return message, {"type": "track", "event": "Lead Generated", "messageId": message, "userId": email,
                         "context": {"traits": traits}}
