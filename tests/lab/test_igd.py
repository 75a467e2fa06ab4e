"""The gateway as UPnP control points see it: description, SCPDs and every required action."""

import json
import xml.etree.ElementTree as ET

import pytest

from lab import LAN, LAN1, WAN
from soap import DEVICE, IGD, L3F, WCIC, WIC, ControlPoint, read_description, search

SCPD = "{urn:schemas-upnp-org:service-1-0}"
ENTRY = ["NewInternalPort", "NewInternalClient", "NewEnabled", "NewPortMappingDescription",
         "NewLeaseDuration"]
KEY = ["NewRemoteHost", "NewExternalPort", "NewProtocol"]
# action: (in arguments, out arguments), in the order of the service templates
REQUIRED = {
    WIC: {
        "SetConnectionType": (["NewConnectionType"], []),
        "GetConnectionTypeInfo": ([], ["NewConnectionType", "NewPossibleConnectionTypes"]),
        "RequestConnection": ([], []),
        "ForceTermination": ([], []),
        "GetStatusInfo": ([], ["NewConnectionStatus", "NewLastConnectionError", "NewUptime"]),
        "GetNATRSIPStatus": ([], ["NewRSIPAvailable", "NewNATEnabled"]),
        "GetGenericPortMappingEntry": (["NewPortMappingIndex"], KEY + ENTRY),
        "GetSpecificPortMappingEntry": (KEY, ENTRY),
        "AddPortMapping": (KEY + ENTRY, []),
        "DeletePortMapping": (KEY, []),
        "GetExternalIPAddress": ([], ["NewExternalIPAddress"]),
    },
    WCIC: {
        "GetCommonLinkProperties": ([], [
            "NewWANAccessType", "NewLayer1UpstreamMaxBitRate", "NewLayer1DownstreamMaxBitRate",
            "NewPhysicalLinkStatus"]),
        "GetTotalBytesSent": ([], ["NewTotalBytesSent"]),
        "GetTotalBytesReceived": ([], ["NewTotalBytesReceived"]),
        "GetTotalPacketsSent": ([], ["NewTotalPacketsSent"]),
        "GetTotalPacketsReceived": ([], ["NewTotalPacketsReceived"]),
    },
    L3F: {
        "SetDefaultConnectionService": (["NewDefaultConnectionService"], []),
        "GetDefaultConnectionService": ([], ["NewDefaultConnectionService"]),
    },
}
EVENTED = {
    WIC: {"PossibleConnectionTypes", "ConnectionStatus", "ExternalIPAddress",
          "PortMappingNumberOfEntries"},
    L3F: {"DefaultConnectionService"},
}


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With something to download in the internet, for the counters."""
    lab.services.tcp(lab.wan1, 80)
    yield lab


@pytest.fixture(name="description")
def fixture_description(lan1):
    """The device description as an element tree."""
    status, headers, text = lan1.request("GET", lan1.location)
    assert status == 200
    assert headers["Content-Type"].lower().startswith("text/xml")
    return ET.fromstring(text)


def scpd(application, service):
    """A service's SCPD as an element tree."""
    status, _, text = application.request("GET", application.services[service].scpd)
    assert status == 200
    return ET.fromstring(text)


def test_search_finds_what_the_description_holds(lab, lan1, description):
    """ssdp:all names the root, every device and every service, each with the right UDN."""
    udns = {d.findtext(f"{DEVICE}UDN"): d.findtext(f"{DEVICE}deviceType")
            for d in description.iter(f"{DEVICE}device")}
    expected = {f"{udn}::{kind}" for udn, kind in udns.items()} | set(udns)
    expected |= {f"{s.udn}::{s.type}" for s in lan1.services.values()}
    expected.add(f"{description.findtext(f'{DEVICE}device/{DEVICE}UDN')}::upnp:rootdevice")
    answers = search(lab.lan1, LAN1, "ssdp:all", len(expected))
    assert {answer["usn"] for answer in answers} == expected
    for answer in answers:
        assert answer["location"].startswith(f"http://{LAN}:")
        assert "ext" in answer and int(answer["cache-control"].partition("=")[2]) >= 1800


