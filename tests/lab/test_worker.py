"""The UPnP worker alone, with a broker of ours behind it: how it starts, ends and is confined."""

import os
import re
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from capture import Capture
from fake_broker import GUEST_LINK, PORT, spawn, start
from lab import GST, GUEST, LAN, LAN1
from netns import eventually
from soap import SSDP, WIC, ControlPoint, search
from worker_fixtures import fixture_served, fixture_worker  # pylint: disable=unused-import

CANNOT_SERVE = 3
SILENT_WITHIN_S = 1.2


def notifies(packets):
    """(NTS, NT, USN) of the SSDP notifications among packets, and their texts."""
    found = []
    for packet in packets:
        text = packet.payload.decode("latin-1")
        if packet.target == SSDP[0] and text.startswith("NOTIFY"):
            head = dict(line.split(": ", 1) for line in text.split("\r\n")[1:] if line)
            found.append((head["NTS"], head["NT"], head["USN"], head, packet.source))
    return found


def everything(link):
    """All notifications that have come by the time the link is silent for a moment."""
    packets = []
    while more := link.watch(0.5, lambda p: p.target == SSDP[0]):
        packets += more
    return notifies(packets)


def test_byebye_then_alive_and_byebye_again(lab):
    """The set of ten: byebye before the first alive, byebye at the end, nothing on the WAN."""
    with Capture(lab.gst) as link, Capture(lab.wan1) as outside, spawn(lab) as worker:
        start(worker, **GUEST_LINK)
        first = everything(link)
        os.kill(worker.process.pid, signal.SIGTERM)
        assert worker.wait() == 0
        end = everything(link)
        assert not [p for p in outside.packets() if p.protocol == "udp"]
    kinds = [nts for nts, *_ in first]
    assert kinds == sorted(kinds, reverse=True)  # all byebyes, then all alives
    gone, alive = ({(nt, usn) for nts, nt, usn, *_ in first if nts == f"ssdp:{word}"}
                   for word in ("byebye", "alive"))
    assert len(alive) == 10
    assert gone == alive
    assert {(nt, usn) for _, nt, usn, *_ in end} == alive
    assert {nts for nts, *_ in end} == {"ssdp:byebye"}
    for nts, _, usn, head, source in first:
        assert usn.startswith("uuid:22345678-9abc-4def-8123-456789abcd")
        assert source == GUEST
        if nts == "ssdp:alive":
            assert head["CACHE-CONTROL"] == "max-age=1800"
            assert head["LOCATION"].startswith(f"http://{GUEST}:{PORT}/")
            assert len(head["SERVER"].split()) == 3


def test_end_of_the_channel(lab):
    """A broker that is gone ends the worker, with a byebye."""
    with Capture(lab.gst) as link, spawn(lab) as worker:
        start(worker, **GUEST_LINK)
        everything(link)
        worker.channel.shutdown(socket.SHUT_RDWR)
        assert worker.wait() == 0
        assert {nts for nts, *_ in everything(link)} == {"ssdp:byebye"}


def test_end_before_the_link(lab):
    """It waits for what to serve, and ends when told so or when nobody is left to tell it."""
    with spawn(lab) as worker:
        blocked = re.compile(r"SigBlk:\t0*(?!0)\w+")  # the signals that it takes care of
        status = Path(f"/proc/{worker.process.pid}/status")
        eventually(lambda: blocked.search(status.read_text(encoding="ascii")), "its start")
        worker.process.terminate()
        assert worker.wait() == 0
    with spawn(lab) as worker:
        worker.channel.shutdown(socket.SHUT_RDWR)
        assert worker.wait() == 0
        assert worker.stderr() == ""


@pytest.mark.parametrize("raw", [b"", b"x", b"\xff" * 8, bytes(8), b"\1" * 300])
def test_broken_protocol(lab, raw):
    """What is no message of the broker ends the worker with a failure, said once."""
    with spawn(lab) as worker:
        worker.channel.send(raw)
        assert worker.wait() == (1 if raw else 0)  # a packet without a byte is an end
        assert worker.stderr().count("channel to the broker") == (1 if raw else 0)


def test_messages_out_of_place(lab):
    """A second link, and a message that only others get."""
    for name in ("IGW_LINK", "IGW_STARTED"):
        with spawn(lab) as worker:
            start(worker, **GUEST_LINK)
            worker.send(name)
            assert worker.wait() == 1


