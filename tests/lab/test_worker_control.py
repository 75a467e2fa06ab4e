"""The worker's actions: what the broker is asked, what is answered, what is refused unasked."""

import re
import threading
import time
from pathlib import Path

import pytest

from capture import Capture
from fake_broker import ENTRY, MSG, PUBLIC, entry, result, usual, wan
from lab import LAN1, LAN2
from netns import eventually
from soap import WCIC, WIC, ControlPoint
from worker_fixtures import fixture_lan1, fixture_served, fixture_worker  # pylint: disable=unused-import


def test_add(worker, lan1):
    """What the broker is asked: the peer's address, numbers, clean text."""
    assert lan1.add(8080, 80, client="", description="a <b> & \u202e", lease=0) == 0
    asked = worker.last("IGW_MAP_ADD")
    assert (asked.client, asked.internal_client, asked.remote_host) == (LAN1, LAN1, "")
    assert (asked.external_port, asked.internal_port, asked.protocol) == (8080, 80, 6)
    assert (asked.lease_s, asked.enabled, asked.via) == (0, 1, 0)
    assert asked.description == "a <b> & "
    assert lan1.add(8080, 80, client=LAN2, remote="198.51.100.7", protocol="UDP",
                    lease=2**32 - 1, enabled=0) == 0
    asked = worker.last("IGW_MAP_ADD")
    assert (asked.client, asked.internal_client) == (LAN1, LAN2)
    assert (asked.remote_host, asked.protocol) == ("198.51.100.7", 17)
    assert (asked.lease_s, asked.enabled) == (2**32 - 1, 0)


@pytest.mark.parametrize("reason, code", [
    ("IGW_SMB_PORT", 606), ("IGW_NO_RULE", 606), ("IGW_CONFLICT", 718), ("IGW_QUOTA_CLIENT", 728),
    ("IGW_KERNEL", 501), ("IGW_WAN_DOWN", 501), ("IGW_NOT_OWNER", 606),
])
def test_refused_by_the_broker(lab, worker, lan1, reason, code):
    """Its reason becomes the code and, as text, the sentence."""
    worker.answers["IGW_MAP_ADD"] = result(reason)
    assert lan1.add(8080, 80) == code
    seen = []
    with Capture(lab.lan1) as link:
        assert lan1.add(8080, 80) == code
        seen = b"".join(p.payload for p in link.packets() if not p.sent)
    header = Path(__file__).resolve().parents[2] / "include/igdward/reason.h"
    sentence = re.search(rf'X\({reason}, [^"]*"[^"]*",[^"]*"([^"\\]*)"',
                         header.read_text(encoding="utf-8").replace("\\\n", ""))[1]
    assert sentence.encode() in seen


def test_entries(worker, lan1):
    """Get and index: the broker's entry, escaped; its refusals as version 1 words them."""
    assert lan1.specific(8080).values == {
        "NewInternalPort": "80", "NewInternalClient": LAN1, "NewEnabled": "1",
        "NewPortMappingDescription": "<a>&\"'", "NewLeaseDuration": "3412"}
    assert worker.last("IGW_MAP_GET").external_port == 8080
    assert list(lan1.generic(3).values.items())[:3] == [
        ("NewRemoteHost", ""), ("NewExternalPort", "8080"), ("NewProtocol", "TCP")]
    assert worker.last("IGW_MAP_INDEX").index == 3
    assert worker.last("IGW_MAP_INDEX").client == LAN1
    for reason, code in (("IGW_NO_ENTRY", 714), ("IGW_NOT_OWNER", 714), ("IGW_RATE", 606)):
        worker.answers["IGW_MAP_GET"] = entry(reason)
        assert lan1.specific(8080).code == code
        worker.answers["IGW_MAP_DELETE"] = result(reason)
        assert lan1.delete(8080) == code
    worker.answers["IGW_MAP_INDEX"] = entry("IGW_BAD_INDEX")
    assert lan1.generic(0).code == 713


