"""Other programs change our tables: what is ours is back at once, and complete."""

import json
import re
import time

import pytest

from igdward import Daemon
from lab import LAN1, WAN, WAN1
from netns import eventually

RESTORED_WITHIN_S = 1


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With a service on lan1."""
    lab.services.tcp(lab.lan1, 8080)
    lab.services.udp(lab.lan1, 9090)
    yield lab


@pytest.fixture(name="daemon")
def fixture_daemon(lab):
    """A fresh daemon for each test, whose tables anybody may change (owner off)."""
    with Daemon(lab) as daemon:
        yield daemon


@pytest.fixture(name="mapped")
def fixture_mapped(lab, daemon, lan1):
    """Two mappings, and our tables as they have to be."""
    assert lan1.add(18080, 8080, lease=600) == 0
    assert lan1.add(19090, 9090, protocol="UDP", lease=600) == 0
    assert lab.wan1.fetch(WAN, 18080) == f"lan1:8080 serves {WAN1}\n"
    return tables(lab)


def tables(lab):
    """Our tables but for the leases, which run."""
    return re.sub(r'"timeout": \d+', '"timeout": "some"', lab.dump())


def handle_of_a_rule(lab, table, chain):
    """The handle of the first rule of a chain."""
    listed = lab.rtr.run("nft", "-j", "-a", "list", "chain", "inet", table, chain).stdout
    return next(item["rule"]["handle"] for item in json.loads(listed)["nftables"]
                if "rule" in item)


def restored(lab, daemon, mark, dump):
    """The daemon has noticed, named nft, and everything is as before."""
    daemon.wait_log(r'tables-touched by="nft" pid=[1-9]', since=mark)
    eventually(lambda: tables(lab) == dump, "our tables as before", RESTORED_WITHIN_S)
    assert lab.wan1.fetch(WAN, 18080) == f"lan1:8080 serves {WAN1}\n"
    assert lab.wan1.udp_ask(WAN, 19090).endswith(b"|ping")
    assert 500 < daemon.mappings()["tcp", 18080]["lease_remaining_s"] <= 600


@pytest.mark.parametrize("change", [
    "delete table inet igdward",
    "delete table inet igdward_floor",
    "delete table inet igdward\ndelete table inet igdward_floor",
    "flush table inet igdward",
    "flush table inet igdward_floor",
    "flush map inet igdward dnat4",
    "flush set inet igdward in4",
    "delete element inet igdward dnat4 { tcp . 18080 }",
    "add element inet igdward dnat4 { tcp . 20000 : 192.168.1.10 . 8080 }",
    "add element inet igdward_floor lan { wan0 }",
    "insert rule inet igdward_floor forward accept",
    "add chain inet igdward_floor early { type filter hook forward priority -30; }",
])
def test_changes_are_undone(lab, daemon, mapped, change):
    """Whatever is removed, added or flushed: undone, leases as they were, nft named in the log."""
    mark = daemon.log_mark()
    lab.rtr.nft(change + "\n")
    restored(lab, daemon, mark, mapped)


@pytest.mark.parametrize("table, chain", [
    ("igdward", "forward"), ("igdward", "mapped"), ("igdward_floor", "forward"),
])
def test_deleted_rules_are_back(lab, daemon, mapped, table, chain):
    """A single rule deleted by its handle is noticed, too."""
    mark = daemon.log_mark()
    handle = handle_of_a_rule(lab, table, chain)
    lab.rtr.run("nft", "delete", "rule", "inet", table, chain, "handle", handle)
    restored(lab, daemon, mark, mapped)


def test_flush_ruleset(lab, daemon, mapped):
    """As a firewall's reload does it: everything goes, the firewall comes back, and so do we."""
    firewall = lab.rtr.run("nft", "list", "table", "inet", "host").stdout
    mark = daemon.log_mark()
    lab.rtr.nft("flush ruleset\n" + firewall)
    restored(lab, daemon, mark, mapped)


def test_changes_of_other_tables_are_not_ours(lab, daemon, mapped):
    """Somebody else's table is no reason to touch anything."""
    mark = daemon.log_mark()
    lab.rtr.nft("add table inet other\nadd set inet other s { type ipv4_addr; }\n"
                "add element inet other s { 192.0.2.1 }\ndelete table inet other\n")
    # The control: the same change to ours, after it, is noticed; the other was not.
    lab.rtr.nft("delete table inet igdward\n")
    restored(lab, daemon, mark, mapped)
    touched = [line for line in daemon.lines[mark:] if "tables-touched" in line]
    assert len(touched) == 1


def test_our_own_changes_are_not_noticed(daemon, lan1, mapped):
    """Adding and deleting mappings restores nothing."""
    assert mapped
    for port in range(20000, 20050):
        assert lan1.add(port, 8080) == 0
        assert lan1.delete(port) == 0
    assert "tables-touched" not in daemon.log()


def test_contest(lab, daemon, mapped):
    """Removed again and again: slower and slower, degraded by name, right in the end."""
    for _ in range(7):
        mark = daemon.log_mark()
        lab.rtr.nft("table inet igdward\ndelete table inet igdward\n")
        said = daemon.wait_log(r"tables-touched by=\"nft\" pid=\d+ restore_in_ms=(\d+)", mark)
        begin = time.monotonic()
        daemon.wait_log("tables-restored", since=mark)
        assert time.monotonic() - begin >= int(said[1]) / 1000 - 0.1
    assert int(said[1]) >= 2000
    status = daemon.cli("status", code=7)
    assert any("contested by nft" in sentence for sentence in status["degraded"])
    assert tables(lab) == mapped


def test_flood_of_notifications(lab, daemon, mapped):
    """More news than the buffer holds: nothing is taken for granted, everything is right."""
    bulk = ", ".join(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(30000))
    lab.rtr.nft("add table inet other\nadd set inet other s { type ipv4_addr; }\n")
    try:
        for _ in range(4):
            lab.rtr.nft(f"add element inet other s {{ {bulk} }}\nflush set inet other s\n")
        lab.rtr.nft("delete table inet igdward\n")
        eventually(lambda: tables(lab) == mapped, "our tables as before", 10)
    finally:
        lab.rtr.nft("delete table inet other\n")
    assert lab.wan1.fetch(WAN, 18080) == f"lan1:8080 serves {WAN1}\n"
    assert daemon.cli("list")


def test_owned_tables_cannot_be_changed(lab):
    """With owner auto other programs are refused, and a flush passes over our tables."""
    with Daemon(lab, config={"owner": "auto"}) as daemon:
        assert daemon.cli("status")["tables_owned"]
        before = lab.dump()
        for change in ("delete table inet igdward", "flush table inet igdward_floor",
                       "add element inet igdward lan { wan0 }"):
            assert lab.rtr.run("nft", change, check=False).returncode != 0
        firewall = lab.rtr.run("nft", "list", "table", "inet", "host").stdout
        lab.rtr.nft("flush ruleset\n" + firewall)
        assert lab.dump() == before
        assert LAN1 and "tables-touched" not in daemon.log()
