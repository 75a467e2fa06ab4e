"""Arguments are read strictly: what is not exactly a number, address or protocol is refused."""

import pytest

from capture import Capture
from lab import LAN1, WAN, WAN1
from soap import Markup

NUMBERS = [
    "0445", " 445", "445 ", "\t445", "445\u00a0", "\u00a0445", "445.0", "4.45e2", "65981",
    "131517", "4294967741", "4" * 40, "+445", "-65091", "0x1bd", "01bd", "0b1", "445abc",
    "445;", "445,80", "", "65536", "112345", "-18000", "\u0664\u0664\u0665", "44 5",
]
LEASES = ["-1", "99999999999", "4294967296", "1.5", "", " 60", "0x10", "abc", "060", "+60"]
ADDRESSES = [
    "3232235786", "0xc0a8010a", "0300.0250.1.10", "192.168.1.010", "192.168.10",
    "192.168.1.10.", "192.168.1", "192.168.1.256", "::ffff:192.168.1.10", "fe80::1%eth0",
    "lan1.lan", "localhost", "192.168.1.10:80", "192.168.1.10/32", " 192.168.1.10",
    "192.168.1.10 ", "192.168.1.10;id", "a" * 300, "$(id)",
]
PROTOCOLS = ["tcp", "TCP ", "ICMP", "UDPLITE", "TCP,UDP", "*", "6", ""]
ENABLED = ["2", "-1", "", "maybe", "11"]


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With a service on lan1."""
    lab.services.tcp(lab.lan1, 8080)
    yield lab


@pytest.fixture(autouse=True)
def fixture_unchanged(lab, daemon, lan1):
    """Whatever a test sends, no mapping comes of it; and the control: an honest one does."""
    before = lab.dump()
    yield
    assert lab.dump() == before
    assert daemon.cli("list") == []
    assert lan1.add(18080, 8080) == 0
    assert lan1.delete(18080) == 0


def request(**changed):
    """Arguments of AddPortMapping that would succeed but for what is changed."""
    arguments = {
        "RemoteHost": "", "ExternalPort": "47672", "Protocol": "TCP", "InternalPort": "8080",
        "InternalClient": LAN1, "Enabled": "1", "PortMappingDescription": "x",
        "LeaseDuration": "600",
    }
    return {name: value for name, value in {**arguments, **changed}.items() if value is not None}


@pytest.mark.parametrize("name", ["InternalPort", "ExternalPort"])
def test_strict_ports(lan1, name):
    """A port is decimal digits without sign, blank or leading zero, 1 to 65535: else 402."""
    codes = {text: lan1.call("AddPortMapping", **request(**{name: text})).code
             for text in NUMBERS}
    assert set(codes.values()) == {402}, codes


def test_no_markup_in_a_number(lan1):
    """A number with a comment, an element or a CDATA section in it is none: 402."""
    for text in ("80<!-- -->80", "<b>8080</b>", "80<b/>80", "<![CDATA[80]]>80<!-- -->"):
        assert lan1.call("AddPortMapping", **request(InternalPort=Markup(text))).code == 402


def test_port_zero(lan1):
    """Port 0, a wildcard, is granted on neither side."""
    assert lan1.call("AddPortMapping", **request(InternalPort="0")).code in (402, 732)
    assert lan1.call("AddPortMapping", **request(ExternalPort="0")).code in (402, 716)


def test_strict_leases(lan1):
    """A lease is a decimal number of 32 bits: else 402."""
    codes = {text: lan1.call("AddPortMapping", **request(LeaseDuration=text)).code
             for text in LEASES}
    assert set(codes.values()) == {402}, codes


def test_longest_lease_is_capped(daemon, lan1):
    """4294967295 seconds are granted as at most a week, or refused."""
    code = lan1.call("AddPortMapping", **request(LeaseDuration="4294967295")).code
    assert code in (0, 402)
    if code == 0:
        assert 0 < daemon.mappings()["tcp", 47672]["lease_remaining_s"] <= 604800
        assert int(lan1.specific(47672).values["NewLeaseDuration"]) <= 604800
        assert lan1.delete(47672) == 0


def test_strict_addresses(lab, lan1):
    """An internal client is four decimal numbers: else 402 at once, and no name is looked up."""
    with Capture(lab.rtr, "wan0") as wan, Capture(lab.rtr, "br-lan") as lan:
        codes = {text: lan1.call("AddPortMapping", **request(InternalClient=text)).code
                 for text in ADDRESSES}
        asked = [p for p in wan.packets() + lan.packets() if 53 in (p.target_port, p.source_port)]
    assert set(codes.values()) <= {402, 605}, codes
    assert not asked


def test_strict_remote_hosts(lan1):
    """A remote host that is not an address is not taken for "any": 402 or 726."""
    for text in ("*", "0", "example.org", "198.51.100.0/24", "198.51.100.007", "::1"):
        assert lan1.call("AddPortMapping", **request(RemoteHost=text)).code in (402, 600, 726)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_strict_protocols(lan1, protocol):
    """The protocol is exactly TCP or UDP in every action: else 402."""
    assert lan1.call("AddPortMapping", **request(Protocol=protocol)).code == 402
    assert lan1.specific(47672, protocol=protocol).code == 402
    assert lan1.delete(47672, protocol=protocol) == 402


def test_strict_enabled(lan1):
    """NewEnabled is a boolean: else 402."""
    codes = {text: lan1.call("AddPortMapping", **request(Enabled=text)).code for text in ENABLED}
    assert set(codes.values()) == {402}, codes


@pytest.mark.parametrize("text", ["0", "false", "no"])
def test_disabled_mapping_opens_nothing(lab, lan1, text):
    """NewEnabled 0 is stored without an open port, or refused; enabling it opens the port."""
    code = lan1.call("AddPortMapping", **request(Enabled=text)).code
    assert lab.wan1.tcp_reaches(WAN, 47672) == "refused"
    if code == 0:
        assert lan1.specific(47672).values["NewEnabled"] == "0"
        assert lan1.call("AddPortMapping", **request()).code == 0
        assert lan1.specific(47672).values["NewEnabled"] == "1"
        assert lab.wan1.tcp_reaches(WAN, 47672) == "connected"
        assert lan1.delete(47672) == 0
    else:
        assert code in (402, 606)


@pytest.mark.parametrize("name", list(request()))
def test_missing_argument(lan1, name):
    """Each argument left out in turn: 402."""
    assert lan1.call("AddPortMapping", **request(**{name: None})).code == 402


def test_argument_given_twice(lan1):
    """Two internal ports of which a reader may pick either: 402."""
    pairs = [(f"New{name}", value) for name, value in request().items()]
    for twice in (("NewInternalPort", "445"), ("NewInternalPort", "8080")):
        assert lan1.call("AddPortMapping", *pairs, twice).code == 402
        assert lan1.call("AddPortMapping", twice, *pairs).code == 402


def test_arguments_in_another_order(lab, lan1):
    """Order does not matter: applications send them as they like."""
    pairs = [(f"New{name}", value) for name, value in request().items()]
    assert lan1.call("AddPortMapping", *reversed(pairs)).code == 0
    assert lab.wan1.tcp_reaches(WAN, 47672) == "connected"
    assert lan1.delete(47672) == 0


def test_empty_client_is_the_caller(lab, daemon, lan1):
    """An empty NewInternalClient, as games send it, maps to the caller and nothing else."""
    assert lan1.add(47672, 8080, client="") == 0
    assert lab.wan1.fetch(WAN, 47672) == f"lan1:8080 serves {WAN1}\n"
    assert daemon.mappings()["tcp", 47672]["internal_client"] == LAN1
    assert lan1.specific(47672).values["NewInternalClient"] == LAN1
    assert lan1.delete(47672) == 0


@pytest.mark.parametrize("index", ["", "-1", "+0", "0x0", "00", " 0", "65536", "abc"])
def test_strict_index(lan1, index):
    """The index of GetGeneric is a number of 16 bits: else 402; past the end 713."""
    assert lan1.generic(index).code == 402
    assert lan1.generic(0).code == 713
    assert lan1.generic(65535).code == 713


def test_description_is_text_and_nothing_more(lab, daemon, lan1):
    """Markup, quotes and letters come back as sent; what could forge a line never gets in."""
    sent = "<a>&\"' \u00fc\u20ac"
    assert lan1.add(47672, 8080, description=sent) == 0
    assert lan1.specific(47672).values["NewPortMappingDescription"] == sent
    assert daemon.mappings()["tcp", 47672]["description"] == sent
    assert sent not in lab.rtr.run("nft", "list", "ruleset").stdout
    mark = daemon.log_mark()
    for hostile in ("x\" ; add rule inet igdward forward accept", "two\nlines reason=ok",
                    "\u202egnp.exe", "d" * 5000):
        lan1.add(47672, 8080, description=hostile)
        kept = daemon.mappings()["tcp", 47672]["description"]
        assert len(kept.encode()) <= 64
        assert "\n" not in kept and "\u202e" not in kept
    assert not any(line.startswith("lines reason=ok") for line in daemon.lines[mark:])
    assert lan1.delete(47672) == 0


def test_refusals_of_syntax_are_logged(daemon, lan1):
    """bad-argument with the client's address is in the log, so that an admin can look it up."""
    mark = daemon.log_mark()
    assert lan1.call("AddPortMapping", **request(InternalPort="0445")).code == 402
    daemon.wait_log(rf"(?=.*bad-argument)(?=.*{LAN1})", since=mark)