def test_status(worker, lan1):
    """Connected and disconnected."""
    assert lan1.ask("GetStatusInfo") == {
        "NewConnectionStatus": "Connected", "NewLastConnectionError": "ERROR_NONE",
        "NewUptime": "77"}
    assert lan1.ask("GetExternalIPAddress") == {"NewExternalIPAddress": PUBLIC}
    assert lan1.ask("GetTotalBytesSent", service=WCIC) == {"NewTotalBytesSent": "5"}
    worker.answers["IGW_WAN_GET"] = lambda _: wan(addr="", link_up=0)
    assert lan1.ask("GetStatusInfo")["NewConnectionStatus"] == "Disconnected"
    assert lan1.ask("GetExternalIPAddress") == {"NewExternalIPAddress": ""}
    assert lan1.ask("GetCommonLinkProperties", service=WCIC)["NewPhysicalLinkStatus"] == "Down"


def test_refusals_are_reported(worker, lan1):
    """The broker hears of syntax that never became a request, with the client and the text."""
    assert lan1.add("0445", 80) == 402
    worker.await_kept(worker.refused, lambda m: m.client == LAN1 and m.reason ==
                      MSG.constants["IGW_BAD_ARGUMENT"] and
                      m.what == 'AddPortMapping NewExternalPort "0445"')
    assert lan1.add("1\n2", 80) == 402
    worker.await_kept(worker.refused, lambda m: m.what.endswith(r'"1\x0a2"'))


def soap_body(inner, before="", around=""):
    """A request for GetNATRSIPStatus with markup in various places."""
    return (f'{before}<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">{around}'
            f"<s:Body>{inner}</s:Body></s:Envelope>")


def post(lan1, body, action=f'"{WIC}#GetNATRSIPStatus"', **headers):
    """POSTs a body to the control URL; status and text."""
    fields = {"Content-Type": 'text/xml; charset="utf-8"', "SOAPAction": action,
              **{name.replace("_", "-"): value for name, value in headers.items()}}
    status, _, text = lan1.request("POST", lan1.services[WIC].control, body.encode(),
                                   {name: value for name, value in fields.items() if value})
    return status, text.decode()


CALL = f'<u:GetNATRSIPStatus xmlns:u="{WIC}"/>'


@pytest.mark.parametrize("body", [
    soap_body(CALL),
    soap_body(CALL.replace("u:", "m:").replace("xmlns:u", "xmlns:m")),
    soap_body(f'<GetNATRSIPStatus xmlns="{WIC}"></GetNATRSIPStatus>'),
    soap_body(f"\r\n\t<!-- c -->{CALL} \n", '<?xml version="1.0" encoding="utf-8"?>\n'),
    soap_body(CALL, around="<!-- a -->"),
    soap_body(f'<u:GetNATRSIPStatus xmlns:u="{WIC}"><Other a="b">1</Other></u:GetNATRSIPStatus>'),
])
def test_soap_that_is_taken(lan1, body):
    """Prefixes, blanks, comments between elements and unknown elements do not matter."""
    status, text = post(lan1, body)
    assert status == 200 and "<NewNATEnabled>1</NewNATEnabled>" in text
    assert post(lan1, body, action=f"{WIC}#GetNATRSIPStatus")[0] == 200  # without quotes


@pytest.mark.parametrize("body", [
    "", "x", "<a/>", soap_body(""), soap_body(CALL)[:-5], soap_body(CALL) + "x",
    soap_body(CALL, "<!DOCTYPE s [<!ENTITY x 'y'>]>"), soap_body(f"text{CALL}"),
    soap_body("<a>" * 500 + "</a>" * 500), soap_body(CALL + CALL), "\0" * 100,
    soap_body(CALL.replace("GetNATRSIPStatus", "GetStatusInfo")),
    soap_body(CALL.replace("Connection:1", "Connection:2")),
])
def test_soap_that_is_not(worker, lan1, body):
    """Whatever else is an error, and the service goes on."""
    asked = len(worker.requests)
    status, text = post(lan1, body)
    assert status >= 400 or body == soap_body(CALL + CALL)  # the first of two is taken
    assert "NewInternalPort" not in text
    assert lan1.ask("GetNATRSIPStatus")
    assert len(worker.requests) == asked


@pytest.mark.parametrize("action", [
    None, "", "'", "x", "#", f'"{WIC}"', f'"{WIC[:-1]}9#GetNATRSIPStatus"',
    f'"{WIC}#GetStatusInfo"', '"' * 4000,
])
def test_wrong_soapaction(lan1, action):
    """A SOAPACTION that does not name the action of the body is an error."""
    assert post(lan1, soap_body(CALL), action=action)[0] >= 400
    assert lan1.ask("GetNATRSIPStatus")


