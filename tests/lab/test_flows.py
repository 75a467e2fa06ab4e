"""A mapping ended is closed: its open connections are cut, and nobody else's."""

import pytest

from lab import LAN1, WAN
from netns import udp_exchange
from soap import ControlPoint


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With services on lan1."""
    lab.services.tcp(lab.lan1, 8080)
    lab.services.udp(lab.lan1, 9090)
    yield lab


def say(conn, text):
    """Sends on a TCP connection and returns the echo."""
    conn.sendall(text)
    return conn.recv(100)


def end_by_soap(daemon, lan1, port, protocol):
    """The application deletes its mapping."""
    assert daemon.process
    assert lan1.delete(port, protocol) == 0


def end_by_cli(daemon, lan1, port, protocol):
    """The admin deletes it."""
    assert lan1
    daemon.cli("delete", daemon.mappings()[protocol.lower(), port]["id"])


ENDINGS = [end_by_soap, end_by_cli]


@pytest.mark.parametrize("end", ENDINGS)
def test_delete_cuts_an_open_tcp_connection(lab, daemon, lan1, end):
    """After the end of the mapping its flow is gone and no byte of it arrives any more."""
    service = lab.services.tcp(lab.lan1, 8080)
    assert lan1.add(18080, 8080) == 0
    assert lan1.add(18081, 8080) == 0
    with lab.wan1.connect(WAN, 18080) as cut, lab.wan1.connect(WAN, 18081) as kept:
        assert say(cut, b"one") == b"one"
        assert say(kept, b"two") == b"two"
        assert lab.flows(18080) and lab.flows(18081)

        end(daemon, lan1, 18080, "TCP")
        assert not lab.flows(18080)
        cut.sendall(b"after the end")
        with pytest.raises(ConnectionResetError):
            cut.recv(100)
        assert lab.wan1.tcp_reaches(WAN, 18080) == "refused"

        assert lab.flows(18081)
        assert say(kept, b"three") == b"three"
        assert b"after the end" not in service.received


@pytest.mark.parametrize("end", ENDINGS)
def test_delete_cuts_a_udp_flow(lab, daemon, lan1, end):
    """Datagrams of the same socket no longer arrive; another mapping's flow goes on."""
    service = lab.services.udp(lab.lan1, 9090)
    assert lan1.add(19090, 9090, protocol="UDP") == 0
    assert lan1.add(19091, 9090, protocol="UDP") == 0
    with lab.wan1.connect(WAN, 19090, kind=2, within=1) as cut, \
            lab.wan1.connect(WAN, 19091, kind=2, within=1) as kept:
        assert udp_exchange(cut, b"one").endswith(b"|one")
        assert udp_exchange(kept, b"two").endswith(b"|two")

        end(daemon, lan1, 19090, "UDP")
        assert not lab.flows(19090, "udp")
        assert udp_exchange(cut, b"after the end") == "refused"

        assert udp_exchange(kept, b"three").endswith(b"|three")
        assert b"after the end" not in service.received


def test_changed_target_takes_over_at_once(lab, daemon, lan1):
    """The same client moves its port to another service: old flows end, new ones go there."""
    lab.services.tcp(lab.lan1, 8081)
    assert lan1.add(18080, 8080) == 0
    before = daemon.mappings()["tcp", 18080]
    with lab.wan1.connect(WAN, 18080) as old:
        assert say(old, b"one") == b"one"
        assert lan1.add(18080, 8081) == 0
        assert lab.wan1.fetch(WAN, 18080).startswith("lan1:8081")
        old.sendall(b"two")
        with pytest.raises(ConnectionResetError):
            old.recv(100)
    after = daemon.mappings()["tcp", 18080]
    assert (before["internal_port"], after["internal_port"]) == (8080, 8081)
    assert len(daemon.mappings()) == 1


def test_list_counts_connections(lab, daemon, lan1):
    """`igdward list` tells how many flows go through a mapping now."""
    assert lan1.add(18080, 8080) == 0
    assert daemon.mappings()["tcp", 18080]["connections"] == 0
    with lab.wan1.connect(WAN, 18080) as one, lab.wan1.connect(WAN, 18080) as two:
        assert say(one, b"1") + say(two, b"2") == b"12"
        assert daemon.mappings()["tcp", 18080]["connections"] == 2


def test_flows_of_the_lan_host_itself_stay(lab, daemon, lan1):
    """Deleting a mapping of lan1 leaves connections that lan1 opened to the internet alone."""
    assert daemon.process
    lab.services.tcp(lab.wan1, 80)
    assert lan1.add(18080, 8080) == 0
    with lab.lan1.connect("198.51.100.7", 80) as own:
        assert say(own, b"one") == b"one"
        assert lan1.delete(18080) == 0
        assert say(own, b"two") == b"two"
    assert ControlPoint(lab.lan1, LAN1).delete(18080) == 714
