"""What may never be mapped: EternalSilence, UPnProxy and their kin, each with its reason."""

import pytest

from lab import INTERNET, LAN, LAN1, LAN2, WAN

SMB = [
    (47669, 445, "TCP"), (445, 445, "TCP"), (47669, 139, "TCP"), (47669, 135, "TCP"),
    (47669, 137, "UDP"), (47669, 138, "UDP"), (47669, 445, "UDP"), (139, 8080, "TCP"),
    (445, 8080, "TCP"), (135, 8080, "TCP"), (137, 8080, "UDP"), (138, 8080, "UDP"),
]
TARGETS = [
    (INTERNET, 80, "off-lan"),  # UPnProxy
    (INTERNET, 53, "off-lan"),
    ("192.168.100.1", 8080, "off-lan"),  # a modem's page behind the WAN link
    ("192.168.50.10", 8080, "off-lan"),  # a host of the guest link
    (LAN, 8080, "router-target"),
    (WAN, 8080, "router-target"),
    ("192.168.50.1", 8080, "router-target"),
    (LAN2, 8080, "not-requester"),
    ("192.168.1.0", 8080, "special-address"),
    ("192.168.1.255", 8080, "special-address"),
    ("255.255.255.255", 8080, "special-address"),
    ("224.0.0.1", 8080, "special-address"),
    ("239.255.255.250", 8080, "special-address"),
    ("127.0.0.1", 8080, "special-address"),
    ("0.0.0.0", 8080, "special-address"),
    ("240.0.0.1", 8080, "special-address"),
    ("169.254.1.1", 8080, "special-address"),
]


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With the victims' services: SMB on both LAN hosts, pages on the router and the internet."""
    for host in (lab.lan1, lab.lan2):
        for port in (135, 139, 445, 8080):
            lab.services.tcp(host, port)
        for port in (137, 138, 445):
            lab.services.udp(host, port)
    lab.services.tcp(lab.rtr, 8080)
    lab.services.tcp(lab.wan1, 80)
    yield lab


def assert_refused(lab, daemon, lan1, request, reason):
    """A request is refused with 606 and this reason, in log and CLI, and opens nothing."""
    external, client, internal, protocol = request
    assert lan1.add(48080, 8080) == 0  # the control: the same application is served
    assert lab.wan1.tcp_reaches(WAN, 48080) == "connected"
    before, mark = lab.dump(), daemon.log_mark()

    code = lan1.add(external, internal, client=client, protocol=protocol,
                    description="galleta silenciosa")
    assert code == 606

    assert lab.dump() == before
    assert set(daemon.mappings()) == {("tcp", 48080)}
    daemon.wait_log(rf"(?=.*\b{reason}\b)(?=.*{LAN1})(?=.*\b{external}\b)(?=.*\b{internal}\b)",
                    since=mark)
    verdict = daemon.explain(LAN1, external, internal, protocol.lower(), client)
    assert verdict["reason"] == reason
    if protocol == "TCP":
        assert lab.wan1.tcp_reaches(WAN, external) in ("refused", "dropped")
    else:
        assert lab.wan1.udp_ask(WAN, external) in ("refused", "dropped")


@pytest.mark.parametrize("external, internal, protocol", SMB)
def test_smb_ports_are_refused_on_either_side(lab, daemon, lan1, external, internal, protocol):
    """EternalSilence: 47669 to 445 and every other SMB port, inside or outside."""
    assert_refused(lab, daemon, lan1, (external, LAN1, internal, protocol), "smb-port")


@pytest.mark.parametrize("client, port, reason", TARGETS)
def test_targets_other_than_the_requester_are_refused(lab, daemon, lan1, client, port, reason):
    """UPnProxy, the router itself, other hosts and addresses that are no host at all."""
    assert_refused(lab, daemon, lan1, (47670, client, port, "TCP"), reason)


@pytest.mark.parametrize("external, internal", [(1900, 8080), (47671, 1900), (5351, 8080),
                                                (47671, 5351), (5000, 8080), (47671, 5000)])
def test_control_ports_are_refused(lab, daemon, lan1, external, internal):
    """The gateway's own ports are never mapped: that would chain one router to the next."""
    assert_refused(lab, daemon, lan1, (external, LAN1, internal, "TCP"), "control-port")


def test_refusals_do_not_stop_the_daemon(lab, daemon, lan1):
    """After 200 attacks the next honest request is served, by the same processes."""
    processes = sorted(daemon.children())
    for number in range(200):
        client, internal = ((LAN1, 445), (INTERNET, 80))[number % 2]
        assert lan1.add(47669 + number, internal, client=client) == 606
    assert lan1.add(48080, 8080) == 0
    assert lab.wan1.fetch(WAN, 48080).startswith("lan1:8080")
    assert sorted(daemon.children()) == processes
