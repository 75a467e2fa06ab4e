"""A control point as an application on a LAN host has it: SSDP search, description, SOAP.

Nothing about the device is assumed but what its description says.
"""

import http.client
import select
import socket
import time
import xml.etree.ElementTree as ET
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit
from xml.sax.saxutils import escape

from netns import DEADLINE_S

SSDP = ("239.255.255.250", 1900)
IGD = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
WIC = "urn:schemas-upnp-org:service:WANIPConnection:1"
WCIC = "urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1"
L3F = "urn:schemas-upnp-org:service:Layer3Forwarding:1"
DEVICE = "{urn:schemas-upnp-org:device-1-0}"
ENVELOPE = (
    '<?xml version="1.0"?>\n'
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
    ' s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>'
    '<u:{action} xmlns:u="{service}">{arguments}</u:{action}>'
    "</s:Body></s:Envelope>\n"
)


class Answer(NamedTuple):
    """Of an action: HTTP status, out arguments in their order, UPnP error code (0 = success)."""

    status: int
    values: dict
    code: int


class Markup(str):
    """Argument text that goes out as it is, not escaped."""


class Service(NamedTuple):
    """A service of the description, URLs absolute."""

    type: str
    id: str
    udn: str  # of the device that has it
    scpd: str
    control: str
    event: str


def search_message(target, mx=1):
    """An M-SEARCH datagram."""
    return (f"M-SEARCH * HTTP/1.1\r\nHOST: {SSDP[0]}:{SSDP[1]}\r\nMAN: \"ssdp:discover\"\r\n"
            f"MX: {mx}\r\nST: {target}\r\n\r\n").encode()


def search_socket(host, address):
    """A socket for multicast searches out of the interface with this address."""
    sock = host.open_socket(socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 2)
    sock.bind((address, 0))
    return sock


def search(host, address, target=IGD, enough=1, within=DEADLINE_S):
    """Searches by multicast; header dictionaries of the first `enough` answers.

    A search without an answer is sent again after two seconds, as UDP asks of everybody.
    """
    answers = []
    with search_socket(host, address) as sock:
        sock.sendto(search_message(target), SSDP)
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        end = time.monotonic() + within
        while len(answers) < enough and (left := end - time.monotonic()) > 0:
            if poll.poll(min(left, 2) * 1000):
                answers.append(_headers(sock.recv(65536)))
            elif not answers:
                sock.sendto(search_message(target), SSDP)
    return answers


class ControlPoint:
    """Finds the gateway from one LAN host and calls its actions from there."""

    def __init__(self, host, address):
        self.host = host
        self.address = address
        self.location = ""
        self.services = {}
        self.discover()

    def discover(self):
        """Searches and reads the description, as after a restart of the gateway."""
        found = search(self.host, self.address)
        assert found, f"no gateway answers {self.host.name}"
        self.location = found[0]["location"]
        status, _, text = self.request("GET", self.location)
        assert status == 200
        self.services = {s.type: s for s in read_description(text, self.location)}

    def request(self, method, url, body=b"", headers=()):
        """One HTTP request; (status, headers, body)."""
        parts = urlsplit(url)
        conn = http.client.HTTPConnection(parts.hostname, parts.port)
        conn.sock = self.host.connect(parts.hostname, parts.port)
        try:
            conn.request(method, parts.path, body, dict(headers))
            answer = conn.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            conn.close()

    def call(self, action, *arguments, service=WIC, **named):
        """Calls an action; arguments as (name, value) pairs or, without "New", by keyword."""
        pairs = [*arguments, *((f"New{name}", value) for name, value in named.items())]
        body = ENVELOPE.format(
            action=action, service=service,
            arguments="".join(
                f"<{n}>{v if isinstance(v, Markup) else escape(str(v))}</{n}>" for n, v in pairs))
        status, _, text = self.request(
            "POST", self.services[service].control, body.encode(),
            {"Content-Type": 'text/xml; charset="utf-8"', "SOAPAction": f'"{service}#{action}"',
             "Connection": "close"})
        return read_answer(action, service, status, text)

    def ask(self, action, *arguments, service=WIC, **named):
        """call() that must succeed; the out arguments."""
        answer = self.call(action, *arguments, service=service, **named)
        assert answer.code == 0, f"{action} answered {answer.code}"
        return answer.values

    # -- port mappings ----------------------------------------------------------------------

    def add(self, external, internal, client=None, protocol="TCP", lease=600,
            description="lab", remote="", enabled=1):
        """AddPortMapping, for the caller itself unless said; its error code, 0 = mapped."""
        return self.call(
            "AddPortMapping", RemoteHost=remote, ExternalPort=external, Protocol=protocol,
            InternalPort=internal, InternalClient=self.address if client is None else client,
            Enabled=enabled, PortMappingDescription=description, LeaseDuration=lease).code

    def delete(self, external, protocol="TCP", remote=""):
        """DeletePortMapping; its error code."""
        return self.call("DeletePortMapping", RemoteHost=remote, ExternalPort=external,
                         Protocol=protocol).code

    def specific(self, external, protocol="TCP", remote=""):
        """GetSpecificPortMappingEntry."""
        return self.call("GetSpecificPortMappingEntry", RemoteHost=remote,
                         ExternalPort=external, Protocol=protocol)

    def generic(self, index):
        """GetGenericPortMappingEntry."""
        return self.call("GetGenericPortMappingEntry", PortMappingIndex=index)


def read_description(text, location):
    """All services of a device description."""
    found = []
    for device in ET.fromstring(text).iter(f"{DEVICE}device"):
        udn = device.findtext(f"{DEVICE}UDN")
        for node in device.iterfind(f"{DEVICE}serviceList/{DEVICE}service"):
            field = {child.tag.removeprefix(DEVICE): child.text or "" for child in node}
            found.append(Service(
                field["serviceType"], field["serviceId"], udn,
                *(urljoin(location, field[name])
                  for name in ("SCPDURL", "controlURL", "eventSubURL"))))
    return found


def read_answer(action, service, status, text):
    """A SOAP answer; one that is neither success nor a UPnP fault is an AssertionError."""
    try:
        body = ET.fromstring(text)[0]
    except (ET.ParseError, IndexError) as error:
        raise AssertionError(f"{action}: HTTP {status} without SOAP: {text[:200]!r}") from error
    if status == 200:
        assert body[0].tag == f"{{{service}}}{action}Response", body[0].tag
        return Answer(status, {child.tag: child.text or "" for child in body[0]}, 0)
    code = body.findtext(".//{urn:schemas-upnp-org:control-1-0}errorCode")
    assert status == 500 and code, f"{action}: HTTP {status} {text[:200]!r}"
    return Answer(status, {}, int(code))


def _headers(datagram):
    first, *lines = datagram.decode("latin-1").split("\r\n")
    assert first.startswith("HTTP/1.1 200"), first
    return {name.lower(): value.strip() for name, _, value in
            (line.partition(":") for line in lines if line)}
