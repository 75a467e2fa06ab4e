"""The worker's HTTP and SSDP, as the library and what is around it answer them."""

import re
import socket
import xml.etree.ElementTree as ET
from urllib.parse import urlsplit

import pytest

from capture import Capture
from fake_broker import PORT, UUID
from lab import GST, GUEST, LAN, LAN1, LAN2, WAN, WAN1
from netns import DEADLINE_S
from soap import IGD, L3F, SSDP, WCIC, WIC, search, search_message, search_socket
from worker_fixtures import fixture_lan1, fixture_served, fixture_worker  # pylint: disable=unused-import

SILENT_WITHIN_S = 1.2


def raw_http(host, data, address=LAN):
    """Sends bytes to the HTTP port; all that comes back."""
    with host.connect(address, PORT) as sock:
        sock.sendall(data)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_documents(lan1):
    """Description and SCPDs by GET and HEAD, whole or in part."""
    for url in [lan1.location, *(s.scpd for s in lan1.services.values())]:
        status, headers, text = lan1.request("GET", url)
        assert status == 200 and int(headers["Content-Length"]) == len(text)
        assert headers["Content-Type"] == 'text/xml; charset="utf-8"'
        ET.fromstring(text)
        status, headers, nothing = lan1.request("HEAD", url)
        assert status == 200 and int(headers["Content-Length"]) == len(text) and not nothing
        status, _, part = lan1.request("GET", url, headers=[("Range", "bytes=100-199")])
        assert status == 206 and part == text[100:200]


def test_description_names(lan1):
    """UDNs count up from the UUID; the paths are not to be guessed; nothing tells a version."""
    tree = ET.fromstring(lan1.request("GET", lan1.location)[2])
    udns = [node.text for node in tree.iter("{urn:schemas-upnp-org:device-1-0}UDN")]
    assert udns == [f"uuid:{UUID[:-2]}{last}" for last in ("ef", "f0", "f1")]
    token = UUID.replace("-", "")[:16]
    for url in [lan1.location, *(u for s in lan1.services.values() for u in s[3:])]:
        assert urlsplit(url).path.startswith(f"/{token}/")
    _, headers, text = lan1.request("GET", lan1.location)
    assert not re.search(rb"\d+\.\d+\.\d+[^.\d]", text.replace(LAN.encode(), b""))
    assert not re.search(r"[Ll]inux|1\.14|[0-9]+\.[0-9]+\.[0-9]+", str(headers))


@pytest.mark.parametrize("path", [
    "/", "/rootDesc.xml", "/description.xml", "/gateway.xml", "//", "/../etc/passwd",
    "/%2e%2e/etc/passwd", f"/{'0' * 16}/gateway.xml",
])
def test_unknown_path(lan1, path):
    """What is not one of our documents is not there."""
    assert lan1.request("GET", f"http://{LAN}:{PORT}{path}")[0] == 404


def test_other_methods(lab, lan1):
    """Nothing is written, nothing unknown is done."""
    path = urlsplit(lan1.location).path
    for method in ("FOO", "OPTIONS", "PUT", "DELETE"):
        answer = raw_http(lab.lan1, f"{method} {path} HTTP/1.1\r\nHost: {LAN}:{PORT}\r\n"
                                    "Content-Length: 0\r\n\r\n".encode())
        assert re.match(rb"HTTP/[\d.]+ (405|501|400|500)", answer), answer
        assert b"Access-Control" not in answer
    # POST without SOAPACTION would be written to a file, were there one
    answer = raw_http(lab.lan1, f"POST {path} HTTP/1.1\r\nHost: {LAN}:{PORT}\r\n"
                                "Content-Length: 4\r\n\r\nabcd".encode())
    assert not answer.startswith(b"HTTP/1.1 200"), answer
    assert lan1.request("GET", lan1.location)[0] == 200


def test_host_name_is_refused(lab, lan1):
    """DNS rebinding: a request for a name gets nothing."""
    path = urlsplit(lan1.location).path
    assert b"200" not in raw_http(
        lab.lan1, f"GET {path} HTTP/1.1\r\nHost: evil.example:{PORT}\r\n\r\n".encode())


def test_not_for_others(lab, worker):
    """Neither the WAN nor the guest link reaches the HTTP port; LAN and router itself do."""
    assert worker.process.poll() is None
    for host, address in ((lab.wan1, WAN), (lab.wan1, LAN), (lab.gst, LAN)):
        assert host.tcp_reaches(address, PORT) in ("refused", "dropped"), (host.name, address)
    for host in (lab.lan2, lab.rtr):
        assert host.tcp_reaches(LAN, PORT) == "connected"


