"""The worker's events (GENA): what subscribers are told, and what bounds them."""

import http.client
import select
import xml.etree.ElementTree as ET
from urllib.parse import urlsplit

import pytest

from fake_broker import PUBLIC, UUID, usual, wan
from lab import LAN1, WAN1
from netns import DEADLINE_S, eventually
from soap import L3F, WCIC, WIC
from worker_fixtures import fixture_lan1, fixture_served, fixture_worker  # pylint: disable=unused-import

SILENT_WITHIN_S = 1.2
WIC_EVENTS = {"PossibleConnectionTypes": "IP_Routed", "ConnectionStatus": "Connected",
              "ExternalIPAddress": PUBLIC, "PortMappingNumberOfEntries": "7"}


class Subscriber:
    """Context manager: a host that listens for events."""

    def __init__(self, host, address):
        self.host, self.address = host, address
        self.sock = host.listen(address, 0)
        self.port = self.sock.getsockname()[1]
        self.sock.settimeout(DEADLINE_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def ask(self, method, url, **headers):
        """SUBSCRIBE or UNSUBSCRIBE; status and headers."""
        parts = urlsplit(url)
        conn = http.client.HTTPConnection(parts.hostname, parts.port)
        conn.sock = self.host.connect(parts.hostname, parts.port)
        try:
            conn.request(method, parts.path, headers=headers)
            answer = conn.getresponse()
            return answer.status, answer.headers
        finally:
            conn.close()

    def subscribe(self, url, callback=None, timeout="Second-1800", **headers):
        """Asks for events at our port."""
        callback = callback or f"<http://{self.address}:{self.port}/events>"
        return self.ask("SUBSCRIBE", url, CALLBACK=callback, NT="upnp:event", TIMEOUT=timeout,
                        **headers)

    def event(self, within=DEADLINE_S):
        """The next event, acknowledged: (SID, SEQ, values)."""
        self.sock.settimeout(within)
        conn, _ = self.sock.accept()
        with conn, conn.makefile("rb") as stream:
            assert stream.readline() == b"NOTIFY /events HTTP/1.1\r\n"
            head = http.client.parse_headers(stream)
            body = stream.read(int(head["Content-Length"]))
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert head["NT"] == "upnp:event" and head["NTS"] == "upnp:propchange"
        space = "{urn:schemas-upnp-org:event-1-0}"
        tree = ET.fromstring(body)
        assert tree.tag == f"{space}propertyset"
        values = [child for node in tree.iterfind(f"{space}property") for child in node]
        return head["SID"], int(head["SEQ"]), {v.tag: v.text or "" for v in values}

    def silent(self, seconds):
        """True when no event comes for a while."""
        return not select.select([self.sock], [], [], seconds)[0]


@pytest.fixture(name="subscriber")
def fixture_subscriber(lab, worker):
    """On lan1; the state of the router is the usual one."""
    with Subscriber(lab.lan1, LAN1) as subscriber:
        yield subscriber
    worker.send("IGW_CHANGED", addr=PUBLIC, mappings=7)


def first_values(lan1, subscriber, service):
    """What the first event of a subscription, ended at once, has to say."""
    url = lan1.services[service].event
    status, headers = subscriber.subscribe(url)
    assert status == 200
    values = subscriber.event()[2]
    assert subscriber.ask("UNSUBSCRIBE", url, SID=headers["SID"])[0] == 200
    return values


def test_first_events(lan1, subscriber):
    """The first event of each service names all its evented variables."""
    expected = {
        WIC: WIC_EVENTS,
        WCIC: {"PhysicalLinkStatus": "Up", "NumberOfActiveConnections": "1",
               "EnabledForInternet": "1"},
        L3F: {"DefaultConnectionService":
              f"uuid:{UUID[:-2]}f1:WANConnectionDevice:1,urn:upnp-org:serviceId:WANIPConn1"},
    }
    # What the broker said last reaches the worker by another way than the subscription does.
    eventually(lambda: first_values(lan1, subscriber, WIC) == WIC_EVENTS, "the broker's word")
    for service, values in expected.items():
        url = lan1.services[service].event
        status, headers = subscriber.subscribe(url)
        assert status == 200 and headers["TIMEOUT"] == "Second-1800"
        assert subscriber.event() == (headers["SID"], 0, values)
        assert subscriber.ask("UNSUBSCRIBE", url, SID=headers["SID"])[0] == 200
        assert subscriber.ask("UNSUBSCRIBE", url, SID=headers["SID"])[0] == 412


def test_changes(worker, lan1, subscriber):
    """What changes is told, and only that; many changes in a second are one event."""
    url = lan1.services[WIC].event
    sid = subscriber.subscribe(url)[1]["SID"]
    assert subscriber.event()[1] == 0
    worker.send("IGW_CHANGED", addr=PUBLIC, mappings=8)
    assert subscriber.event() == (sid, 1, {"PortMappingNumberOfEntries": "8"})
    for n in range(9, 60):
        worker.send("IGW_CHANGED", addr=PUBLIC, mappings=n)
    last, seen = {}, 0
    while last != {"PortMappingNumberOfEntries": "59"}:
        last, seen = subscriber.event()[2], seen + 1
    assert seen <= 2
    worker.answers["IGW_WAN_GET"] = lambda _: wan(addr="", link_up=0)
    worker.send("IGW_CHANGED", addr="", mappings=0)
    assert subscriber.event()[2] == {
        "ConnectionStatus": "Disconnected", "ExternalIPAddress": "",
        "PortMappingNumberOfEntries": "0"}
    worker.send("IGW_CHANGED", addr="", mappings=0)
    assert subscriber.silent(SILENT_WITHIN_S)
    assert subscriber.ask("UNSUBSCRIBE", url, SID=sid)[0] == 200


def test_renewal(lan1, subscriber):
    """A renewal keeps the number and sends no first event again; unknown ones are refused."""
    url = lan1.services[WIC].event
    sid = subscriber.subscribe(url)[1]["SID"]
    assert subscriber.event()[1] == 0
    status, headers = subscriber.ask("SUBSCRIBE", url, SID=sid, TIMEOUT="Second-300")
    assert (status, headers["SID"], headers["TIMEOUT"]) == (200, sid, "Second-300")
    assert subscriber.silent(0.3)
    assert subscriber.ask("SUBSCRIBE", url, SID="uuid:none", TIMEOUT="Second-300")[0] == 412
    assert subscriber.ask("UNSUBSCRIBE", url, SID=sid)[0] == 200


def test_subscriptions_are_bounded(lan1, subscriber):
    """No longer than half an hour, no callback outside the LAN, at most eight a service."""
    url = lan1.services[L3F].event
    sids = []
    for timeout in ("Second-infinite", "Second-99999", "infinite"):
        status, headers = subscriber.subscribe(url, timeout=timeout)
        assert status == 200 and headers["TIMEOUT"] == "Second-1800"
        sids.append(headers["SID"])
    for callback in (f"<http://{WAN1}:80/>", "<http://8.8.8.8:80/>", "none"):
        assert subscriber.subscribe(url, callback)[0] == 412
    while len(sids) < 8:
        sids.append(subscriber.subscribe(url)[1]["SID"])
    assert subscriber.subscribe(url)[0] == 500
    for sid in sids:
        assert subscriber.ask("UNSUBSCRIBE", url, SID=sid)[0] == 200
    assert subscriber.subscribe(url)[0] == 200
