"""One thousand mappings by real SOAP: all of them listed, working, and gone again."""

import random

import pytest

from lab import LAN1, WAN, WAN1

COUNT = 1000
FIRST = 20000
PORTS = range(8080, 8090)


def target(number):
    """The internal port of mapping `number`."""
    return PORTS[number % len(PORTS)]


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With ten services on lan1, each of which tells its port."""
    for port in PORTS:
        lab.services.tcp(lab.lan1, port)
    yield lab


@pytest.mark.timeout(240)
def test_a_thousand_mappings(lab, daemon, lan1):
    """Added, listed by CLI and by index, a sample carries packets, deleted, kernel map empty."""
    ports = [FIRST + number for number in range(COUNT)]
    for number, port in enumerate(ports):
        assert lan1.add(port, target(number), description=f"number {number}") == 0

    listed = daemon.mappings()
    assert set(listed) == {("tcp", port) for port in ports}
    assert len({entry["id"] for entry in listed.values()}) == COUNT
    assert lab.mapped() == set(ports)
    assert lan1.add(ports[500], target(500), description="number 500") == 0  # a refresh
    assert len(daemon.mappings()) == COUNT

    seen = {}
    for index in range(COUNT):
        answer = lan1.generic(index)
        assert answer.code == 0, index
        entry = answer.values
        assert (entry["NewInternalClient"], entry["NewProtocol"]) == (LAN1, "TCP")
        seen[int(entry["NewExternalPort"])] = (
            int(entry["NewInternalPort"]), entry["NewPortMappingDescription"])
    assert seen == {port: (target(number), f"number {number}")
                    for number, port in enumerate(ports)}
    assert lan1.generic(COUNT).code == 713

    sample = random.Random(1000).sample(range(COUNT), 50) + [0, COUNT - 1]
    for number in sample:
        assert lab.wan1.fetch(WAN, ports[number]) == f"lan1:{target(number)} serves {WAN1}\n"
    assert lab.wan1.tcp_reaches(WAN, FIRST + COUNT) == "refused"

    for port in ports:
        assert lan1.delete(port) == 0
    assert daemon.cli("list") == []
    assert lab.mapped() == set()
    assert lan1.generic(0).code == 713
    assert {lab.wan1.tcp_reaches(WAN, ports[number]) for number in sample} == {"refused"}
