"""Awkward moments: what must hold when processes, tables and routes go at the wrong time."""

import contextlib
import json
import os
import signal
import socket

import pytest

from igdward import CONFIG, HIGH_PORTS, POLICY, Daemon
from lab import LAN1, WAN, WAN1
from netns import DEADLINE_S, eventually, kill
from soap import ControlPoint

BACK_WITHIN_S = 2
OTHER_WAN = "203.0.113.77"


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With a service on lan1, and lan2's file sharing."""
    lab.services.tcp(lab.lan1, 8080)
    lab.services.tcp(lab.lan2, 445)
    yield lab


@pytest.fixture(name="daemon")
def fixture_daemon(lab):
    """A fresh daemon for each test."""
    with Daemon(lab) as daemon:
        yield daemon


@pytest.fixture(name="automatic")
def fixture_automatic(lab):
    """A daemon that finds its external interface by the default route."""
    with Daemon(lab, config={"external": None}) as daemon:
        yield daemon


def serves(lab):
    """Does a worker answer an application on lan1 now?"""
    try:
        return ControlPoint(lab.lan1, LAN1).ask("GetExternalIPAddress")
    except (OSError, AssertionError):
        return None


def page():
    """What the WAN host gets from lan1."""
    return f"lan1:8080 serves {WAN1}\n"


@contextlib.contextmanager
def default_route(lab, *route):
    """The router's default route replaced (or gone) for a while."""
    lab.rtr.run("ip", "route", "del", "default")
    try:
        if route:
            lab.rtr.run("ip", "route", "add", "default", *route)
        yield
    finally:
        lab.rtr.run("ip", "route", "replace", "default", "via", WAN1)


def test_two_ports_to_one_service_survive_a_broker(lab, daemon, lan1):
    """Two mappings that share their internal end are both there after a restart."""
    assert lan1.add(18080, 8080) == 0
    assert lan1.add(18081, 8080) == 0
    kill(daemon.broker())
    eventually(lambda: serves(lab), "the gateway serving again", 2 * BACK_WITHIN_S)
    assert {port for _, port in daemon.mappings()} == {18080, 18081}
    assert lab.wan1.fetch(WAN, 18080) == lab.wan1.fetch(WAN, 18081) == page()


def test_child_cannot_reach_the_terminal(daemon):
    """Each child has a session of its own, without the terminal that the daemon runs in."""
    assert daemon.children()
    for pid in daemon.children():
        assert os.getsid(pid) == pid


def test_overlapping_reloads_end_with_the_last_good_policy(lab, daemon, lan1):
    """A good and a bad file while the broker is held up: after a crash the good one holds."""
    broker = daemon.broker()
    os.kill(broker, signal.SIGSTOP)
    daemon.write_policy({**POLICY, "rules": []})
    daemon.process.send_signal(signal.SIGHUP)
    daemon.write_policy("{")
    daemon.process.send_signal(signal.SIGHUP)
    os.kill(broker, signal.SIGCONT)
    daemon.wait_log("policy-refused")
    eventually(lambda: daemon.cli("status", code=7), "a refused policy in status")
    kill(broker)
    eventually(lambda: serves(lab), "the gateway serving again", 2 * BACK_WITHIN_S)
    assert ControlPoint(lab.lan1, LAN1).add(18080, 8080) in (0, 606)
    daemon.write_policy({**POLICY, "rules": []})
    daemon.cli("reload")
    assert lan1.add(18080, 8080) == 606
    daemon.write_policy({**POLICY, "rules": [HIGH_PORTS]})
    daemon.cli("reload")
    assert lan1.add(18080, 8080) == 0


def test_floor_stands_without_a_default_route(lab, automatic):
    """The WAN link is not forgotten with its route: SMB from it stays closed."""
    lab.rtr.nft("insert rule inet host forward iifname wan0 accept")
    try:
        assert lab.wan1.tcp_reaches("192.168.1.20", 445) == "dropped"
        with default_route(lab):
            assert lab.wan1.tcp_reaches("192.168.1.20", 445) == "dropped"
            assert automatic.cli("status")["wan"]["interface"] == "wan0"
    finally:
        [rule] = [item["rule"]["handle"] for item in json.loads(
            lab.rtr.run("nft", "-j", "-a", "list", "chain", "inet", "host", "forward").stdout
        )["nftables"] if "rule" in item and "wan0" in json.dumps(item)
            and item["rule"]["expr"][-1] == {"accept": None}][:1]
        lab.rtr.run("nft", "delete", "rule", "inet", "host", "forward", "handle", rule)


def test_wan_never_becomes_a_lan_link(lab, automatic):
    """A default route into the LAN is refused as external: no mapping, and status says so."""
    application = ControlPoint(lab.lan1, LAN1)
    assert application.add(18080, 8080) == 0
    with default_route(lab, "via", LAN1):
        automatic.wait_log("wan-refused.*br-lan")
        assert application.add(18081, 8080) == 501
        assert application.ask("GetExternalIPAddress") == {"NewExternalIPAddress": ""}
        status = automatic.cli("status", code=7)
        assert status["degraded"] and status["wan"]["interface"] == "wan0"
    eventually(lambda: application.add(18081, 8080) == 0, "mappings again")


