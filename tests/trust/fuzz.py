"""R13: mutated input over HTTP, through `map`, as mapping files, and as answers of the CRM. Nothing may end the process, hang,
grow, or be answered with an error of the service."""

import gzip
import json
import os
import random
import subprocess
import tempfile
import time

from service import lead, must, running, seconds_until_called, until

HERE = os.path.dirname(os.path.abspath(__file__))
ODD = [None, True, False, 0, -1, 1e308, 10**30, 0.1, "", " ", "\u0000", "\ud83d", "a" * 5000, [], {}, [[]], {"": {}},
       "undefined", "null", "NaN", "é", "\u202e", "%00", "=1+1", "{{email}}", "<script>", "2024-02-30", "+1 415 555 0142",
       ["a@example.com"], {"value": "a@example.com"}, "a@example.com", "1e400", "-0", "9" * 40]
SEEDS = [
    {"type": "identify", "userId": "u1", "anonymousId": "a1", "messageId": "m", "timestamp": "2026-01-01T00:00:00Z",
     "sentAt": "2026-01-01T00:00:00Z", "traits": {"email": "a@example.com", "name": "Jane Doe", "phone": "+14155550142",
     "address": {"city": "Paris", "country": "FR"}, "company": {"name": "Initech"}},
     "context": {"consent": {"categoryPreferences": {"marketing": True}}, "ip": "1.2.3.4", "page": {"url": "https://x.y/?a=b"},
                 "campaign": {"source": "s"}}, "integrations": {"All": True}},
    {"type": "track", "event": "Order Completed", "userId": "u1", "properties": {"order_id": "1", "total": 5, "email": "b@example.com"}},
    {"type": "alias", "previousId": "a1", "userId": "u1"},
    {"type": "group", "userId": "u1", "groupId": "g", "traits": {"name": "Initech"}},
    {"type": "page", "anonymousId": "a1", "context": {"consent": {"categories": ["C0004"]}}},
]


def mutated(value, chance):
    """Another value of about the same shape."""
    if chance.random() < 0.08:
        return chance.choice(ODD)
    if isinstance(value, dict):
        result = {key: mutated(inner, chance) for key, inner in value.items() if chance.random() > 0.04}
        if chance.random() < 0.05:
            result[chance.choice(["", "email", "traits", "__proto__", "a.b", "x" * 300])] = chance.choice(ODD)
        return result
    if isinstance(value, list):
        return [mutated(inner, chance) for inner in value]
    return value


def bent(content, chance):
    """Bytes with a few of them changed, cut out or said twice."""
    content = bytearray(content)
    for _ in range(chance.randint(0, 3)):
        if not content:
            break
        at = chance.randrange(len(content))
        match chance.randrange(4):
            case 0:
                content[at] = chance.randrange(256)
            case 1:
                del content[at:at + chance.randint(1, 20)]
            case 2:
                content[at:at] = content[at:at + chance.randint(1, 30)]
            case _:
                content[at:at] = chance.choice([b"\xff", b"\x00", b"\xef\xbb\xbf", b"NaN", b'"', b"{", b"[", b"\\u", b"\\ud800"])
    return bytes(content)


def json_bytes(value):
    return json.dumps(value).encode()


def requests(service, chance, seconds):
    """Mutated requests to the public listener."""
    routes = ["/ingest", "/v1/batch", "/v1/identify", "/v1/track", "/v1/import", "/v1/alias", "/v1/group", "/v1/page"]
    client, sent, end = service.client(), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        route = chance.choice(routes)
        event = mutated(chance.choice(SEEDS), chance)
        body = {"batch": [mutated(chance.choice(SEEDS), chance) for _ in range(chance.randint(0, 5))]} if "batch" in route else event
        content = json_bytes(body)
        if chance.random() < 0.4:
            content = bent(content, chance)
        heads = {}
        if chance.random() < 0.2:
            content, heads = gzip.compress(content), {"Content-Encoding": "gzip"}
            content = bent(content, chance) if chance.random() < 0.5 else content
        if chance.random() < 0.1:
            heads[chance.choice(["Content-Type", "Origin", "X-Forwarded-For", "Authorization", "X-Write-Key"])] = \
                "".join(chr(chance.randrange(32, 127)) for _ in range(chance.randint(0, 80)))
        try:
            status, answer = client.post(route, content, heads)
        except OSError as why:
            must(service.process.poll() is None, f"the service ended on {content!r}: {service.told()}")
            raise AssertionError(f"no answer to {content!r}: {why}") from why
        must(status in (200, 400, 401, 403, 404, 405, 413, 415, 429, 503), f"{status} {answer!r} to {content!r} with {heads}")
        sent += 1
    return sent


