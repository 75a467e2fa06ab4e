"""Leases: the kernel ends a mapping on time, whether or not anything of ours still runs."""

import time

import pytest

from igdward import Daemon
from lab import LAN1, WAN
from netns import eventually

SLACK_S = 1.5


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With services on lan1."""
    lab.services.tcp(lab.lan1, 8080)
    lab.services.udp(lab.lan1, 9090)
    yield lab


@pytest.fixture(name="daemon")
def fixture_daemon(lab):
    """A fresh daemon for each test: one is killed."""
    with Daemon(lab) as daemon:
        yield daemon


def closes(lab, port, within):
    """Waits until the WAN host finds this port closed; the seconds that took."""
    begin = time.monotonic()
    eventually(lambda: lab.wan1.tcp_reaches(WAN, port) != "connected", f"{port} closed", within)
    return time.monotonic() - begin


def test_lease_expires_with_every_process_killed(lab, daemon, lan1):
    """A mapping of three seconds closes on time although nothing is left that could close it."""
    begin = time.monotonic()
    assert lan1.add(18080, 8080, lease=3) == 0
    assert lan1.add(19090, 9090, protocol="UDP", lease=3) == 0
    assert lan1.add(18081, 8080, lease=600) == 0
    daemon.kill_all()

    assert lab.wan1.tcp_reaches(WAN, 18080) == "connected"
    assert lab.wan1.udp_ask(WAN, 19090).endswith(b"|ping")
    closes(lab, 18080, 3 + SLACK_S)
    lived = time.monotonic() - begin
    assert 2 <= lived <= 3 + SLACK_S
    eventually(lambda: not lab.mapped("udp", 19090), "the UDP element gone", SLACK_S)
    assert lab.wan1.udp_ask(WAN, 19090) == "refused"
    assert lab.wan1.fetch(WAN, 18081).startswith("lan1:8080")  # the control: a longer lease


def test_lease_expires_while_serving(lab, daemon, lan1):
    """An expired mapping is closed, answered with 714, not listed, and its port free again."""
    assert lan1.add(18080, 8080, lease=2) == 0
    assert lab.wan1.tcp_reaches(WAN, 18080) == "connected"
    left = int(lan1.specific(18080).values["NewLeaseDuration"])
    assert 1 <= left <= 2
    closes(lab, 18080, 2 + SLACK_S)
    eventually(lambda: lan1.specific(18080).code == 714, "714 after the lease", SLACK_S)
    assert lan1.generic(0).code == 713
    assert daemon.cli("list") == []
    assert lan1.delete(18080) == 714
    assert lan1.add(18080, 8080, lease=600) == 0
    assert lab.wan1.tcp_reaches(WAN, 18080) == "connected"


def test_lease_end_cuts_the_open_connection(lab, daemon, lan1):
    """A connection through the mapping does not outlive the lease while the daemon runs."""
    assert daemon.process
    assert lan1.add(18080, 8080, lease=2) == 0
    with lab.wan1.connect(WAN, 18080) as conn:
        conn.sendall(b"hello")
        assert conn.recv(100) == b"hello"
        eventually(lambda: not lab.flows(18080), "the flow cut at the end of the lease",
                   2 + SLACK_S)
        conn.sendall(b"still there?")
        with pytest.raises(ConnectionResetError):
            conn.recv(100)


def test_refresh_extends_the_lease(lab, daemon, lan1):
    """The same request again replaces the remaining time; the mapping keeps id and flow."""
    assert lan1.add(18080, 8080, lease=2) == 0
    first = daemon.mappings()["tcp", 18080]
    with lab.wan1.connect(WAN, 18080) as conn:
        conn.sendall(b"before")
        assert conn.recv(100) == b"before"
        begin = time.monotonic()
        assert lan1.add(18080, 8080, lease=300) == 0
        entry = daemon.mappings()["tcp", 18080]
        assert entry["id"] == first["id"]
        assert 290 < entry["lease_remaining_s"] <= 300
        # Two seconds later, measured by a second mapping that ends then, it still stands.
        assert lan1.add(18081, 8080, lease=2) == 0
        closes(lab, 18081, 2 + SLACK_S)
        assert time.monotonic() - begin > 1.5
        assert lab.wan1.tcp_reaches(WAN, 18080) == "connected"
        conn.sendall(b"after")
        assert conn.recv(100) == b"after"


def test_lease_zero_is_the_longest(lab, daemon, lan1):
    """Lease 0 is no eternity: the policy's zero_s counts, and both Get actions tell the rest."""
    assert lab and lan1.add(18080, 8080, lease=0) == 0
    assert 604700 < daemon.mappings()["tcp", 18080]["lease_remaining_s"] <= 604800
    for answer in (lan1.specific(18080), lan1.generic(0)):
        assert answer.values["NewInternalClient"] == LAN1
        assert int(answer.values["NewLeaseDuration"]) <= 604800
