"""Nothing of the gateway answers anybody but the hosts of its LAN link."""

import json
import re
import socket

import pytest

from capture import Capture
from lab import GST, GUEST, LAN, LAN1, WAN, WAN1
from soap import SSDP, search, search_message

TARGETS = ("ssdp:all", "upnp:rootdevice")
PORTS_5351 = (5351, 5350)
UNWANTED_WITHIN_S = 1.2  # an answer delayed by MX 1 comes earlier
AS_USER = """
import socket, sys
address, port = sys.argv[1], int(sys.argv[2])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
    udp.settimeout(1)
    try:
        udp.connect((address, port))
        udp.send(b"out")
        print("udp", udp.recv(100))
    except OSError as error:
        print("udp", type(error).__name__)
with socket.socket() as tcp:
    tcp.settimeout(1)
    print("tcp", tcp.connect_ex((address, port)))
"""


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With services that an escaped worker would try to reach."""
    for host in (lab.wan1, lab.lan1, lab.gst):
        lab.services.tcp(host, 8080)
        lab.services.udp(host, 8080)
    yield lab


@pytest.fixture(name="http_port")
def fixture_http_port(lan1):
    """The port of the gateway's HTTP."""
    return int(re.fullmatch(r"http://[\d.]+:(\d+)/.*", lan1.location)[1])


def link_local(host, interface):
    """The IPv6 link-local address of an interface."""
    [link] = json.loads(host.run("ip", "-j", "-6", "addr", "show", "dev", interface).stdout)
    return next(a["local"] for a in link["addr_info"] if a["scope"] == "link")


def knock(host, source, targets, port):
    """Sends everything that might make the gateway answer: searches, mapping requests, SYNs."""
    with host.open_socket(socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
        for address in (*targets, SSDP[0]):
            for target in TARGETS:
                sock.sendto(search_message(target), (address, SSDP[1]))
            for udp_port in PORTS_5351:
                sock.sendto(b"\0\0", (address, udp_port))
                sock.sendto(b"\2\0" + bytes(58), (address, udp_port))
    return host.tcp_probe([(address, port) for address in targets])


def knock_v6(host, neighbour, port):
    """The same over IPv6 on the link."""
    with host.entered():
        index = socket.if_nametoindex("eth0")
    with host.open_socket(socket.SOCK_DGRAM, socket.AF_INET6) as sock:
        for address in (neighbour, "ff02::c"):
            for target in TARGETS:
                sock.sendto(search_message(target), (address, SSDP[1], 0, index))
    return host.tcp_probe([(f"{neighbour}%{index}", port)])


def unwanted(packet):
    """A datagram or an accepted connection that came from the router."""
    return not packet.sent and (packet.protocol == "udp" or packet.syn_ack)


@pytest.mark.parametrize("rp_filter", [0, 1, 2])
@pytest.mark.parametrize("outsider", ["wan1", "gst"])
def test_no_byte_answers_an_outsider(lab, lan1, http_port, outsider, rp_filter):
    """Searches and connections from the WAN or guest link meet silence; the LAN is served."""
    host, source, own, interface = {
        "wan1": (lab.wan1, WAN1, WAN, "wan0"),
        "gst": (lab.gst, GST, GUEST, "br-guest"),
    }[outsider]
    lab.rp_filter(rp_filter)
    try:
        with Capture(host) as link:
            reached = knock(host, source, (own, LAN), http_port)
            reached |= knock_v6(host, link_local(lab.rtr, interface), http_port)
            assert search(lab.lan1, LAN1)  # the control: the same search from the LAN
            assert lab.lan1.tcp_reaches(LAN, http_port) == "connected"
            answers = link.watch(UNWANTED_WITHIN_S, unwanted)
        assert not answers
        assert set(reached.values()) <= {"refused", "dropped", "unreachable"}, reached
    finally:
        lab.rp_filter(1)
    assert lan1.ask("GetStatusInfo")


def test_capture_would_see_an_answer(lab):
    """The control of the capture: a service that does answer the WAN host is noticed."""
    lab.services.tcp(lab.rtr, 8090, WAN)
    lab.services.udp(lab.rtr, 8091, WAN)
    with Capture(lab.wan1) as link:
        assert lab.wan1.tcp_reaches(WAN, 8090) == "connected"
        assert link.watch(UNWANTED_WITHIN_S, unwanted)
        assert lab.wan1.udp_ask(WAN, 8091)
        assert link.watch(UNWANTED_WITHIN_S, unwanted)


def test_nothing_is_announced_on_wan_and_guest(lab, daemon):
    """Start, stop and all between send no SSDP to the WAN or guest link, but do to the LAN."""
    def ssdp(packet):
        return packet.protocol == "udp" and SSDP[1] in (packet.target_port, packet.source_port)

    with Capture(lab.wan1) as wan, Capture(lab.gst) as guest, Capture(lab.lan1) as lan:
        daemon.restart()
        assert lan.watch(5, lambda p: ssdp(p) and b"ssdp:alive" in p.payload)
        assert not list(filter(ssdp, wan.packets() + guest.packets()))


def test_sockets_of_the_router(lab, daemon, http_port):
    """Every listener of ours is bound to the LAN link, to its address or to loopback."""
    assert daemon.process
    ours = []
    for line in lab.rtr.run("ss", "-H", "-lntup").stdout.splitlines():
        if "igdward" in line:
            fields = line.split()
            address, _, port = fields[4].rpartition(":")
            ours.append((fields[0], address, port))
    assert ("tcp", str(http_port)) in {(kind, port) for kind, _, port in ours}
    for kind, address, port in ours:
        bound = address.partition("%")[2] == "br-lan" or address in (LAN, "127.0.0.1")
        assert bound, (kind, address, port)


def test_control_is_answered_under_the_lan_address_only(lab, http_port):
    """A LAN host that asks under the WAN or guest address gets no connection."""
    assert lab.lan1.tcp_reaches(LAN, http_port) == "connected"
    reached = lab.lan1.tcp_probe([(WAN, http_port), (GUEST, http_port)])
    assert set(reached.values()) <= {"refused", "dropped"}


def out_as(lab, user, address):
    """What a program of this user in the router reaches at address:8080."""
    done = lab.rtr.run("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
                       "/usr/bin/python3", "-I", "-c", AS_USER, address, 8080)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_worker_user_reaches_the_lan_only(lab, daemon):
    """A taken-over worker sends nothing to the WAN or guest link; its LAN it does reach."""
    assert daemon.process
    for address, captured in ((WAN1, lab.wan1), (GST, lab.gst)):
        with Capture(captured) as link:
            reached = out_as(lab, "igdward-net", address)
            assert reached["tcp"] != "0" and not reached["udp"].startswith("b"), reached
            assert not [p for p in link.packets() if p.target == address]
            control = out_as(lab, "igdward", address)
            assert control["tcp"] == "0" and control["udp"].startswith("b"), control
    inside = out_as(lab, "igdward-net", LAN1)
    assert inside["tcp"] == "0" and inside["udp"].startswith("b"), inside


def test_egress_rule_stands_while_the_daemon_is_down(lab, daemon):
    """The rule for the worker's user outlives the daemon, as a worker might."""
    daemon.stop()
    try:
        assert out_as(lab, "igdward-net", WAN1)["tcp"] != "0"
    finally:
        daemon.start()
