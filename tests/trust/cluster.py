"""A primary of PostgreSQL and two synchronous standbys, made of Debian's package, on loopback; and proxies that cut what goes
through them. The data lies in memory where it can: a round is about processes and networks, not about disks."""

import asyncio
import contextlib
import glob
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from power import Unable
from service import free_port, must, until

NAMES = ("s0", "s1", "s2")
USER, DATABASE = "freshsignal", "postgres"


def programs():
    """The folder with the programs of the newest PostgreSQL from 15 on."""
    found = [(int(path.split("/")[4]), path) for path in glob.glob("/usr/lib/postgresql/*/bin")
             if os.path.exists(f"{path}/initdb")]
    found = [path for version, path in sorted(found) if version >= 15]
    if not found:
        raise Unable("NOT TESTED ON POSTGRESQL: it is not installed (Debian: apt-get install postgresql)")
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        raise Unable("NOT TESTED ON POSTGRESQL: it does not run as root, and there is no setpriv (Debian: util-linux)")
    return found[-1]


def unprivileged(command):
    """A command as somebody who may run a server; it goes with whoever started it."""
    user = ["--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *user, "--pdeathsig=INT", *command]


def quiet(command):
    done = subprocess.run(unprivileged(command), cwd="/", capture_output=True, text=True, check=False)
    must(done.returncode == 0, f"{os.path.basename(command[0])}: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()


class Proxies:
    """All proxies of a round, in a thread of their own."""

    def __init__(self):
        self.loop, self.made = asyncio.new_event_loop(), []
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def within(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def close(self):
        async def end():
            for proxy in self.made:
                proxy.server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(Exception):
            self.within(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Proxy:
    """A port whose connections lead to another. Cut, nothing moves, and whoever sends is not told; a cut may be of one direction."""

    def __init__(self, proxies, target):
        self.proxies, self.target, self.port = proxies, target, free_port()
        self.there, self.back = asyncio.Event(), asyncio.Event()
        self.there.set()
        self.back.set()
        self.writers = set()
        self.server = proxies.within(asyncio.start_server(self.connected, "127.0.0.1", self.port))
        proxies.made.append(self)

    async def connected(self, reader, writer):
        # The end of a round ends this too.
        with contextlib.suppress(asyncio.CancelledError):
            await self.connect(reader, writer)

    async def connect(self, reader, writer):
        self.writers.add(writer)
        try:
            await self.there.wait()
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        if writer.transport.is_closing():
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            self.writers.discard(writer)
            return
        self.writers.add(far_writer)
        pumps = [asyncio.ensure_future(self.pump(reader, far_writer, self.there)),
                 asyncio.ensure_future(self.pump(far_reader, writer, self.back))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for end in (writer, far_writer):
                end.transport.abort()
                self.writers.discard(end)

    async def pump(self, reader, writer, is_open):
        with contextlib.suppress(OSError):
            while True:
                content = await reader.read(65536)
                await is_open.wait()
                if not content:
                    return
                writer.write(content)
                await writer.drain()

    async def _set(self, there, back, abort):
        if abort:
            for writer in list(self.writers):
                writer.transport.abort()
        for event, is_open in ((self.there, there), (self.back, back)):
            event.set() if is_open else event.clear()

    def cut(self, there=True, back=True):
        self.proxies.within(self._set(not there, not back, False))

    def heal(self, abort):
        """What waited goes on, or, as after a time-out of the network, every connection is reset."""
        self.proxies.within(self._set(True, True, abort))


class Server:
    """One server; its data outlives it."""

    def __init__(self, cluster, name, data):
        self.cluster, self.name, self.data, self.port = cluster, name, data, free_port()
        self.process, self.stopped = None, False

    def start(self):
        log = open(f"{self.data}.log", "ab")
        self.process = subprocess.Popen(
            unprivileged([f"{self.cluster.bin}/postgres", "-D", self.data, "-p", str(self.port), "-c", f"cluster_name={self.name}"]),
            cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        return self

    def answers(self):
        done = subprocess.run([f"{self.cluster.bin}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False)
        return done.returncode == 0

    def await_answers(self):
        until(30, f"server {self.name} answers", self.answers)
        return self

    def ask(self, sql, seconds=10, user=USER):
        """What one statement answers, as text; none where the server does not answer it."""
        done = subprocess.run(
            [f"{self.cluster.bin}/psql", "-XAtq", "-h", "127.0.0.1", "-p", str(self.port), "-U", user, "-d", DATABASE, "-c", sql],
            capture_output=True, text=True, timeout=seconds, check=False, env={"PGCONNECT_TIMEOUT": "5", "PATH": os.environ["PATH"]})
        return done.stdout.strip() if done.returncode == 0 else None

    def processes(self):
        """The server and its children, of which a signal to the server alone would not reach all."""
        with contextlib.suppress(OSError), open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as children:
            return [self.process.pid, *map(int, children.read().split())]
        return [self.process.pid]

    def signal_all(self, which):
        if self.process is None or self.process.poll() is not None:
            return
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, which)

    def kill(self):
        """As when the machine dies: nothing of it runs any more."""
        if self.process and self.process.poll() is None:
            everyone = self.processes()
            self.signal_all(signal.SIGSTOP)
            everyone = sorted({*everyone, *self.processes()})
            for pid in everyone:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            self.forget_memory()

    def forget_memory(self):
        """A server that was killed leaves a piece of shared memory, which nobody would ever give back."""
        with contextlib.suppress(OSError, IndexError), open(f"{self.data}/postmaster.pid", encoding="ascii") as file:
            _, segment = file.read().splitlines()[6].split()
            subprocess.run(["ipcrm", "-m", segment], capture_output=True, check=False)

    def end(self, which=signal.SIGINT):
        """In order; connections are closed by the server."""
        if self.process and self.process.poll() is None:
            os.kill(self.process.pid, which)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def received(self):
        """How far the log of another server has arrived here, in bytes."""
        return int(self.ask("SELECT coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'") or 0)

    def follow(self, port):
        self.ask(f"ALTER SYSTEM SET primary_conninfo = '{conninfo(port, self.name)}'")
        self.ask("SELECT pg_reload_conf()")


def conninfo(port, name):
    return f"host=127.0.0.1 port={port} user={USER} application_name={name} connect_timeout=5"


class Template:
    """Data folders of a primary and two standbys, made once and copied for every round."""

    def __init__(self):
        self.bin = programs()
        parent = "/dev/shm" if os.path.isdir("/dev/shm") and os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()
        self.folder = tempfile.mkdtemp(prefix="freshsignal-trust-", dir=parent)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        try:
            self.make()
        except BaseException:
            self.close()
            raise

    def make(self):
        first = f"{self.folder}/s0"
        quiet([f"{self.bin}/initdb", "-D", first, "-U", USER, "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"])
        with open(f"{first}/postgresql.conf", "a", encoding="ascii") as file:
            file.write("listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 200\n"
                       "dynamic_shared_memory_type = mmap\n"
                       "shared_buffers = 32MB\nwal_keep_size = 512MB\nhot_standby = on\nmax_wal_senders = 10\n"
                       # Cuts are to be known as soon as real ones would be, for how short a round is.
                       "wal_receiver_timeout = 3s\nwal_sender_timeout = 3s\nwal_retrieve_retry_interval = 200ms\n"
                       "restart_after_crash = off\nautovacuum_naptime = 5s\n")
        server = Server(self, "s0", first).start()
        try:
            server.await_answers()
            for name in NAMES[1:]:
                quiet([f"{self.bin}/pg_basebackup", "-h", "127.0.0.1", "-p", str(server.port), "-U", USER, "-D",
                       f"{self.folder}/{name}", "-c", "fast", "-X", "stream", "--no-sync"])
        finally:
            server.end()

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Cluster:
    """A primary and two standbys that follow it through proxies."""

    def __init__(self, template, proxies, nth, synchronous=True):
        self.bin, self.folder = template.bin, f"{template.folder}/round-{nth}"
        subprocess.run(unprivileged(["mkdir", self.folder]), check=True)
        self.servers = []
        for name in NAMES:
            subprocess.run(unprivileged(["cp", "-a", f"{template.folder}/{name}", f"{self.folder}/{name}"]), check=True)
            self.servers.append(Server(self, name, f"{self.folder}/{name}"))
        self.primary, standbys = self.servers[0], self.servers[1:]
        if synchronous:
            for server in self.servers:
                with open(f"{server.data}/postgresql.conf", "a", encoding="ascii") as file:
                    file.write(f"synchronous_standby_names = 'ANY 1 ({', '.join(NAMES)})'\n")
        # By whom each is followed, and through what.
        self.links = {server.name: Proxy(proxies, self.primary.port) for server in standbys}
        for server in standbys:
            with open(f"{server.data}/postgresql.auto.conf", "a", encoding="ascii") as file:
                file.write(f"primary_conninfo = '{conninfo(self.links[server.name].port, server.name)}'\n")
            subprocess.run(unprivileged(["touch", f"{server.data}/standby.signal"]), check=True)
        try:
            for server in self.servers:
                server.start()
            for server in self.servers:
                server.await_answers()
            until(30, "both standbys follow", lambda: self.primary.ask(
                "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "2")
        except BaseException:
            self.close()
            raise

    def standbys(self):
        return [server for server in self.servers if server is not self.primary]

    def promote(self, chosen):
        """Makes a standby the primary; the other follows it. Gives when it took writes."""
        must(chosen.ask("SELECT pg_promote()", 30) == "t", f"{chosen.name} was not promoted")
        for other in self.standbys():
            if other is not chosen and other.process.poll() is None:
                other.follow(chosen.port)
        self.primary = chosen
        return time.monotonic()

    def furthest(self):
        return max(self.standbys_alive(), key=Server.received)

    def standbys_alive(self):
        return [server for server in self.standbys() if server.process.poll() is None]

    def close(self):
        for server in self.servers:
            server.signal_all(signal.SIGCONT)
            server.end(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)
