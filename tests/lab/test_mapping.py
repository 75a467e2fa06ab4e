"""The main job: an application asks for a port and real packets come in through it."""

import pytest

from lab import INTERNET, LAN, LAN1, LAN2, MARK_LINE, WAN, WAN1
from netns import eventually


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With services on the LAN hosts."""
    for host in (lab.lan1, lab.lan2):
        lab.services.tcp(host, 8080)
        lab.services.udp(host, 9090)
    yield lab


@pytest.fixture(name="upnpc")
def fixture_upnpc(lab, lan1):
    """upnpc on lan1, as users run it but for the URL, which saves the search of two seconds."""
    return lambda *argv: lab.lan1.run("upnpc", "-u", lan1.location, *argv).stdout


def test_upnpc_finds_the_gateway_and_maps_a_port(lab, daemon, lan1):
    """upnpc -a with its own search; the WAN host fetches a page through the mapping."""
    assert lab.wan1.tcp_reaches(WAN, 18080) == "refused"
    # -i: upnpc takes the lab's WAN address for a private one, as it is kept for documentation.
    said = lab.lan1.run("upnpc", "-i", "-e", "web", "-a", LAN1, 8080, 18080, "tcp", 600).stdout
    assert f"external {WAN}:18080 TCP is redirected to internal {LAN1}:8080" in said, said

    assert lab.wan1.fetch(WAN, 18080) == f"lan1:8080 serves {WAN1}\n"
    assert lab.wan1.tcp_reaches(WAN, 18081) == "refused"
    assert lab.wan1.udp_ask(WAN, 18080) == "refused"
    entry = daemon.mappings()["tcp", 18080]
    assert (entry["internal_client"], entry["internal_port"]) == (LAN1, 8080)
    assert (entry["description"], entry["via"], entry["rule"]) == ("web", "upnp", "high-ports")
    assert 0 < entry["lease_remaining_s"] <= 600
    assert lan1.specific(18080).values["NewInternalPort"] == "8080"


def test_upnpc_lists_tells_status_and_deletes(lab, upnpc):
    """upnpc -l shows the mapping, -s a connected line, -d closes the port again."""
    upnpc("-e", "game", "-a", LAN1, 8080, 18080, "tcp", 600)
    assert lab.wan1.tcp_reaches(WAN, 18080) == "connected"

    listed = upnpc("-l")
    assert f"TCP 18080->{LAN1}:8080  'game' ''" in listed, listed
    status = upnpc("-s")
    assert "Status : Connected" in status and f"ExternalIPAddress = {WAN}" in status, status

    assert "UPNP_DeletePortMapping() returned : 0" in upnpc("-d", 18080, "tcp")
    assert lab.wan1.tcp_reaches(WAN, 18080) == "refused"
    assert "18080" not in upnpc("-l")


def test_upnpc_maps_udp(lab, upnpc):
    """A UDP mapping carries datagrams both ways and is no TCP mapping; -d closes it."""
    upnpc("-a", LAN1, 9090, 19090, "udp", 600)
    assert lab.wan1.udp_ask(WAN, 19090) == f"lan1:9090 {WAN1}|ping".encode()
    assert lab.wan1.tcp_reaches(WAN, 19090) == "refused"
    upnpc("-d", 19090, "udp")
    assert lab.wan1.udp_ask(WAN, 19090) == "refused"


def test_mapping_depends_on_the_one_firewall_line(lab, lan1):
    """Without the mark line the router's firewall lets no mapping in; with it, it does."""
    assert lan1.add(18080, 8080) == 0
    try:
        lab.firewall(mark_line="")
        assert lab.wan1.tcp_reaches(WAN, 18080) == "dropped"
    finally:
        lab.firewall(mark_line=MARK_LINE)
    assert lab.wan1.tcp_reaches(WAN, 18080) == "connected"


