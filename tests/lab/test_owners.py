"""A mapping ends when its owner's address belongs to another host."""

import pytest

from igdward import Daemon
from lab import LAN, LAN1, WAN, WAN1
from netns import eventually
from soap import ControlPoint

NOTICED_WITHIN_S = 30
OTHER_MAC, MAC = "02:00:00:00:00:77", "02:00:00:00:00:10"


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With a service on lan1."""
    lab.services.tcp(lab.lan1, 8080)
    yield lab


@pytest.fixture(name="daemon")
def fixture_daemon(lab):
    """A fresh daemon for each test."""
    with Daemon(lab) as daemon:
        yield daemon


@pytest.fixture(name="other_card")
def fixture_other_card(lab):
    """Gives lan1's address to another network card, and back at the end."""
    def swap(mac=OTHER_MAC):
        lab.lan1.run("ip", "link", "set", "eth0", "address", mac)
        lab.lan1.run("ip", "route", "replace", "default", "via", LAN)
        # As after a night off: the router knows nobody, and is told by the first packet.
        lab.rtr.run("ip", "neigh", "del", LAN1, "dev", "br-lan", check=False)
        assert lab.lan1.tcp_reaches(LAN, 9) == "refused"
    yield swap
    swap(MAC)


def test_other_host_does_not_inherit(lab, daemon, lan1, other_card):
    """Without any request of the new host the mappings end, and their flows."""
    assert lan1.add(18080, 8080) == 0
    assert lab.wan1.fetch(WAN, 18080) == f"lan1:8080 serves {WAN1}\n"
    other_card()
    daemon.wait_log("map-removed.*why=owner-changed", within=NOTICED_WITHIN_S)
    assert daemon.mappings() == {}
    assert lab.wan1.tcp_reaches(WAN, 18080) == "refused"


def test_other_host_neither_renews_nor_deletes(lab, daemon, lan1, other_card):
    """The first request of the new host finds nothing of the old one's."""
    assert lan1.add(18080, 8080) == 0
    before = daemon.mappings()["tcp", 18080]["id"]
    other_card()
    application = ControlPoint(lab.lan1, LAN1)
    assert application.delete(18080) == 714
    assert application.add(18080, 8080) == 0
    assert daemon.mappings()["tcp", 18080]["id"] != before


def test_sleeping_host_keeps_its_mappings(lab, daemon, lan1):
    """A host that does not answer is not another host."""
    assert lan1.add(18080, 8080) == 0
    lab.rtr.run("ip", "neigh", "flush", "dev", "br-lan")
    lab.lan1.run("ip", "link", "set", "eth0", "down")
    try:
        lab.wan1.tcp_reaches(WAN, 18080)  # makes the router look for it in vain
        mark = daemon.log_mark()
        daemon.cli("reload")
        daemon.wait_log("policy-loaded", since=mark)
        assert {port for _, port in daemon.mappings()} == {18080}
    finally:
        lab.lan1.run("ip", "link", "set", "eth0", "up")
        lab.lan1.run("ip", "route", "replace", "default", "via", LAN)
    eventually(lambda: lab.wan1.tcp_reaches(WAN, 18080) == "connected", "the host is awake")
