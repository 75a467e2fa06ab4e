"""Processes die; mappings do not. Real packets go through them all the while."""

import os
import signal

import pytest

from igdward import Daemon
from lab import LAN1, WAN, WAN1
from netns import eventually, kill, pidfd_ended
from soap import ControlPoint
from traffic import Visitors

BACK_WITHIN_S = 2
KEPT = ("id", "protocol", "external_port", "internal_client", "internal_port", "remote_host",
        "description", "via", "created", "rule")


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With services on lan1."""
    lab.services.tcp(lab.lan1, 8080)
    lab.services.udp(lab.lan1, 9090)
    yield lab


@pytest.fixture(name="daemon")
def fixture_daemon(lab):
    """A fresh daemon for each test: they kill it."""
    with Daemon(lab) as daemon:
        yield daemon


@pytest.fixture(name="mapped")
def fixture_mapped(lab, daemon, lan1, lan2):
    """Three mappings of two owners, and what `list` says of them."""
    assert lan1.add(18080, 8080, description="web of lan1") == 0
    assert lan1.add(19090, 9090, protocol="UDP", lease=3600) == 0
    assert lan2.add(18082, 8080, description="lan2's") == 0
    assert lab.wan1.fetch(WAN, 18080) == page()
    return daemon.mappings()


def page():
    """What the WAN host gets through the mapping."""
    return f"lan1:8080 serves {WAN1}\n"


def visitors(lab):
    """The WAN host fetching that page all the time."""
    return Visitors(lab.wan1, WAN, 18080, page())


def serves(lab):
    """Does a worker answer an application on lan1 now?"""
    try:
        return ControlPoint(lab.lan1, LAN1).ask("GetExternalIPAddress")
    except (OSError, AssertionError):
        return None


def assert_same(daemon, mapped):
    """The list as before; leases ran on and were not renewed."""
    now = daemon.mappings()
    assert set(now) == set(mapped)
    for key, before in mapped.items():
        assert {k: now[key][k] for k in KEPT} == {k: before[k] for k in KEPT}
        assert now[key]["lease_remaining_s"] <= before["lease_remaining_s"]
        assert now[key]["lease_remaining_s"] > before["lease_remaining_s"] - 30


def test_killed_worker_is_replaced(lab, daemon, lan1, mapped):
    """Another worker serves within two seconds; the mappings carried packets all the time."""
    worker, broker = daemon.worker(), daemon.broker()
    with visitors(lab):
        kill(worker)
        eventually(lambda: answers(lan1), "another worker serving", BACK_WITHIN_S)
    assert daemon.worker() != worker
    assert daemon.broker() == broker
    assert_same(daemon, mapped)
    assert lan1.add(18083, 8080) == 0


def answers(application):
    """Does the gateway answer at the known address?"""
    try:
        return application.call("GetExternalIPAddress").code == 0
    except (OSError, AssertionError):
        return False


def test_killed_broker_is_replaced(lab, daemon, mapped):
    """A new broker reads the mappings back from the kernel: same ids, owners and leases."""
    broker, kernel = daemon.broker(), (lab.mapped("tcp"), lab.mapped("udp"))
    with visitors(lab):
        kill(broker)
        eventually(lambda: serves(lab), "the gateway serving again", 2 * BACK_WITHIN_S)
    assert daemon.broker() != broker
    assert (lab.mapped("tcp"), lab.mapped("udp")) == kernel == ({18080, 18082}, {19090})
    assert_same(daemon, mapped)
    again = ControlPoint(lab.lan1, LAN1)
    assert again.specific(18080).values["NewPortMappingDescription"] == "web of lan1"
    assert again.delete(18082) != 0  # still lan2's
    assert again.delete(18080) == 0
    assert lab.wan1.tcp_reaches(WAN, 18080) == "refused"


def test_stopped_daemon_leaves_the_mappings_and_takes_them_up(lab, daemon, mapped):
    """SIGTERM keeps the mappings in the kernel; the next start lists the same."""
    kernel = lab.dump()
    with visitors(lab):
        daemon.stop()
        assert lab.dump() == kernel
        assert lab.wan1.udp_ask(WAN, 19090).endswith(b"|ping")
        daemon.start()
    assert_same(daemon, mapped)


def test_stop_reports_success(daemon):
    """SIGTERM is a clean end: exit code 0, no process left."""
    process, children = daemon.process, daemon.children()
    assert children
    daemon.stop()
    assert process.returncode == 0
    assert not [pid for pid in children if os.path.exists(f"/proc/{pid}")]


def test_killed_parent_takes_its_children_along(lab, daemon, mapped):
    """SIGKILL of the parent ends broker and worker; the mappings stay and a restart lists them."""
    children = [os.pidfd_open(pid) for pid in daemon.children()]
    assert len(children) == 2
    with visitors(lab):
        daemon.stop(signal.SIGKILL)
        assert all(pidfd_ended(child) for child in children)
        daemon.start()
    for child in children:
        os.close(child)
    assert_same(daemon, mapped)


def test_on_stop_flush_removes_the_mappings(lab, daemon, mapped):
    """With on_stop flush a stop closes everything but the floor."""
    assert mapped
    daemon.stop()
    daemon.write_config({"external": "wan0", "internal": ["br-lan"], "user": "igdward",
                         "worker_user": "igdward-net", "owner": "off", "on_stop": "flush"})
    daemon.start()
    assert set(daemon.mappings()) == set(mapped)
    daemon.stop()
    assert lab.wan1.tcp_reaches(WAN, 18080) == "refused"
    assert "inet igdward_floor" in lab.tables()


def test_worker_killed_again_and_again(lab, daemon, lan1, mapped):
    """Five workers killed in a row: each time another serves, the mappings stay."""
    with visitors(lab):
        for _ in range(5):
            [worker] = eventually(lambda: daemon.children("igdward-upnp"), "a worker", 20)
            kill(worker)
            eventually(lambda: answers(lan1), "another worker serving", 20)
    assert_same(daemon, mapped)


def test_control_paths_survive_a_restart(lab, daemon, lan1):
    """UDNs and URLs are the same after a restart, so that applications find the gateway again."""
    before = lan1.services
    daemon.restart()
    assert ControlPoint(lab.lan1, LAN1).services == before
