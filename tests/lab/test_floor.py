"""The kernel's floor: what must not pass even when every program above it has failed.

The elements and tables that the attacker or a bug would need are put there by hand.
"""

import signal
from contextlib import contextmanager

import pytest

from igdward import Daemon
from lab import GST, INTERNET, LAN, LAN1, WAN, WAN1
from netns import eventually, kill
from traffic import Attempts

FOREIGN = f"""
table inet foreign {{
  chain pre {{ type nat hook prerouting priority -150;
    tcp dport 47669 dnat ip to {LAN1}:445
    tcp dport 47680 dnat ip to {LAN1}:8080
    tcp dport 47681 dnat ip to {INTERNET}:80
    tcp dport 47682 dnat ip to {LAN}:80
  }}
}}
"""
ATTACKS = [47669, 47681, 47682]  # EternalSilence, UPnProxy, the router's own page
ACCEPT_ALL = "accept"  # in place of the mark line: a firewall that holds nothing back


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With SMB on lan1, pages on lan1, the router and the internet."""
    for port in (445, 8080):
        lab.services.tcp(lab.lan1, port)
    lab.services.udp(lab.lan1, 137)
    lab.services.tcp(lab.gst, 8080)
    lab.services.tcp(lab.rtr, 80)
    for port in (80, 445):
        lab.services.tcp(lab.wan1, port)
    yield lab


@pytest.fixture(name="daemon")
def fixture_daemon(lab):
    """A fresh daemon for each test here: they stop and kill it."""
    with Daemon(lab) as daemon:
        yield daemon


@contextmanager
def by_hand(lab, daemon, external, address, port, protocol="tcp"):
    """An element as a broken broker would insert it; the real one is held up meanwhile.

    Without a daemon: inside another by_hand(), which holds it up already.
    """
    broker = daemon.broker() if daemon and daemon.process else None
    outside = f"{protocol} . {external}"
    inside = f"{address} . {protocol} . {port}"
    if broker:
        kill(broker, signal.SIGSTOP, wait=False)
    try:
        lab.rtr.nft(f"add element inet igdward dnat4 {{ {outside} : {address} . {port} }}\n"
                    f"add element inet igdward in4 {{ {inside} }}")
        yield
        assert lab.mapped(protocol, external)  # it was there all the time
        lab.rtr.nft(f"delete element inet igdward dnat4 {{ {outside} }}\n"
                    f"delete element inet igdward in4 {{ {inside} }}")
    finally:
        if broker:
            kill(broker, signal.SIGCONT, wait=False)


@contextmanager
def open_firewall(lab):
    """The router's own firewall forwards everything: only the floor is left."""
    lab.firewall(mark_line=ACCEPT_ALL)
    try:
        yield
    finally:
        lab.firewall()


@contextmanager
def foreign_dnat(lab):
    """Another program's DNAT before ours, and nothing but the floor to hold it."""
    with open_firewall(lab):
        lab.rtr.nft(FOREIGN)
        try:
            yield
        finally:
            lab.rtr.nft("delete table inet foreign")


def attacks(lab):
    """With foreign_dnat(): what each attack meets."""
    return set(lab.wan1.tcp_probe([(WAN, port) for port in ATTACKS]).values())


def assert_floor_holds(lab):
    """With foreign_dnat(): the attacks are dropped while the control passes."""
    assert lab.wan1.fetch(WAN, 47680) == f"lan1:8080 serves {WAN1}\n"
    assert attacks(lab) == {"dropped"}


def test_element_by_hand_works_for_an_honest_port(lab, daemon):
    """The control of this file: an element by hand towards 8080 does carry packets."""
    with by_hand(lab, daemon, 47700, LAN1, 8080):
        assert lab.wan1.fetch(WAN, 47700) == f"lan1:8080 serves {WAN1}\n"
        assert lab.lan2.fetch(WAN, 47700) == f"lan1:8080 serves {LAN}\n"


@pytest.mark.parametrize("external, address, port, protocol", [
    (47669, LAN1, 445, "tcp"), (47670, INTERNET, 80, "tcp"), (47671, LAN, 80, "tcp"),
    (47672, WAN, 80, "tcp"), (47673, LAN1, 137, "udp"), (47674, GST, 8080, "tcp"),
])
def test_element_by_hand_lets_no_attack_in(lab, daemon, external, address, port, protocol):
    """Towards SMB, an internet host, the router's page, the guest link: dropped by the floor."""
    arrived = lab.services.udp(lab.lan1, 137)
    with open_firewall(lab), by_hand(lab, daemon, external, address, port, protocol):
        if protocol == "tcp":
            assert lab.wan1.tcp_reaches(WAN, external) == "dropped"
        else:
            assert lab.wan1.udp_ask(WAN, external) == "dropped"
            assert not arrived.received