def test_wrong_content_type(lan1):
    """Only text/xml, which no web page sends without asking first."""
    for kind in ("text/plain", "application/json", "application/x-www-form-urlencoded"):
        assert post(lan1, soap_body(CALL), Content_Type=kind)[0] == 415


def test_version_2_is_not_there(lan1):
    """A request in the namespace of a version that is not offered: 401."""
    type_2 = WIC[:-1] + "2"
    status, text = post(lan1, soap_body(CALL.replace(WIC, type_2)),
                        action=f'"{type_2}#GetNATRSIPStatus"')
    assert status == 500 and "<errorCode>401</errorCode>" in text


def query(lan1, name):
    """QueryStateVariable on the WANIPConnection."""
    space = "urn:schemas-upnp-org:control-1-0"
    return post(lan1, soap_body(f'<u:QueryStateVariable xmlns:u="{space}"><u:varName>{name}'
                                "</u:varName></u:QueryStateVariable>"),
                action=f'"{space}#QueryStateVariable"')


def test_query_state_variable(worker, lan1):
    """Evented variables can be asked for, as Windows XP does; others cannot."""
    eventually(lambda: "Connected" in query(lan1, "ConnectionStatus")[1], "the first state")
    status, text = query(lan1, "ExternalIPAddress")
    assert status == 200 and f"<return>{PUBLIC}</return>" in text
    for name in ("Uptime", "NoSuchThing", "x" * 500):
        status, text = query(lan1, name)
        assert status == 500 and "<errorCode>404</errorCode>" in text
    assert worker.process.poll() is None


def test_upnpc(lab, worker):
    """miniupnpc, as most applications have it, finds, lists, adds and removes."""
    worker.answers["IGW_MAP_INDEX"] = lambda m: (
        entry(**ENTRY)(m) if m.index == 0 else entry("IGW_BAD_INDEX")(m))
    status = lab.lan1.run("upnpc", "-s").stdout
    assert "Found valid IGD" in status and f"ExternalIPAddress = {PUBLIC}" in status
    assert "Status : Connected, uptime=77s" in status
    listed = lab.lan1.run("upnpc", "-l").stdout
    assert f"TCP  8080->{LAN1}:80 " in listed
    assert "is redirected to internal" in lab.lan1.run(
        "upnpc", "-a", LAN1, "80", "8080", "TCP", check=False).stdout
    asked = worker.last("IGW_MAP_ADD")
    assert (asked.client, asked.external_port, asked.internal_port) == (LAN1, 8080, 80)
    lab.lan1.run("upnpc", "-d", "8080", "TCP", check=False)
    assert worker.last("IGW_MAP_DELETE").external_port == 8080


def test_silent_broker(lab, worker, lan1):
    """No answer: 501 after two seconds, and meanwhile others are served."""
    worker.answers["IGW_MAP_ADD"] = lambda _: None
    codes = []

    def ask():
        codes.append(lan1.add(8080, 80))

    one = threading.Thread(target=ask)
    before = len(worker.requests)
    begin = time.monotonic()
    one.start()
    eventually(lambda: len(worker.requests) > before, "the request")
    assert ControlPoint(lab.lan2, LAN2).ask("GetNATRSIPStatus")
    assert time.monotonic() - begin < 1.5
    one.join()
    assert codes == [501]
    assert 1.9 < time.monotonic() - begin < 4

    # Of a crowd all get their 501. libupnp makes a thread only when a request finds all
    # others busy, so some wait for a second round.
    crowd = [threading.Thread(target=ask) for _ in range(8)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert codes == [501] * 9
    assert lan1.ask("GetNATRSIPStatus")


def test_late_and_wrong_answers(worker, lan1):
    """An answer of another kind fails the request; answers nobody waits for do nothing."""
    worker.answers["IGW_MAP_ADD"] = wan
    assert lan1.add(8080, 80) == 501
    for seq in range(1, 200):
        worker.send("IGW_MAP_RESULT", seq)
    worker.answers = usual()
    assert lan1.add(8080, 80) == 0
