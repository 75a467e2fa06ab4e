"""The lab itself: what it lets through and what it drops, without the daemon."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from capture import Capture
from lab import INTERNET, LAN1, LAN2, MARK_LINE, NETNS_DIR, WAN, WAN1, Lab, remove_stale

HERE = Path(__file__).parent
DNAT = """
table ip handmade {{
  chain pre {{ type nat hook prerouting priority dstnat;
    ip daddr {wan} tcp dport 8081 dnat to {lan1}:8080
    ip daddr {wan} udp dport 8081 dnat to {lan1}:8080
  }}
  chain forward {{ type filter hook forward priority filter - 5; {mark}; }}
}}
"""
SET_MARK = "ct status dnat meta mark set meta mark | 0x40000000"


@pytest.fixture(scope="module", name="lab")
def fixture_lab():
    """A lab with services on lan1 and wan1."""
    with Lab() as lab:
        lab.services.tcp(lab.lan1, 8080)
        lab.services.udp(lab.lan1, 8080)
        lab.services.tcp(lab.wan1, 80)
        lab.services.udp(lab.wan1, 53)
        yield lab


@pytest.fixture(autouse=True)
def fixture_no_leftover(lab):
    """Hand-made rules end with their test."""
    yield
    lab.rtr.nft("table ip handmade\ndelete table ip handmade")


def test_lan_hosts_reach_each_other_and_the_internet(lab):
    """LAN to LAN directly, LAN and guest to the internet behind the router's address."""
    assert lab.lan2.fetch(LAN1, 8080) == "lan1:8080 serves 192.168.1.20\n"
    for host in (lab.lan1, lab.lan2, lab.gst):
        assert host.fetch(INTERNET, 80) == f"wan1:80 serves {WAN}\n"
    assert lab.lan1.udp_ask(WAN1, 53, b"name") == f"wan1:53 {WAN}|name".encode()


def test_router_drops_what_nothing_accepts(lab):
    """The WAN host has a route to the LAN, yet forward drops; a closed router port refuses."""
    with Capture(lab.lan1) as lan:
        assert lab.wan1.tcp_reaches(LAN1, 8080) == "dropped"
        assert lab.wan1.udp_ask(LAN1, 8080) == "dropped"
        assert not lan.packets()
    assert lab.wan1.tcp_reaches(WAN, 8081) == "refused"
    assert lab.wan1.udp_ask(WAN, 8081) == "refused"
    assert lab.gst.tcp_reaches(LAN1, 8080) == "dropped"


def test_dnat_alone_is_dropped_and_the_mark_line_lets_it_in(lab):
    """A hand-written DNAT needs the mark bit; without the mark line the bit is worth nothing."""
    lab.rtr.nft(DNAT.format(wan=WAN, lan1=LAN1, mark="accept"))
    assert lab.wan1.tcp_reaches(WAN, 8081) == "dropped"

    lab.rtr.nft("delete table ip handmade\n" + DNAT.format(wan=WAN, lan1=LAN1, mark=SET_MARK))
    assert lab.wan1.fetch(WAN, 8081) == f"lan1:8080 serves {WAN1}\n"
    assert lab.wan1.udp_ask(WAN, 8081) == f"lan1:8080 {WAN1}|ping".encode()

    lab.firewall(mark_line="")
    assert lab.wan1.tcp_reaches(WAN, 8081) == "dropped"
    lab.firewall(mark_line=MARK_LINE)
    assert lab.wan1.tcp_reaches(WAN, 8081) == "connected"


def test_capture_sees_a_handshake(lab):
    """The capture helper tells both directions and the flags."""
    with Capture(lab.lan1) as lan:
        lab.lan2.fetch(LAN1, 8080)
        packets = lan.packets()
    assert any(p.syn_ack and p.sent and p.target == LAN2 for p in packets)
    assert any(p.payload.startswith(b"GET /") and not p.sent for p in packets)


def test_labs_of_dead_processes_are_removed():
    """A namespace that carries the pid of an ended process goes, with the process inside it."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    stale = f"igw{ended.pid}-0000-rtr"
    subprocess.run(["ip", "netns", "add", stale], check=True)
    with subprocess.Popen(["ip", "netns", "exec", stale, "cat"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as left:
        left.stdin.write(b"x")
        left.stdin.flush()
        assert left.stdout.read(1) == b"x"  # it runs there now
        remove_stale()
        assert left.wait(5) != 0
    assert not (NETNS_DIR / stale).exists()


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_process_removes_its_lab(sig):
    """Ctrl-C and the signals that end a program remove the lab as its end does."""
    program = ("from lab import Lab\n"
               "with Lab() as lab:\n"
               "    print(lab.prefix, flush=True)\n"
               "    input()\n")
    with subprocess.Popen([sys.executable, "-c", program], cwd=HERE, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        prefix = process.stdout.readline().strip()
        assert [name for name in os.listdir(NETNS_DIR) if name.startswith(prefix)]
        process.send_signal(sig)
        assert process.wait(10) != 0
    assert not [name for name in os.listdir(NETNS_DIR) if name.startswith(prefix)]


def test_lab_leaves_nothing_behind():
    """After the block no namespace of it is left, also when the block fails."""
    with pytest.raises(ZeroDivisionError), Lab() as lab:
        names = [host.ns for host in (lab.rtr, lab.wan1, lab.lan1, lab.lan2, lab.gst)]
        assert set(names) <= set(os.listdir(NETNS_DIR))
        _ = 1 // 0
    assert not set(names) & set(os.listdir(NETNS_DIR))
