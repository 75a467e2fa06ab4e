"""Whose mapping it is: nobody takes, changes or deletes another host's."""

import pytest

from lab import LAN2, WAN


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With services on both LAN hosts."""
    for host in (lab.lan1, lab.lan2):
        for port in (8080, 8081):
            lab.services.tcp(host, port)
    yield lab


def test_a_taken_port_is_a_conflict(lab, daemon, lan1, lan2):
    """lan2 asking for lan1's port gets 718; lan1's mapping is as before."""
    assert lan1.add(18080, 8080, description="first") == 0
    before, entry = lab.dump(), daemon.mappings()["tcp", 18080]
    assert lan2.add(18080, 8080, description="second") == 718
    assert lan2.add(18080, 8081, description="second") == 718
    assert lab.dump() == before
    assert lan1.specific(18080).values["NewPortMappingDescription"] == "first"
    assert daemon.mappings()["tcp", 18080]["id"] == entry["id"]
    assert lab.wan1.fetch(WAN, 18080).startswith("lan1:8080")
    assert daemon.explain(LAN2, 18080, 8080)["reason"] == "conflict"
    assert lan2.add(18081, 8080) == 0  # the control
    assert lab.wan1.fetch(WAN, 18081).startswith("lan2:8080")


def test_the_other_protocol_is_free(lab, daemon, lan1, lan2):
    """The same external port of the other protocol is another mapping."""
    lab.services.udp(lab.lan2, 9090)
    assert lan1.add(18080, 8080) == 0
    assert lan2.add(18080, 9090, protocol="UDP") == 0
    assert lab.wan1.fetch(WAN, 18080).startswith("lan1:8080")
    assert lab.wan1.udp_ask(WAN, 18080).startswith(b"lan2:9090")
    assert len(daemon.mappings()) == 2


def test_nobody_deletes_anothers_mapping(lab, daemon, lan1, lan2):
    """lan2 deleting lan1's mapping gets 714, as if it did not exist, and it stays."""
    assert lan1.add(18080, 8080) == 0
    before = lab.dump()
    assert lan2.delete(18080) == 714
    assert lab.dump() == before
    assert ("tcp", 18080) in daemon.mappings()
    assert lab.wan1.fetch(WAN, 18080).startswith("lan1:8080")
    assert lan1.specific(18080).code == 0
    assert lan1.delete(18080) == 0
    assert lan1.specific(18080).code == 714
    assert lan1.delete(18080) == 714


def test_owner_overwrites_its_own(lab, daemon, lan1):
    """The same client changes internal port, description and lease: one entry, all new."""
    assert lan1.add(18080, 8080, description="old", lease=100) == 0
    assert lan1.specific(18080).values["NewInternalPort"] == "8080"
    assert lan1.add(18080, 8081, description="new", lease=1000) == 0
    values = lan1.specific(18080).values
    assert (values["NewInternalPort"], values["NewPortMappingDescription"]) == ("8081", "new")
    assert 990 < int(values["NewLeaseDuration"]) <= 1000
    assert lan1.generic(0).values["NewInternalPort"] == "8081"
    assert lan1.generic(1).code == 713
    assert len(daemon.mappings()) == 1
    assert lab.wan1.fetch(WAN, 18080).startswith("lan1:8081")


def test_refused_overwrite_leaves_the_old_mapping(lab, daemon, lan1):
    """An owner that moves its mapping to a forbidden port is refused and keeps what it had."""
    assert lan1.add(18080, 8080) == 0
    before = lab.dump()
    assert lan1.add(18080, 445) == 606
    assert lab.dump() == before
    assert lan1.specific(18080).values["NewInternalPort"] == "8080"
    assert daemon.mappings()["tcp", 18080]["internal_port"] == 8080


def test_a_client_sees_only_its_own_by_index(daemon, lan1, lan2):
    """GetGeneric lists no other host's mappings; what it lists is true."""
    assert lan1.add(18080, 8080) == 0
    assert lan2.add(18082, 8080) == 0
    assert len(daemon.mappings()) == 2
    for application, port in ((lan1, "18080"), (lan2, "18082")):
        values = application.generic(0).values
        assert values["NewExternalPort"] == port
        assert values["NewInternalClient"] == application.address
        assert application.generic(1).code == 713


def test_port_of_the_router_itself_is_refused(lab, lan1):
    """A port on which the router listens towards the WAN is not hidden by a mapping."""
    with lab.rtr.listen("0.0.0.0", 18022):
        assert lan1.add(18022, 8080) in (606, 718, 729)
        assert lab.wan1.tcp_reaches(WAN, 18022) == "connected"  # the router's own service
    assert lan1.add(18022, 8080) == 0