@pytest.mark.parametrize("target, n", [
    ("ssdp:all", 10), ("upnp:rootdevice", 1), (IGD, 1), (WIC, 1), (WCIC, 1), (L3F, 1),
    (f"uuid:{UUID}", 1), (f"uuid:{UUID[:-2]}f1", 1),
    (IGD[:-1] + "2", 0), (WIC[:-1] + "2", 0), ("urn:x:device:Y:1", 0), ("nonsense", 0),
    (f"uuid:{UUID[:-2]}f2", 0),
])
def test_search(lab, worker, target, n):
    """The right number of answers, each with the target searched for."""
    assert worker.process.poll() is None
    with Capture(lab.lan2) as link:
        answers = search(lab.lan2, LAN2, target, max(n, 1), within=DEADLINE_S if n else 1)
        more = link.watch(0.3, lambda p: not p.sent and p.target == LAN2 and
                          p.source_port != PORT and b"200 OK" in p.payload)
    assert len(answers) == n
    assert len(more) in (0, n)
    for answer in answers:
        assert target in ("ssdp:all", answer["st"])
        assert answer["location"] == f"http://{LAN}:{PORT}/123456789abc4def/gateway.xml"
        assert "ext" in answer


GOOD = search_message("upnp:rootdevice").decode()


@pytest.mark.parametrize("message", [
    "",
    "M",
    "M-SEARCH",
    GOOD[:59],
    GOOD.replace("M-SEARCH *", "M-SEARCH http://name.example/"),
    GOOD.replace("M-SEARCH", "NOTIFY"),
    GOOD.replace('"ssdp:discover"', "ssdp:discover"),
    GOOD.replace("MX: 1\r\n", ""),
    GOOD.replace("ST: upnp:rootdevice\r\n", ""),
    GOOD.replace("upnp:rootdevice", "u" * 8000),
    GOOD.replace("upnp:rootdevice", "urn:" + ":" * 300),
    "HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nUSN: uuid:x\r\nLOCATION: http://192.168.1.20/"
    "\r\n\r\n",
])
def test_search_that_is_none(lab, worker, message):
    """Silence, and the next search is answered."""
    with Capture(lab.lan1) as link:
        with search_socket(lab.lan1, LAN1) as sock:
            for address in (SSDP[0], LAN):
                sock.sendto(message.encode(), (address, SSDP[1]))
        assert search(lab.lan2, LAN2, "upnp:rootdevice")
        assert not link.watch(0.3, lambda p: not p.sent and p.protocol == "udp" and
                              p.target == LAN1)
    assert worker.process.poll() is None


def test_search_from_elsewhere(lab, worker):
    """Unicast and multicast searches of the WAN host and the guest: silence."""
    for host, address in ((lab.wan1, WAN1), (lab.gst, GST)):
        with Capture(host) as link:
            with search_socket(host, address) as sock:
                for target in (SSDP[0], WAN, LAN, GUEST):
                    sock.sendto(GOOD.encode(), (target, SSDP[1]))
            assert search(lab.lan1, LAN1, "upnp:rootdevice")
            assert not link.watch(SILENT_WITHIN_S, lambda p: not p.sent and p.protocol == "udp")
    assert worker.process.poll() is None


@pytest.mark.parametrize("port, answered", [(1900, True), (1025, True), (53, False), (80, False)])
def test_search_source_ports(lab, worker, port, answered):
    """libtorrent asks from port 1900; nobody asks from a service's port but a reflector."""
    assert worker.process.poll() is None
    with lab.lan1.open_socket(socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((LAN1, port))
        sock.sendto(GOOD.encode(), (LAN, SSDP[1]))
        sock.settimeout(DEADLINE_S if answered else SILENT_WITHIN_S)
        try:
            assert sock.recv(4096).startswith(b"HTTP/1.1 200 OK") and answered
        except TimeoutError:
            assert not answered


def test_stop_socket_is_deaf(lab, worker):
    """No local user ends the library by its loopback socket."""
    listed = lab.rtr.run("ss", "-H", "-lnup").stdout
    ports = [int(m[1]) for m in re.finditer(rf"127\.0\.0\.1:(\d+) .*pid={worker.process.pid},",
                                            listed)]
    assert len(ports) == 1, listed
    with lab.rtr.open_socket(socket.SOCK_DGRAM) as sock:
        for _ in range(3):
            sock.sendto(b"ShutDown", ("127.0.0.1", ports[0]))
    assert search(lab.lan1, LAN1, "upnp:rootdevice")
    assert lab.lan1.tcp_reaches(LAN, PORT) == "connected"
