"""The service and a sandbox CRM as processes, on loopback, with a data folder of their own; and what is asked of both."""

import base64
import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

KEY = "key"
PEOPLE_ENV = {
    "FRESHSIGNAL_SOURCES__WEBSITE__WRITE_KEY": KEY,
    "FRESHSIGNAL_FRESHSALES__BUNDLE_ALIAS": "acme",
    "FRESHSIGNAL_FRESHSALES__API_KEY": "sandbox-key",
    # The allowance is tested elsewhere; here it is never short.
    "FRESHSIGNAL_ALLOWANCE__PER_HOUR": "10000000",
    "FRESHSIGNAL_ALLOWANCE__PER_MINUTE": "1000000",
    "FRESHSIGNAL_LOG__LEVEL": "warn",
}


class Failed(Exception):
    """What a row must show was not seen."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def must(holds, otherwise):
    if not holds:
        raise Failed(otherwise)


def until(seconds, what, look):
    """Looks until `look` gives something true, and gives that."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        must(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(0.01)


class Sandbox:
    def __init__(self, binary, latency_ms=0):
        self.port, self.latency_ms = free_port(), latency_ms
        self.process = subprocess.Popen(
            [binary, "sandbox", "--listen", f"127.0.0.1:{self.port}", "--no-require-names", "--latency-ms", str(latency_ms)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(10, "the sandbox listens", lambda: self.get("/sandbox/requests") is not None)

    def get(self, path):
        try:
            return call(self.port, "GET", path)[1]
        except OSError:
            return None

    def contacts(self):
        return {contact["emails"]: contact for contact in self.get("/sandbox/contacts")["contacts"]}

    def fault(self, fault):
        call(self.port, "POST", "/sandbox/faults", json.dumps(fault).encode())

    def close(self):
        self.process.kill()
        self.process.wait()


class Service:
    """One process; `folder` outlives it, so that another can be started on it."""

    def __init__(self, binary, folder, sandbox, env=None, preload=None):
        self.binary, self.folder, self.sandbox = binary, folder, sandbox
        self.public, self.private = free_port(), free_port()
        self.log = os.path.join(tempfile.gettempdir(), f"trust-{os.getpid()}-{self.public}.log")
        whole = {key: value for key, value in os.environ.items() if not key.startswith("FRESHSIGNAL_")}
        whole |= PEOPLE_ENV | {
            "FRESHSIGNAL_SERVER__LISTEN": f"127.0.0.1:{self.public}",
            "FRESHSIGNAL_ADMIN__LISTEN": f"127.0.0.1:{self.private}",
            "FRESHSIGNAL_FRESHSALES__BASE_URL": f"http://127.0.0.1:{sandbox.port}",
            "FRESHSIGNAL_STORE__PATH": folder,
            "FRESHSIGNAL_STORE__EPHEMERAL": "true",
        } | (env or {})
        if preload:
            whole["LD_PRELOAD"] = preload
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([binary, "serve"], env=whole, stdout=log, stderr=log)
        until(30, "the service is ready", self.ready)

    def ready(self):
        must(self.process.poll() is None, f"the service ended: {self.told()}")
        try:
            return call(self.private, "GET", "/readyz")[0] == 200
        except OSError:
            return False

    def told(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:]

    def status(self):
        return call(self.private, "GET", "/api/status")[1]

    def get(self, path):
        return call(self.private, "GET", path)

    def settle(self, seconds=60):
        """Waits until every accepted event took effect and nothing is owed; gives the status."""
        def settled():
            status = self.status()
            idle = status["journal_lag_events"] == 0 and not any(status["owed"].values())
            return status if idle else None
        return until(seconds, "everything took effect and left", settled)

    def conserved(self):
        """The conservation identity, at a moment without lag."""
        status = self.status()
        effects = sum(status["outcomes"].values())
        must(status["accepted"] == status["journal_lag_events"] + effects,
             f"accepted {status['accepted']}, waiting {status['journal_lag_events']}, outcomes {effects}")
        ends = sum(status["open"].values()) + sum(status["ended"].values())
        must(status["queued"] == ends, f"queued {status['queued']}, open and ended {ends}")
        return status

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def client(self):
        return Client(self.public)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed("it did not end within 15 s of being told to") from None
        finally:
            with contextlib.suppress(OSError):
                os.remove(self.log)


class Client:
    """One connection to the public listener, kept open."""

    def __init__(self, port, timeout=30):
        self.port, self.timeout, self.connection = port, timeout, None
        self.authorization = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()

    def post(self, path, body, headers=None, tries=2):
        """The status and the answer, parsed where it is JSON. The connection is opened anew where it was closed."""
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        heads = {"Authorization": self.authorization, "Content-Type": "application/json"} | (headers or {})
        for attempt in range(1, tries + 1):
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
            try:
                self.connection.request("POST", path, body, heads)
                answer = self.connection.getresponse()
                return answer.status, parsed(answer.read())
            except (http.client.HTTPException, OSError):
                self.connection.close()
                self.connection = None
                if attempt == tries:
                    raise
        return None

    def send(self, *events):
        status, answer = self.post("/v1/batch", {"batch": list(events)})
        must(status == 200, f"a batch was answered with {status}: {answer}")
        must(answer["accepted"] == len(events), f"not every event was accepted: {answer}")


def parsed(content):
    try:
        return json.loads(content)
    except ValueError:
        return content


def call(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, parsed(answer.read())
    finally:
        connection.close()


def send_all(service, events, batch=200, clients=2):
    """Sends events in batches over a few connections."""
    batches = [events[at:at + batch] for at in range(0, len(events), batch)]
    local = threading.local()

    def one(part):
        if not hasattr(local, "client"):
            local.client = service.client()
        local.client.send(*part)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(one, batches))


def identify(email, **more):
    return {"type": "identify", "traits": {"email": email, "name": "Sam Lee"}} | more


def lead(email, **more):
    return {"type": "track", "event": "Lead Generated", "context": {"traits": {"email": email, "name": "Kim Lead"}}} | more


def seconds_until_called(service, email, event):
    """How long after the answer to `event` the CRM has the contact."""
    service.client().send(event)
    began = time.monotonic()
    until(120, f"{email} reaches the CRM", lambda: email in service.sandbox.contacts())
    return time.monotonic() - began


@contextlib.contextmanager
def running(binary, env=None, preload=None):
    """A service with a sandbox and a new folder; all of it is gone afterwards."""
    folder = tempfile.mkdtemp(prefix="trust-")
    sandbox = Sandbox(binary)
    service = None
    try:
        service = Service(binary, os.path.join(folder, "data"), sandbox, env, preload)
        yield service
        must("panicked" not in service.told(), f"something panicked: {service.told()}")
        service.close()
    finally:
        if service and service.process.poll() is None:
            service.kill()
        sandbox.close()
        shutil.rmtree(folder, ignore_errors=True)