@pytest.mark.parametrize("tables", [
    ["igdward"], ["igdward_floor"], ["igdward", "igdward_floor"],
])
def test_lost_tables_are_back_with_the_next_mapping(lab, daemon, lan1, tables):
    """An acknowledged mapping works, and has the floor below it, whatever was deleted before."""
    assert lan1.add(18080, 8080) == 0
    for table in tables:
        lab.rtr.run("nft", "delete", "table", "inet", table)
    assert lan1.add(18081, 8080) == 0
    assert {"inet igdward", "inet igdward_floor"} <= lab.tables()
    assert lab.wan1.fetch(WAN, 18080) == lab.wan1.fetch(WAN, 18081) == page()
    daemon.wait_log("tables-(lost|touched)")


def test_lost_tables_are_seen_by_status(lab, daemon):
    """Asked for its state the daemon notices a missing floor and puts it back."""
    lab.rtr.run("nft", "delete", "table", "inet", "igdward_floor")
    daemon.cli("status")
    assert "inet igdward_floor" in lab.tables()


def test_wan_address_change_after_lost_tables(lab, daemon, lan1):
    """A mapping that is acknowledged after both works under the new address."""
    lab.rtr.run("nft", "delete", "table", "inet", "igdward")
    renumber(lab, WAN, OTHER_WAN)
    try:
        daemon.wait_log(f"wan-changed.*{OTHER_WAN}")
        assert lan1.add(18080, 8080) == 0
        assert lab.wan1.fetch(OTHER_WAN, 18080) == page()
    finally:
        renumber(lab, OTHER_WAN, WAN)


def renumber(lab, old, new):
    """The WAN link gets another address, and with it another default route."""
    lab.rtr.run("ip", "addr", "del", f"{old}/24", "dev", "wan0")
    lab.rtr.run("ip", "addr", "add", f"{new}/24", "dev", "wan0")
    lab.rtr.run("ip", "route", "replace", "default", "via", WAN1)


def test_reload_while_the_lan_is_down_ends_nothing(lab, daemon, lan1):
    """A link that is down has no routes; its mappings are not called foreign for that."""
    assert lan1.add(18080, 8080) == 0
    lab.rtr.run("ip", "link", "set", "br-lan", "down")
    try:
        daemon.cli("reload")
        assert {port for _, port in daemon.mappings()} == {18080}
    finally:
        lab.rtr.run("ip", "link", "set", "br-lan", "up")
    eventually(lambda: lab.wan1.tcp_reaches(WAN, 18080) == "connected", "the link up again")


def test_held_up_broker_grants_nothing_late(lab, daemon, lan1):
    """What a client was told has failed is not mapped afterwards."""
    broker = daemon.broker()
    os.kill(broker, signal.SIGSTOP)
    try:
        assert lan1.add(18080, 8080) == 501
    finally:
        os.kill(broker, signal.SIGCONT)
    daemon.wait_log("waited too long")
    assert daemon.mappings() == {}
    assert lan1.add(18080, 8080) == 0


def test_workers_ordered_to_end_are_back_at_once(lab, daemon):
    """Ends that the parent ordered do not make a later worker wait."""
    for _ in range(5):
        kill(daemon.broker())
        eventually(lambda: serves(lab), "the gateway serving again", DEADLINE_S)
    kill(daemon.worker())
    eventually(lambda: serves(lab), "another worker serving", BACK_WITHIN_S)


def test_stuck_worker_does_not_keep_mappings_open(lab, daemon, lan1):
    """on_stop flush closes the mappings although a worker does not end by itself."""
    daemon.stop()
    daemon.write_config({**CONFIG, "on_stop": "flush"})
    daemon.start()
    assert lan1.add(18080, 8080) == 0
    os.kill(daemon.worker(), signal.SIGSTOP)
    daemon.stop()
    assert lab.wan1.tcp_reaches(WAN, 18080) == "refused"
    assert "inet igdward" not in lab.tables()


def test_inherited_signal_dispositions(lab, daemon, lan1):
    """Started by something that ignores SIGCHLD, a dead worker is replaced all the same."""
    daemon.stop()
    daemon.prefix_argv = ["sh", "-c", 'trap "" CHLD HUP INT; exec "$@"', "sh"]
    daemon.start()
    worker = daemon.worker()
    kill(worker)
    eventually(lambda: serves(lab), "another worker serving", BACK_WITHIN_S)
    assert daemon.worker() != worker
    assert lan1.add(18080, 8080) == 0


def test_control_socket_keeps_places_for_root(daemon):
    """A member of the group that occupies the socket does not lock root out."""
    path = str(daemon.socket_path())
    with contextlib.ExitStack() as held:
        for _ in range(8):
            sock = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            connect_as(sock, path, daemon)
        assert daemon.cli("list") == []


def connect_as(sock, path, daemon):
    """Connects with the credentials of the broker's user, as a member of its group has them."""
    status = os.stat(f"/proc/{daemon.broker()}")
    os.setegid(status.st_gid)
    os.seteuid(status.st_uid)
    try:
        sock.connect(path)
    finally:
        os.seteuid(0)
        os.setegid(0)
