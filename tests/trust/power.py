"""R5: power cuts. The data folder lies on an ext4 image in a file on XFS; at a random instant under load the file is copied by
reference, which is what the disk held in that instant; the copy is mounted and opened. Once more with syncs that do nothing:
that must lose, or the test shows nothing."""

import contextlib
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time

from meddle import preload
from service import Sandbox, Service, must, until


class Unable(Exception):
    """This machine can't run the row."""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    must(done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()


@contextlib.contextmanager
def mounted(image, place, *options):
    os.makedirs(place, exist_ok=True)
    run("mount", "-o", ",".join(["loop", *options]), image, place)
    try:
        yield place
    finally:
        # Whoever still closes a file is given a moment.
        for _ in range(100):
            if subprocess.run(["umount", place], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.05)


@contextlib.contextmanager
def reflink_folder():
    """A folder on an XFS that copies by reference."""
    if os.geteuid() != 0:
        raise Unable("needs root, to mount images")
    for tool in ("mkfs.xfs", "mkfs.ext4", "mount"):
        if shutil.which(tool) is None:
            raise Unable(f"needs {tool} (Debian: xfsprogs, e2fsprogs, mount)")
    if not os.path.exists("/dev/loop-control"):
        raise Unable("needs loop devices")
    with tempfile.TemporaryDirectory(prefix="trust-") as base:
        image = os.path.join(base, "xfs.img")
        run("truncate", "-s", "4G", image)
        run("mkfs.xfs", "-q", "-m", "reflink=1", image)
        try:
            mount = mounted(image, os.path.join(base, "xfs"))
            folder = mount.__enter__()
        except Exception as why:
            raise Unable(f"can't mount an image: {why}") from None
        try:
            yield folder
        finally:
            mount.__exit__(None, None, None)


class Load(threading.Thread):
    """Sends events one by one until told to stop; knows which were acknowledged."""

    def __init__(self, service, name):
        super().__init__(daemon=True)
        self.service, self.name, self.acknowledged, self.stopped = service, name, [], False

    def run(self):
        client = self.service.client()
        n = 0
        while not self.stopped:
            message = f"{self.name}-{n}"
            n += 1
            event = {"type": "track", "event": "Lead Generated", "messageId": message, "userId": f"user-{n % 20}",
                     "context": {"traits": {"email": f"user-{n % 20}@example.com", "name": "Sam Lee", "title": f"t{n}"}}}
            try:
                status, _ = client.post("/ingest", event)
            except OSError:
                return
            if status == 200:
                self.acknowledged.append(message)


def cut(binary, folder, sandbox, nth, syncs):
    """Cuts the power once; gives how many events were acknowledged before and how many of them are gone."""
    image, copy = os.path.join(folder, f"disk-{nth}.img"), os.path.join(folder, f"copy-{nth}.img")
    run("truncate", "-s", "192M", image)
    run("mkfs.ext4", "-q", "-F", image)
    env = {} if syncs else {"MEDDLE_SYNC_NONE": "1"}
    with mounted(image, os.path.join(folder, "disk")) as disk:
        service = Service(binary, os.path.join(disk, "data"), sandbox, env, None if syncs else preload())
        loads = [Load(service, f"c{nth}-{n}") for n in range(4)]
        for load in loads:
            load.start()
        time.sleep(random.uniform(0.3, 1.2))
        before = [message for load in loads for message in list(load.acknowledged)]
        run("cp", "--reflink=always", image, copy)
        for load in loads:
            load.stopped = True
        service.kill()
        for load in loads:
            load.join()
    os.remove(image)
    with mounted(copy, os.path.join(folder, "copy")) as disk:
        try:
            service = Service(binary, os.path.join(disk, "data"), sandbox)
        except Exception as why:
            must(not syncs, f"it does not start after cut {nth}: {why}")
            os.remove(copy)
            return len(before), len(before)
        try:
            until(30, "what was kept takes effect", lambda: service.status()["journal_lag_events"] == 0)
            seen = messages(service)
            twice = [message for message in before if seen.count(message) > 1]
            must(not twice, f"twice after cut {nth}: {twice[:3]}")
            if syncs:
                service.conserved()
            lost = len(set(before) - set(seen))
        finally:
            service.kill()
    os.remove(copy)
    return len(before), lost


def messages(service):
    """The ids of all events that took effect."""
    found, before = [], ""
    while True:
        _, page = service.get(f"/api/events?limit=200{before}")
        found += [event["message_id"] for event in page["events"] if event.get("outcome") != "rejected"]
        if not page["next"]:
            return found
        before = f"&before={page['next']}"


def power_cuts(binary, long):
    cuts, controls = (200, 10) if long else (12, 2)
    with reflink_folder() as folder:
        sandbox = Sandbox(binary)
        try:
            kept = [cut(binary, folder, sandbox, n, syncs=True) for n in range(cuts)]
            control = [cut(binary, folder, sandbox, n, syncs=False) for n in range(controls)]
        finally:
            sandbox.close()
    acknowledged, lost = map(sum, zip(*kept))
    _, lost_without = map(sum, zip(*control))
    must(acknowledged >= cuts * 20, f"only {acknowledged} events were acknowledged: nothing was shown")
    must(lost == 0, f"{lost} of {acknowledged} acknowledged events are lost in {cuts} cuts")
    must(lost_without > 0, "the control without syncs lost nothing: the test can't fail")
    return f"{cuts} cuts, {acknowledged} acknowledged, 0 lost, 0 twice; without syncs {lost_without} lost in {controls}"