@pytest.mark.parametrize("target", [IGD, WIC, "upnp:rootdevice"])
def test_search_by_type(lab, daemon, target):
    """The searches of usual clients are answered with the very target searched for."""
    assert daemon.process
    [answer] = search(lab.lan1, LAN1, target)
    assert answer["st"] == target


def test_description_is_an_igd_1(lan1, description):
    """The tree of IGD:1 with the required fields, relative URLs and distinct UDNs."""
    root = description.find(f"{DEVICE}device")
    kinds = [d.findtext(f"{DEVICE}deviceType") for d in description.iter(f"{DEVICE}device")]
    assert kinds == [f"urn:schemas-upnp-org:device:{name}:1" for name in
                     ("InternetGatewayDevice", "WANDevice", "WANConnectionDevice")]
    for device in description.iter(f"{DEVICE}device"):
        for field in ("friendlyName", "manufacturer", "modelName", "UDN"):
            assert device.findtext(f"{DEVICE}{field}")
    udns = [d.findtext(f"{DEVICE}UDN") for d in description.iter(f"{DEVICE}device")]
    assert len(set(udns)) == 3 and all(udn.startswith("uuid:") for udn in udns)
    assert root.findtext(f"{DEVICE}deviceType") == IGD
    services = read_description(ET.tostring(description), lan1.location)
    assert {s.type: s.id for s in services} == {
        WIC: "urn:upnp-org:serviceId:WANIPConn1", WCIC: "urn:upnp-org:serviceId:WANCommonIFC1",
        L3F: "urn:upnp-org:serviceId:L3Forwarding1"}
    assert len({s.control for s in services}) == len({s.event for s in services}) == 3


@pytest.mark.parametrize("service", list(REQUIRED))
def test_scpd_is_consistent(lan1, service):
    """Required actions with their arguments in order; every related variable exists."""
    tree = scpd(lan1, service)
    variables = {}
    for node in tree.iterfind(f"{SCPD}serviceStateTable/{SCPD}stateVariable"):
        assert node.get("sendEvents") in ("yes", "no")
        assert node.findtext(f"{SCPD}dataType") in ("string", "ui2", "ui4", "boolean")
        variables[node.findtext(f"{SCPD}name")] = node.get("sendEvents") == "yes"
    found = {}
    for action in tree.iterfind(f"{SCPD}actionList/{SCPD}action"):
        arguments = {"in": [], "out": []}
        for node in action.iterfind(f"{SCPD}argumentList/{SCPD}argument"):
            direction = node.findtext(f"{SCPD}direction")
            assert not (direction == "in" and arguments["out"])
            arguments[direction].append(node.findtext(f"{SCPD}name"))
            assert node.findtext(f"{SCPD}relatedStateVariable") in variables
        found[action.findtext(f"{SCPD}name")] = (arguments["in"], arguments["out"])
    for name, arguments in REQUIRED[service].items():
        assert found.get(name) == arguments, name
    evented = {name for name, events in variables.items() if events}
    assert evented == EVENTED.get(service, evented)
    if service == WCIC:
        assert {"PhysicalLinkStatus", "NumberOfActiveConnections"} >= evented - {
            "EnabledForInternet"}


@pytest.mark.parametrize("service", list(REQUIRED))
def test_every_offered_get_action_answers(lan1, service):
    """Each action of the SCPD that only reads succeeds with exactly its out arguments."""
    tree = scpd(lan1, service)
    for action in tree.iterfind(f"{SCPD}actionList/{SCPD}action"):
        arguments = list(action.iterfind(f"{SCPD}argumentList/{SCPD}argument"))
        if not arguments or any(a.findtext(f"{SCPD}direction") == "in" for a in arguments):
            continue
        values = lan1.ask(action.findtext(f"{SCPD}name"), service=service)
        assert list(values) == [a.findtext(f"{SCPD}name") for a in arguments]


