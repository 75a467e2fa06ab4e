"""Quotas and rates: one client cannot take all ports, nor all of the daemon's time."""

import pytest

from igdward import POLICY, Daemon
from lab import LAN1, LAN2, WAN, WAN1
from soap import ControlPoint

PER_CLIENT = 32
TOTAL = 40
BURST = 20


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With services on both LAN hosts."""
    lab.services.tcp(lab.lan1, 8080)
    lab.services.tcp(lab.lan2, 8080)
    yield lab


def limited(lab, **changes):
    """A daemon with the roomy policy but for these sections."""
    return Daemon(lab, policy={**POLICY, **changes})


@pytest.fixture(name="quota")
def fixture_quota(lab):
    """A daemon with small quotas; lan1 holds its whole share."""
    limits = {"per_client": PER_CLIENT, "total": TOTAL, "reserved_per_client": 2}
    with limited(lab, limits=limits) as daemon:
        daemon.lan1 = ControlPoint(lab.lan1, LAN1)
        daemon.lan2 = ControlPoint(lab.lan2, LAN2)
        for number in range(PER_CLIENT):
            assert daemon.lan1.add(20000 + number, 8080) == 0
        yield daemon


def test_quota_of_one_client(lab, quota):
    """The 33rd mapping is refused with 728 and the reason; the 32 before it work."""
    before, mark = lab.dump(), quota.log_mark()
    assert quota.lan1.add(20000 + PER_CLIENT, 8080) == 728
    quota.wait_log("quota-client", since=mark)
    assert quota.explain(LAN1, 20000 + PER_CLIENT, 8080)["reason"] == "quota-client"
    assert lab.dump() == before
    for port in (20000, 20000 + PER_CLIENT - 1):
        assert lab.wan1.fetch(WAN, port) == f"lan1:8080 serves {WAN1}\n"
    assert quota.lan1.specific(20000).code == 0
    assert quota.lan1.add(20000, 8080) == 0  # a refresh needs no place
    assert quota.lan1.delete(20000) == 0
    assert quota.lan1.add(20000 + PER_CLIENT, 8080) == 0


def test_total_and_the_reserved_share(lab, quota):
    """A full table refuses with quota-total; a second client gets its reserved share before."""
    codes = [quota.lan2.add(21000 + number, 8080) for number in range(TOTAL)]
    granted = codes.count(0)
    assert 2 <= granted <= TOTAL - PER_CLIENT
    assert codes == [0] * granted + [728] * (TOTAL - granted)
    quota.wait_log("quota-total")
    assert len(quota.mappings()) == PER_CLIENT + granted
    assert lab.wan1.fetch(WAN, 21001) == f"lan2:8080 serves {WAN1}\n"


def test_rate_of_changes(lab):
    """More changes than the burst are refused with reason rate; another client is served."""
    rates = {**POLICY["rates"], "changes_per_min": 1, "burst": BURST}
    with limited(lab, rates=rates) as daemon:
        lan1, lan2 = ControlPoint(lab.lan1, LAN1), ControlPoint(lab.lan2, LAN2)
        codes = [lan1.add(20000 + number, 8080) for number in range(2 * BURST)]
        granted = codes.count(0)
        assert BURST <= granted <= BURST + 2
        assert 0 not in codes[granted:]
        daemon.wait_log(r"\brate\b")
        assert len(daemon.mappings()) == granted
        assert lan1.specific(20000).code == 0  # reading has its own rate
        assert lan2.add(21000, 8080) == 0
        assert lab.wan1.fetch(WAN, 21000) == f"lan2:8080 serves {WAN1}\n"


def test_rate_of_reads(lab):
    """Reads above the rate are refused too, and only for the client that sends them."""
    with limited(lab, rates={**POLICY["rates"], "reads_per_min": 60}):
        lan1, lan2 = ControlPoint(lab.lan1, LAN1), ControlPoint(lab.lan2, LAN2)
        codes = [lan1.specific(20000).code for _ in range(200)]
        assert codes[0] == 714
        assert codes[-1] not in (0, 714)
        assert lan2.specific(20000).code == 714
