"""The broker's end of a worker's channel: the messages of include/igdward/msg.h, read from that
header itself, and a process at the other end of a socketpair."""

import ctypes
import ipaddress
import os
import re
import select
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from igdward import SANITIZER, installed_prefix
from lab import GUEST, LAN, LAN1
from netns import DEADLINE_S

ROOT = Path(__file__).resolve().parents[2]
HEADERS = [ROOT / "include/igdward" / name
           for name in ("addr.h", "text.h", "types.h", "reason.h", "msg.h")]
CHANNEL_FD = 3
WORKER_USER = "igdward-net"
UUID = "12345678-9abc-4def-8123-456789abcdef"
BASIC = {
    "uint8_t": ctypes.c_uint8, "uint16_t": ctypes.c_uint16, "uint32_t": ctypes.c_uint32,
    "uint64_t": ctypes.c_uint64, "int64_t": ctypes.c_int64, "char": ctypes.c_char,
}


def _source():
    text = "\n".join(path.read_text(encoding="utf-8") for path in HEADERS)
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S).replace("\\\n", " ")


def _macro_rows(source, macro):
    """Rows of an X macro: the text between the brackets of each X(...)."""
    body = re.search(rf"#define {macro}\(X\)(.*)", source)[1]
    return re.findall(r"X\(((?:[^()]|\([^()]*\))*)\)", body)


def _constants(source):
    found = {}
    for body in re.findall(r"enum(?: \w+)? \{([^}]*)\}", source):
        if "#define" in body:
            continue
        value = -1
        for item in filter(None, map(str.strip, body.split(","))):
            name, _, number = map(str.strip, item.partition("="))
            value = int(number, 0) if number else value + 1
            found[name] = value
    return found


class Messages:
    """Structures by name, message ids and reasons, as the compiler sees them."""

    def __init__(self):
        source = _source()
        self.constants = _constants(source)
        self.reasons = [row.split(",")[0].strip() for row in _macro_rows(source, "IGW_REASONS")]
        self.constants |= {name: i for i, name in enumerate(self.reasons)}
        self.constants["IGW_REASON_COUNT"] = len(self.reasons)
        self.structs = {}
        for name, body in re.findall(r"struct (\w+) \{([^}]*)\}", source):
            self.structs[name] = type(
                name, (ctypes.Structure,), {"_fields_": list(self._fields(body))})
        rows = [[cell.strip() for cell in row.split(",")]
                for row in _macro_rows(source, "IGW_MSGS")]
        self.names = {i + 1: row[0] for i, row in enumerate(rows)}
        self.ids = {name: i for i, name in self.names.items()}
        self.payloads = {row[0]: self.structs[row[1].split()[1]] for row in rows}

    def _size(self, text):
        return eval(text, {"__builtins__": {}}, self.constants)  # pylint: disable=eval-used

    def _fields(self, body):
        for line in filter(None, map(str.strip, body.split(";"))):
            kind, _, names = line.removeprefix("struct ").partition(" ")
            base = BASIC.get(kind) or self.structs[kind]
            for name in map(str.strip, names.split(",")):
                found = re.fullmatch(r"(\w+)\[(.*)\]", name)
                if found:
                    yield found[1], base * self._size(found[2])
                else:
                    yield name, base


MSG = Messages()


def address(text):
    """struct igw_addr of an IPv4 address; '' = none."""
    raw = b"\0" * 16
    if text:
        raw = b"\0" * 10 + b"\xff\xff" + ipaddress.IPv4Address(text).packed
    return MSG.structs["igw_addr"].from_buffer_copy(raw)


def address_text(addr):
    """The other way round."""
    raw = bytes(addr)
    return str(ipaddress.IPv4Address(raw[12:])) if any(raw) else ""


def pack(name, seq=0, **fields):
    """One message as bytes; text fields and addresses are given as str."""
    payload = MSG.payloads[name]()
    for key, value in fields.items():
        if isinstance(value, str):
            value = (address(value) if isinstance(getattr(payload, key), MSG.structs["igw_addr"])
                     else value.encode())
        setattr(payload, key, value)
    return (MSG.ids[name].to_bytes(4, "little") + seq.to_bytes(4, "little") + bytes(payload))


class Message:
    """A message that came: its name, number and fields."""

    def __init__(self, raw):
        self.name = MSG.names[int.from_bytes(raw[:4], "little")]
        self.seq = int.from_bytes(raw[4:8], "little")
        self._payload = MSG.payloads[self.name].from_buffer_copy(raw[8:])
        if len(raw) != 8 + ctypes.sizeof(self._payload):
            raise AssertionError(f"{self.name} has {len(raw)} bytes")

    def __getattr__(self, key):
        value = getattr(self._payload, key)
        if isinstance(value, MSG.structs["igw_addr"]):
            return address_text(value)
        return value.decode() if isinstance(value, bytes) else value