def test_wan_ip_connection_tells_the_line(lan1):
    """Connected, IP routed, NAT on, and the WAN address."""
    assert lan1.ask("GetExternalIPAddress") == {"NewExternalIPAddress": WAN}
    status = lan1.ask("GetStatusInfo")
    assert status["NewConnectionStatus"] == "Connected"
    assert status["NewLastConnectionError"] == "ERROR_NONE"
    assert int(status["NewUptime"]) >= 0
    assert lan1.ask("GetNATRSIPStatus") == {"NewRSIPAvailable": "0", "NewNATEnabled": "1"}
    kind = lan1.ask("GetConnectionTypeInfo")
    assert kind["NewConnectionType"] == "IP_Routed"
    assert "IP_Routed" in kind["NewPossibleConnectionTypes"].split(",")


def test_no_application_changes_the_line(lan1):
    """Nobody on the LAN takes the line down or changes its type."""
    assert lan1.call("ForceTermination").code in (501, 606, 710, 711)
    assert lan1.call("SetConnectionType", ConnectionType="IP_Bridged").code in (606, 703, 731)
    assert lan1.call("SetConnectionType", ConnectionType="Foo").code in (402, 601, 606, 703, 731)
    assert lan1.call("RequestConnection").code in (0, 606)
    before = lan1.ask("GetDefaultConnectionService", service=L3F)
    assert lan1.call("SetDefaultConnectionService", DefaultConnectionService="uuid:x,y",
                     service=L3F).code in (501, 606, 720, 721, 723)
    assert lan1.ask("GetDefaultConnectionService", service=L3F) == before
    assert lan1.ask("GetStatusInfo")["NewConnectionStatus"] == "Connected"


def test_layer_3_forwarding_names_the_connection(lan1):
    """The default connection service is the WANConnectionDevice's WANIPConn1."""
    value = lan1.ask("GetDefaultConnectionService", service=L3F)["NewDefaultConnectionService"]
    wic = lan1.services[WIC]
    assert value == f"{wic.udn}:WANConnectionDevice:1,{wic.id}"


def test_link_properties(lan1):
    """The WAN link is an Ethernet that is up, with bit rates as numbers."""
    values = lan1.ask("GetCommonLinkProperties", service=WCIC)
    assert values["NewWANAccessType"] in ("DSL", "POTS", "Cable", "Ethernet")
    assert values["NewPhysicalLinkStatus"] == "Up"
    assert int(values["NewLayer1UpstreamMaxBitRate"]) > 0
    assert int(values["NewLayer1DownstreamMaxBitRate"]) > 0


def wan_counters(lab):
    """The kernel's counters of the WAN link by UPnP action."""
    [link] = json.loads(lab.rtr.run("ip", "-j", "-s", "link", "show", "wan0").stdout)
    sent, received = link["stats64"]["tx"], link["stats64"]["rx"]
    return {"BytesSent": sent["bytes"], "BytesReceived": received["bytes"],
            "PacketsSent": sent["packets"], "PacketsReceived": received["packets"]}


def test_counters_are_the_links(lab, lan1):
    """The four totals lie between two readings of the kernel's, and grow with real traffic."""
    last = dict.fromkeys(wan_counters(lab), -1)
    for _ in range(2):
        for name, before in wan_counters(lab).items():
            value = int(lan1.ask(f"GetTotal{name}", service=WCIC)[f"NewTotal{name}"])
            assert before <= value <= wan_counters(lab)[name]
            assert value > last[name]
            last[name] = value
        for _ in range(5):
            lab.lan1.fetch("198.51.100.7", 80)


@pytest.mark.parametrize("action", ["AddAnyPortMapping", "DeletePortMappingRange",
                                    "GetListOfPortMappings", "NoSuchAction", "X" * 300])
def test_unknown_action(lan1, action):
    """An action that IGD:1 does not have: 401."""
    assert lan1.call(action).code == 401
    assert lan1.call("GetStatusInfo").code == 0


def test_action_of_another_service(lan1):
    """An action asked of a service that does not have it: 401."""
    assert lan1.call("GetExternalIPAddress", service=WCIC).code == 401
    assert lan1.call("GetTotalBytesSent").code == 401


def test_both_lan_hosts_see_the_same_gateway(lan1, lan2):
    """Description and services do not depend on who asks."""
    assert isinstance(lan2, ControlPoint)
    assert lan1.location == lan2.location
    assert lan1.services == lan2.services