def test_mapping_captures_nothing_but_the_wan_address(lab, lan1):
    """The mapped port on another LAN host and on the router's LAN address is not touched."""
    assert lan1.add(8080, 8080) == 0
    assert lab.wan1.fetch(WAN, 8080).startswith("lan1:8080")
    assert lab.lan1.fetch(LAN2, 8080).startswith("lan2:8080")
    assert lab.gst.tcp_reaches(LAN2, 8080) == "dropped"
    assert lab.wan1.tcp_reaches(LAN2, 8080) == "dropped"
    assert lab.lan2.tcp_reaches(LAN, 8080) == "refused"


def test_remote_host_is_honoured_or_refused(lab, lan1):
    """A mapping for one remote host lets only that host in, or 726: it is never widened."""
    code = lan1.add(18080, 8080, remote=INTERNET)
    assert code in (0, 726)
    if code == 0:
        assert lab.wan1.fetch(WAN, 18080, source=INTERNET) == f"lan1:8080 serves {INTERNET}\n"
        assert lan1.specific(18080, remote=INTERNET).values["NewInternalClient"] == LAN1
        assert lan1.specific(18080).code == 714
    assert lab.wan1.tcp_reaches(WAN, 18080) == "refused"
    lan1.delete(18080, remote=INTERNET)
    assert lab.wan1.tcp_reaches(WAN, 18080) == "refused"


@pytest.mark.parametrize("bridge_netfilter", [0, 1])
def test_hairpin(lab, lan1, bridge_netfilter):
    """lan2 reaches lan1's mapping under the WAN address, bridged frames filtered by IP or not."""
    assert lan1.add(18080, 8080) == 0
    assert lan1.add(19090, 9090, protocol="UDP") == 0
    present = lab.bridge_netfilter(bridge_netfilter)
    try:
        if present or bridge_netfilter == 0:
            assert lab.lan2.fetch(WAN, 18080).startswith("lan1:8080")
            answer = lab.lan2.udp_ask(WAN, 19090)
            assert answer.startswith(b"lan1:9090") and answer.endswith(b"|ping")
        assert lab.lan2.tcp_reaches(WAN, 18081) == "refused"
    finally:
        lab.bridge_netfilter(0)


def test_router_and_host_itself_use_the_mapping(lab, lan1):
    """The router, and lan1 itself, reach the mapping under the WAN address too."""
    assert lan1.add(18080, 8080) == 0
    assert lab.rtr.fetch(WAN, 18080).startswith("lan1:8080")
    assert lab.lan1.fetch(WAN, 18080).startswith("lan1:8080")


def test_mapping_follows_the_wan_address(lab, daemon, lan1):
    """Without WAN address nothing is mapped; under a new address the mapping works, ids kept."""
    assert lan1.add(18080, 8080) == 0
    before = daemon.mappings()
    lab.rtr.run("ip", "addr", "del", f"{WAN}/24", "dev", "wan0")
    try:
        eventually(lambda: lan1.ask("GetExternalIPAddress") == {"NewExternalIPAddress": ""},
                   "an empty external address")
        assert lan1.add(18081, 8080) == 501
        lab.rtr.run("ip", "addr", "add", "203.0.113.3/24", "dev", "wan0")
        eventually(lambda: lab.wan1.tcp_reaches("203.0.113.3", 18080) == "connected",
                   "the mapping under the new address")
        assert lan1.ask("GetExternalIPAddress") == {"NewExternalIPAddress": "203.0.113.3"}
        assert daemon.mappings()["tcp", 18080]["id"] == before["tcp", 18080]["id"]
    finally:
        lab.rtr.run("ip", "addr", "flush", "dev", "wan0", "scope", "global")
        lab.rtr.run("ip", "addr", "add", f"{WAN}/24", "dev", "wan0")
        lab.rtr.run("ip", "route", "replace", "default", "via", WAN1)
    eventually(lambda: lab.wan1.tcp_reaches(WAN, 18080) == "connected",
               "the mapping under the old address")