@pytest.mark.parametrize("changed", [
    {"prefix_len": 0}, {"prefix_len": 33}, {"addr": ""}, {"interface": ""}, {"uuid": "x"},
])
def test_senseless_link(lab, changed):
    """A link that makes no sense is a failure, and said by the channel."""
    with spawn(lab) as worker:
        worker.link(**changed)
        assert worker.receive() is None
        assert worker.wait() == 1
        assert len(worker.log) == 1 and "link" in worker.said()[0]


def test_interface_that_is_not_there(lab):
    """No such interface or address: a failure, as it may come back, but not a final one."""
    for changed in ({"interface": "lan7"}, {"addr": "192.168.7.1"}):
        with spawn(lab) as worker:
            worker.link(**changed)
            assert worker.receive() is None
            assert worker.wait() == 1
            assert worker.said(), "no word of it"


@pytest.mark.parametrize("address", [GUEST, "0.0.0.0"])
def test_port_taken(lab, address):
    """Another program has the port: one sentence and exit code 3, at once."""
    with lab.rtr.listen(address, 5001), spawn(lab) as worker:
        worker.link(**GUEST_LINK, http_port=5001)
        assert worker.receive() is None
        assert worker.wait() == CANNOT_SERVE
        assert worker.said() == ["port 5001 on br-guest is taken by another program; free it "
                                 "or set http_port"]


def test_privileged_port(lab):
    """A port below 1024 is not for a worker."""
    with spawn(lab) as worker:
        worker.link(**GUEST_LINK, http_port=80)
        assert worker.receive() is None
        assert worker.wait() == CANNOT_SERVE
        assert "port 80 on br-guest" in worker.said()[0]


def test_any_port(lab):
    """Port 0 means any; it is told to the broker, and two workers of one machine may have it."""
    with spawn(lab) as worker:
        port = start(worker, **GUEST_LINK, http_port=0)
        assert port >= 1024
        found = ControlPoint(lab.gst, GST)
        assert urlsplit(found.location).port == port
        assert found.ask("GetExternalIPAddress")


def test_second_address(lab):
    """Of an interface with several addresses the broker's choice is served."""
    lab.rtr.run("ip", "addr", "add", "10.9.9.1/24", "dev", "br-guest")
    try:
        with spawn(lab) as worker:
            start(worker, **GUEST_LINK)
            assert ControlPoint(lab.gst, GST).location.startswith(f"http://{GUEST}:")
    finally:
        lab.rtr.run("ip", "addr", "del", "10.9.9.1/24", "dev", "br-guest")


def test_igd_version_2_is_served_as_1(lab):
    """As long as there is no second version, the first is served and that is said."""
    with spawn(lab) as worker:
        start(worker, **GUEST_LINK, igd_version=2)
        worker.await_kept(worker.log, lambda line: "igd_version 2" in line.text)
        assert WIC in ControlPoint(lab.gst, GST).services


def test_each_worker_has_its_link(lab, worker):
    """Two workers on one machine: each LAN hears of its own only (IP_MULTICAST_ALL)."""
    with spawn(lab) as other:
        start(other, **GUEST_LINK)
        for host, address, own in ((lab.lan1, LAN1, LAN), (lab.gst, GST, GUEST)):
            with Capture(host) as link:
                [answer] = search(host, address, "upnp:rootdevice")
                assert answer["location"].startswith(f"http://{own}:")
                late = link.watch(SILENT_WITHIN_S, lambda p: not p.sent and
                                  p.protocol == "udp" and b"LOCATION" in p.payload and
                                  own.encode() not in p.payload)
                assert not late
    assert worker.process.poll() is None


def test_runs_confined(worker):
    """No privilege, no core, its own limits, nowhere to print; and a name for the log."""
    pid = worker.process.pid
    status = dict(line.split(":\t", 1) for line in
                  Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
                  if ":\t" in line)
    assert status["CapEff"] == status["CapPrm"] == "0" * 16
    assert status["NoNewPrivs"] == "1"
    limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
    assert re.search(r"Max core file size\s+0 ", limits)
    assert re.search(r"Max open files\s+256 ", limits)
    if re.search(r"Max address space\s+33554432 ", limits):  # not with a sanitizer
        assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)} == {"/dev/null"}
        assert int(status["VmSize"].split()[0]) < 16 * 1024
        assert int(status["VmRSS"].split()[0]) < 8 * 1024