def answers(service, chance, seconds):
    """Mutated answers of the CRM to contacts of their own."""
    seeds = [{"contact": {"id": 70054866612, "emails": "a@example.com"}}, {"errors": {"code": 400, "message": ["Email is invalid."]}},
             {"errors": [{"message": "x"}]}, {"message": "Too many requests"}, {"login": "failed"}]
    sent, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        status = chance.choice([200, 201, 204, 302, 400, 403, 404, 405, 409, 418, 422, 425, 429, 500, 502, 503, 599])
        fault = {"status": status, "times": 1, "body": mutated(chance.choice(seeds), chance)}
        if chance.random() < 0.3:
            fault["retry_after"] = chance.choice([0, 1])
        service.sandbox.fault(fault)
        service.client().send(lead(f"answer-{sent}@example.com", userId=f"answer-{sent}"))
        service_alive(service)
        sent += 1
    return sent


def service_alive(service):
    must(service.process.poll() is None, f"the service ended: {service.told()}")
    must(service.get("/healthz")[0] == 200, "the service does not answer")


def lines(binary, chance, seconds):
    """Mutated lines through `freshsignal map`."""
    sent, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        batch = [bent(json_bytes(mutated(chance.choice(SEEDS), chance)), chance).replace(b"\n", b" ") for _ in range(2000)]
        done = subprocess.run([binary, "map"], input=b"\n".join(batch) + b"\n", capture_output=True, check=False, timeout=60)
        must(done.returncode in (0, 1), f"`map` ended with {done.returncode}: {done.stderr[-500:]!r}")
        must(b"panicked" not in done.stderr, f"`map` panicked: {done.stderr[-500:]!r}")
        sent += len(batch)
    return sent


def mapping_files(binary, chance, seconds):
    """Mutated mapping files through `freshsignal check`."""
    with open(os.path.join(HERE, "..", "..", "config", "mapping.toml"), "rb") as file:
        preset = file.read()
    sections = preset.split(b"\n\n")
    sent, end = 0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="trust-") as folder:
        path = os.path.join(folder, "mapping.toml")
        while time.monotonic() < end:
            chosen = chance.sample(sections, min(len(sections), chance.randint(1, 6)))
            with open(path, "wb") as file:
                file.write(bent(b"\n\n".join(chosen), chance))
            env = os.environ | {"FRESHSIGNAL_MAPPING__FILE": path}
            done = subprocess.run([binary, "check"], env=env, capture_output=True, check=False, timeout=20)
            must(done.returncode in (0, 1, 2), f"`check` ended with {done.returncode}: {done.stderr[-500:]!r}")
            must(b"panicked" not in done.stderr, f"`check` panicked: {done.stderr[-500:]!r}")
            sent += 1
    return sent


def everything(binary, long):
    seconds = 1800 if long else 10
    seed = int.from_bytes(os.urandom(4), "big")
    chance = random.Random(seed)
    try:
        with running(binary) as service:
            idle = service.memory_kib()
            counts = [("requests", requests(service, chance, seconds))]
            waited = seconds_until_called(service, "after@example.com", lead("after@example.com"))
            grown = service.memory_kib() - idle
        with running(binary) as service:
            idle = service.memory_kib()
            counts.append(("answers", answers(service, chance, seconds)))
            # What the answers said may hold calls up for a while, as it should. Nothing may be lost meanwhile.
            until(30, "everything took effect", lambda: service.status()["journal_lag_events"] == 0)
            service.conserved()
            grown = max(grown, service.memory_kib() - idle)
        must(grown < 256 * 1024, f"{grown // 1024} MiB more than idle")
        counts += [("lines", lines(binary, chance, seconds)), ("mapping files", mapping_files(binary, chance, seconds))]
    except Exception as why:
        raise AssertionError(f"with the seed {seed}: {why}") from why
    told = ", ".join(f"{count} {name}" for name, count in counts)
    return f"{told}; no crash, no hang, {grown // 1024} MiB more; a lead after the requests in {waited:.2f} s"
