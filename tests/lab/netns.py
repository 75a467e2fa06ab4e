"""One network namespace as a host: programs run in it, sockets opened in it, its removal.

A socket stays in the namespace it was made in, so a test process opens sockets on any host of the
lab by stepping into the namespace for the moment of socket(): setns() moves one thread only.
"""

import ctypes
import errno
import os
import select
import shlex
import signal
import socket
import struct
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

NETNS_DIR = Path("/run/netns")
CLONE_NEWNET = 0x40000000
DEADLINE_S = 10  # for everything that does happen; generous, as nothing waits it out
DROPPED_AFTER_S = 1.0  # how long an answer may take before it counts as none

libc = ctypes.CDLL(None, use_errno=True)


def eventually(predicate, what, within=DEADLINE_S):
    """The value of predicate() as soon as it is true; else an AssertionError names what never came."""
    never = select.poll()
    end = time.monotonic() + within
    pause_ms = 2
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {within} s: {what}")
        never.poll(pause_ms)
        pause_ms = min(pause_ms * 2, 50)


def pidfd_ended(pidfd, within=DEADLINE_S):
    """True once the process behind pidfd has ended."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(within * 1000))


def kill(pid, sig=signal.SIGKILL, wait=True):
    """Signals one process by pidfd; with wait, returns when it has ended."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(pidfd, sig)
        if wait and not pidfd_ended(pidfd):
            raise AssertionError(f"process {pid} survived signal {sig}")
    except ProcessLookupError:
        pass
    finally:
        os.close(pidfd)


def processes_in(namespace):
    """Pids of all processes whose network namespace is the named one."""
    wanted = os.stat(NETNS_DIR / namespace)
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            seen = os.stat(f"/proc/{entry}/ns/net")
        except OSError:
            continue
        if (seen.st_dev, seen.st_ino) == (wanted.st_dev, wanted.st_ino):
            found.append(int(entry))
    return found


def remove_namespace(namespace):
    """Kills what still runs in the namespace and removes it with all its links."""
    if not (NETNS_DIR / namespace).exists():
        return
    while left := processes_in(namespace):
        for pid in left:
            kill(pid)
    subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)


class Host:
    """A host of the lab. `name` is short (lan1), `ns` the name of its namespace."""

    def __init__(self, ns, name):
        self.ns = ns
        self.name = name
        subprocess.run(["ip", "netns", "add", ns], check=True, capture_output=True)
        self._fd = os.open(NETNS_DIR / ns, os.O_RDONLY | os.O_CLOEXEC)

    def remove(self):
        """Ends every process in the namespace, then the namespace."""
        os.close(self._fd)
        remove_namespace(self.ns)

    # -- programs ---------------------------------------------------------------------------

    def run(self, *argv, check=True, timeout=30, **kw):
        """Runs a program on this host to its end; output is captured as text."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.ns, *map(str, argv)],
            capture_output=True, text=True, timeout=timeout, check=False, **kw,
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"{self.name}: {shlex.join(map(str, argv))} ended with {done.returncode}:\n"
                f"{done.stdout}{done.stderr}"
            )
        return done

    def popen(self, *argv, **kw):
        """Starts a program on this host; the pid is the program's own."""
        return subprocess.Popen(["ip", "netns", "exec", self.ns, *map(str, argv)], **kw)

    def nft(self, text):
        """Loads nftables commands on this host."""
        self.run("nft", "-f", "-", input=text)

    def sysctl(self, key, value=None):
        """Reads or, with a value, writes one kernel setting of this namespace."""
        path = Path("/proc/sys") / key.replace(".", "/")
        with self.entered():
            if value is not None:
                path.write_text(f"{value}\n", encoding="ascii")
            return path.read_text(encoding="ascii").strip()

    # -- sockets ----------------------------------------------------------------------------

    @contextmanager
    def entered(self):
        """The calling thread is in this namespace within the block."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(self._fd)
            try:
                yield
            finally:
                _setns(own)
        finally:
            os.close(own)

    def open_socket(self, kind=socket.SOCK_STREAM, family=socket.AF_INET, proto=0):
        """A new socket of this host."""
        with self.entered():
            return socket.socket(family, kind | socket.SOCK_CLOEXEC, proto)

    def listen(self, address, port, kind=socket.SOCK_STREAM):
        """A bound (and for TCP listening) socket."""
        sock = self.open_socket(kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        if kind == socket.SOCK_STREAM:
            sock.listen(128)
        return sock

    def connect(self, address, port, kind=socket.SOCK_STREAM, within=DEADLINE_S, source=""):
        """A connected socket whose timeout is `within`; raises OSError if that fails."""
        sock = self.open_socket(kind)
        sock.settimeout(within)
        try:
            sock.bind((source, 0))
            sock.connect((address, port))
        except OSError:
            sock.close()
            raise
        return sock

    def fetch(self, address, port, within=DEADLINE_S, source=""):
        """The page that a lab service serves at address:port."""
        with self.connect(address, port, within=within, source=source) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: sock.recv(65536), b""))
        head, _, page = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.0 200"):
            raise AssertionError(f"no page at {address}:{port} but {answer[:80]!r}")
        return page.decode()

    def tcp_reaches(self, address, port, within=DROPPED_AFTER_S):
        """What a connection attempt meets: 'connected', 'refused', 'dropped' or 'unreachable'."""
        return self.tcp_probe([(address, port)], within)[address, port]

    def tcp_probe(self, targets, within=DROPPED_AFTER_S):
        """tcp_reaches() for many (address, port) at once, under one deadline."""
        verdicts = {}
        waiting = {}
        poll = select.poll()
        for target in targets:
            sock = self.open_socket(
                family=socket.AF_INET6 if ":" in target[0] else socket.AF_INET)
            sock.setblocking(False)
            code = sock.connect_ex(_sockaddr(sock, target))
            if code == errno.EINPROGRESS:
                waiting[sock.fileno()] = (sock, target)
                poll.register(sock, select.POLLOUT)
            else:
                verdicts[target] = _tcp_verdict(code)
                sock.close()
        end = time.monotonic() + within
        while waiting and (left := end - time.monotonic()) > 0:
            for fd, _ in poll.poll(left * 1000):
                sock, target = waiting.pop(fd)
                poll.unregister(fd)
                verdicts[target] = _tcp_verdict(
                    sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
                sock.close()
        for sock, target in waiting.values():
            verdicts[target] = "dropped"
            sock.close()
        return verdicts

    def udp_ask(self, address, port, question=b"ping", within=DROPPED_AFTER_S):
        """The answer to one datagram; 'refused' by a closed port, 'dropped' if nothing comes."""
        with self.connect(address, port, socket.SOCK_DGRAM, within) as sock:
            return udp_exchange(sock, question)


def udp_exchange(sock, question=b"ping"):
    """One datagram and its answer on a connected UDP socket; see Host.udp_ask()."""
    try:
        sock.send(question)
        return sock.recv(65536)
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "dropped"


def abort(sock):
    """Closes a TCP socket by a reset, so that no wait state stays behind."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _sockaddr(sock, target):
    address, port = target
    if sock.family == socket.AF_INET6:
        return socket.getaddrinfo(
            address, port, socket.AF_INET6, flags=socket.AI_NUMERICHOST)[0][4]
    return (address, port)


def _tcp_verdict(code):
    if code == 0:
        return "connected"
    if code in (errno.ECONNREFUSED, errno.ECONNRESET):
        return "refused"
    if code in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return "unreachable"
    if code == errno.ETIMEDOUT:
        return "dropped"
    raise OSError(code, os.strerror(code))


def _setns(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")