def test_element_by_hand_lets_no_hairpin_to_smb(lab, daemon):
    """lan2 does not reach SMB of lan1 by way of the WAN address."""
    with open_firewall(lab), by_hand(lab, daemon, 47669, LAN1, 445), \
            by_hand(lab, None, 47700, LAN1, 8080):
        assert lab.lan2.fetch(WAN, 47700).startswith("lan1:8080")
        assert lab.lan2.tcp_reaches(WAN, 47669) == "dropped"


def test_restart_sweeps_out_elements_that_are_not_ours(lab, daemon, lan1):
    """What is in the maps by hand while the daemon is down is gone when it serves again."""
    assert lan1.add(18080, 8080) == 0
    daemon.stop()
    lab.rtr.nft(f"add element inet igdward dnat4 {{ tcp . 47669 : {LAN1} . 445 }}\n"
                f"add element inet igdward dnat4 {{ tcp . 47700 : {LAN1} . 8080 }}\n"
                f"add element inet igdward in4 {{ {LAN1} . tcp . 8080 }}")
    assert lab.mapped() == {18080, 47669, 47700}
    assert lab.wan1.tcp_reaches(WAN, 47700) == "connected"
    daemon.start()
    assert lab.mapped() == {18080}
    assert set(daemon.mappings()) == {("tcp", 18080)}
    assert lab.wan1.tcp_reaches(WAN, 47700) == "refused"


def test_smb_does_not_leave_for_the_internet(lab, daemon):
    """lan1 to TCP 445 of an internet host is dropped, to 80 passes."""
    assert daemon.process
    assert lab.lan1.fetch(INTERNET, 80) == f"wan1:80 serves {WAN}\n"
    assert lab.lan1.tcp_reaches(INTERNET, 445) == "dropped"


def test_smb_egress_has_a_switch(lab):
    """With block_smb_egress off lan1 reaches TCP 445 outside; nothing else of the floor opens."""
    with Daemon(lab, config={"block_smb_egress": False}), foreign_dnat(lab):
        assert lab.lan1.fetch(INTERNET, 445) == f"wan1:445 serves {WAN}\n"
        assert_floor_holds(lab)


def test_floor_outlives_the_daemon(lab, daemon):
    """SMB by a foreign DNAT is dropped in every state of the daemon; only teardown ends that."""
    with foreign_dnat(lab):
        assert_floor_holds(lab)
        daemon.stop()
        assert_floor_holds(lab)
        daemon.start()
        assert_floor_holds(lab)
        daemon.kill_all()
        assert_floor_holds(lab)
        assert {"inet igdward", "inet igdward_floor"} <= lab.tables()
        daemon.teardown()
        assert not {"inet igdward", "inet igdward_floor"} & lab.tables()
        assert attacks(lab) == {"connected"}  # only the floor held them


def test_floor_holds_at_every_moment(lab, daemon):
    """Not one attempt gets through while the daemon is reloaded, restarted and killed."""
    with foreign_dnat(lab):
        with Attempts(lab.wan1, [(WAN, port) for port in ATTACKS]) as attempts:
            for _ in range(3):
                daemon.cli("reload")
                daemon.restart()
                daemon.kill_all()
                daemon.start()
        assert set(attempts.met) == {"dropped"} and attempts.met.total() > 50, attempts.met
        assert_floor_holds(lab)


def test_routed_smb_is_dropped(lab, daemon):
    """Without any DNAT, a routed connection from the WAN to SMB of a LAN host is dropped."""
    assert daemon.process
    with open_firewall(lab):
        assert lab.wan1.fetch(LAN1, 8080) == f"lan1:8080 serves {WAN1}\n"
        assert lab.wan1.tcp_reaches(LAN1, 445) == "dropped"


@pytest.mark.parametrize("port", [1900, 5000, 5351])
def test_control_ports_are_closed_towards_the_wan(lab, daemon, port):
    """Whatever program of the router listens there, the WAN host gets no answer."""
    assert daemon.process
    lab.services.tcp(lab.rtr, port, WAN)
    lab.services.tcp(lab.rtr, 5352, WAN)
    assert lab.wan1.tcp_reaches(WAN, 5352) == "connected"
    assert lab.wan1.tcp_reaches(WAN, port) == "dropped"
    assert lab.rtr.tcp_reaches(WAN, port) == "connected"


def test_floor_counts_what_it_drops(lab, daemon):
    """status counts the packets the floor dropped, so that an admin learns of the attempt."""
    with foreign_dnat(lab):
        before = floor_drops(daemon)
        assert lab.wan1.tcp_reaches(WAN, 47669) == "dropped"
        assert eventually(lambda: floor_drops(daemon) > before, "a floor counter that grew")


def floor_drops(daemon):
    """Sum of the floor's counters in `igdward status`."""
    return sum(daemon.cli("status")["floor"].values())