class Worker:
    """Context manager: a worker process on a host of the lab, and the channel to it.

    Log lines and refusals are kept; every other message waits for receive(), unless serve()
    has been called: then a thread answers requests by `answers`.
    """

    def __init__(self, host, program, user=WORKER_USER):
        self.log = []
        self.refused = []
        self.requests = []
        self.answers = {}
        self._news = threading.Condition()
        self._thread = None
        self._ended = False
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.setblocking(False)
        with host.entered(), theirs:
            self.process = subprocess.Popen(
                [program], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, user=user,
                group=user, extra_groups=[], preexec_fn=_channel_at_3(theirs), close_fds=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.shutdown(socket.SHUT_RDWR)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self._thread:
            self._thread.join()
        self.channel.close()
        self.process.stderr.close()

    def send(self, name, seq=0, **fields):
        """Sends one message to the worker."""
        self.channel.send(pack(name, seq, **fields))

    def receive(self, within=DEADLINE_S):
        """The next message but log lines and refusals; None at the end of the channel."""
        end = time.monotonic() + within
        poll = select.poll()
        poll.register(self.channel, select.POLLIN)
        while poll.poll(max(0, end - time.monotonic()) * 1000):
            message = self._take()
            if message != "kept":
                return message
        raise AssertionError(f"no message within {within} s; log: {self.log}")

    def _take(self):
        try:
            raw = self.channel.recv(4096)
        except ConnectionResetError:
            raw = b""
        if not raw:
            return None
        message = Message(raw)
        kept = {"IGW_LOG": self.log, "IGW_REFUSED": self.refused}.get(message.name)
        if kept is None:
            return message
        with self._news:
            kept.append(message)
            self._news.notify_all()
        return "kept"

    def link(self, **changed):
        """Sends what to serve: the lab's LAN, unless changed."""
        self.send("IGW_LINK", **{
            "interface": "br-lan", "addr": LAN, "prefix_len": 24, "igd_version": 1,
            "http_port": 5000, "log_level": 3, "uuid": UUID, "friendly_name": "router",
            **changed})

    # -- a broker that answers --------------------------------------------------------------

    def serve(self, **answers):
        """From now on answers requests: a name of a request, a function of the message that
        returns name and fields of the answer, or None for no answer."""
        self.answers = answers
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while message := self._take():
            if message == "kept":
                continue
            answer = self.answers.get(message.name, lambda _: None)(message)
            with self._news:
                self.requests.append(message)
                self._news.notify_all()
            if answer:
                name, fields = answer
                try:
                    self.send(name, message.seq, **fields)
                except (BrokenPipeError, ConnectionResetError):
                    break
        with self._news:
            self._ended = True
            self._news.notify_all()

    def last(self, name):
        """The latest request of that name."""
        with self._news:
            return next(m for m in reversed(self.requests) if m.name == name)

    def await_kept(self, kept, predicate, within=DEADLINE_S):
        """The first of `kept` (log or refused) for which predicate is true, when it is there."""
        def found():
            return next(filter(predicate, kept), None)

        with self._news:
            message = self._news.wait_for(found, within)
            assert message, [getattr(m, "text", None) or m.what for m in kept]
            return message

    # -- the process ------------------------------------------------------------------------

    def wait(self, within=DEADLINE_S):
        """The exit code, once the process has ended."""
        return self.process.wait(within)

    def said(self):
        """Its log lines by the channel so far."""
        return [line.text for line in self.log]

    def stderr(self):
        """What an ended process printed."""
        return self.process.stderr.read().decode()


def _channel_at_3(theirs):
    fd = theirs.fileno()

    def place():
        os.dup2(fd, CHANNEL_FD)
        os.set_inheritable(CHANNEL_FD, True)

    return place


# -- a broker with which everything goes well --------------------------------------------------

PORT = 5000
PUBLIC = "11.22.33.44"  # miniupnpc takes only an address of the internet for a connection
ENTRY = {"lease_s": 3412, "internal_client": LAN1, "external_port": 8080, "internal_port": 80,
         "protocol": 6, "enabled": 1, "description": "<a>&\"'"}
GUEST_LINK = {"interface": "br-guest", "addr": GUEST,
              "uuid": "22345678-9abc-4def-8123-456789abcdef"}


def wan(_=None, **changed):
    """The broker's answer about the WAN link."""
    return "IGW_WAN", {"addr": PUBLIC, "uptime_s": 77, "link_up": 1, "tx_bytes": 2**33 + 5,
                       "rx_bytes": 6, "tx_packets": 7, "rx_packets": 8, **changed}


def result(reason="IGW_OK"):
    """An answer to add and delete."""
    return lambda _: ("IGW_MAP_RESULT", {"reason": MSG.constants[reason]})


def entry(reason="IGW_OK", **fields):
    """An answer to get and index."""
    return lambda _: ("IGW_MAP_ENTRY", {"reason": MSG.constants[reason], **fields})


def usual():
    """All answers."""
    return {"IGW_WAN_GET": wan, "IGW_MAP_ADD": result(), "IGW_MAP_DELETE": result(),
            "IGW_MAP_GET": entry(**ENTRY), "IGW_MAP_INDEX": entry(**ENTRY)}


def spawn(lab):
    """A worker that waits for what to serve."""
    return Worker(lab.rtr, installed_prefix() / "libexec/igdward/igdward-upnp")


def start(worker, **link):
    """Has it serve; the port."""
    worker.link(**link)
    message = worker.receive()
    assert message and message.name == "IGW_SERVING", worker.said()
    worker.serve(**usual())
    worker.send("IGW_CHANGED", addr=PUBLIC, mappings=7)
    return message.http_port


@contextmanager
def serving(lab):
    """A worker that serves br-lan, and still does when the tests are over."""
    with spawn(lab) as worker:
        assert start(worker) == PORT
        yield worker
        assert worker.process.poll() is None, worker.wait()
        worker.process.terminate()
        assert worker.wait() == 0
        assert not SANITIZER.search(worker.stderr())
