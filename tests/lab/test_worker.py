"""The UPnP worker alone, with a broker of ours behind it: what it serves, asks and refuses."""

import http.client
import os
import re
import select
import signal
import socket
import threading
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from capture import Capture
from fake_broker import MSG, UUID, Worker
from igdward import installed_prefix
from lab import GST, LAN, LAN1, LAN2, WAN, WAN1, Lab
from netns import DEADLINE_S, eventually
from soap import IGD, L3F, SSDP, WCIC, WIC, ControlPoint, search, search_message, search_socket

PORT = 5000
PUBLIC = "11.22.33.44"  # miniupnpc takes only an address of the internet for a connection
CANNOT_SERVE = 3
SILENT_WITHIN_S = 1.2
ENTRY = {"lease_s": 3412, "internal_client": LAN1, "external_port": 8080, "internal_port": 80,
         "protocol": 6, "enabled": 1, "description": "<a>&\"'"}
WIC_EVENTS = {"PossibleConnectionTypes": "IP_Routed", "ConnectionStatus": "Connected",
              "ExternalIPAddress": PUBLIC, "PortMappingNumberOfEntries": "7"}


def program():
    """The worker's executable."""
    return installed_prefix() / "libexec/igdward/igdward-upnp"


def wan(_=None, **changed):
    """The broker's answer about the WAN link."""
    return "IGW_WAN", {"addr": PUBLIC, "uptime_s": 77, "link_up": 1, "tx_bytes": 2**33 + 5,
                       "rx_bytes": 6, "tx_packets": 7, "rx_packets": 8, **changed}


def result(reason="IGW_OK"):
    """An answer to add and delete."""
    return lambda _: ("IGW_MAP_RESULT", {"reason": MSG.constants[reason]})


def entry(reason="IGW_OK", **fields):
    """An answer to get and index."""
    return lambda _: ("IGW_MAP_ENTRY", {"reason": MSG.constants[reason], **fields})


def usual():
    """A broker with which everything goes well."""
    return {"IGW_WAN_GET": wan, "IGW_MAP_ADD": result(), "IGW_MAP_DELETE": result(),
            "IGW_MAP_GET": entry(**ENTRY), "IGW_MAP_INDEX": entry(**ENTRY)}


def started(worker, **link):
    """Has the worker serve and the broker answer as usual."""
    worker.link(**link)
    serving = worker.receive()
    assert serving and serving.name == "IGW_SERVING", worker.said()
    worker.serve(**usual())
    worker.send("IGW_CHANGED", addr=PUBLIC, mappings=7)
    return serving.http_port


@pytest.fixture(scope="module", name="lab")
def fixture_lab():
    """The router without the daemon."""
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="module", name="served")
def fixture_served(lab):
    """A worker that serves br-lan."""
    with Worker(lab.rtr, program()) as worker:
        assert started(worker) == PORT
        yield worker
        assert worker.process.poll() is None, worker.wait()
        worker.process.terminate()
        assert worker.wait() == 0
        assert not re.search(r"ERROR: \w+Sanitizer|runtime error", worker.stderr())


@pytest.fixture(name="worker")
def fixture_worker(served):
    """The same, answering as usual again after the test."""
    served.answers = usual()
    yield served
    served.answers = usual()


@pytest.fixture(name="lan1")
def fixture_lan1(lab, worker):
    """An application on lan1."""
    assert worker
    return ControlPoint(lab.lan1, LAN1)


def spare(lab, **kw):
    """A second worker, on the guest link, so that the served one stays as it is."""
    return Worker(lab.rtr, program(), **kw)


GUEST_LINK = {"interface": "br-guest", "addr": "192.168.50.1",
              "uuid": "22345678-9abc-4def-8123-456789abcdef"}


# -- start and end ---------------------------------------------------------------------------


def notifies(packets):
    """(NTS, NT, USN) of the SSDP notifications among packets, and their texts."""
    found = []
    for packet in packets:
        text = packet.payload.decode("latin-1")
        if packet.target == SSDP[0] and text.startswith("NOTIFY"):
            head = dict(line.split(": ", 1) for line in text.split("\r\n")[1:] if line)
            found.append((head["NTS"], head["NT"], head["USN"], head, packet.source))
    return found


def everything(link):
    """All notifications that have come by the time the link is silent for a moment."""
    packets = []
    while more := link.watch(0.5, lambda p: p.target == SSDP[0]):
        packets += more
    return notifies(packets)


def test_byebye_then_alive_and_byebye_again(lab):
    """The set of ten: byebye before the first alive, byebye at the end, nothing on the WAN."""
    with Capture(lab.gst) as link, Capture(lab.wan1) as outside, spare(lab) as worker:
        started(worker, **GUEST_LINK)
        start = everything(link)
        os.kill(worker.process.pid, signal.SIGTERM)
        assert worker.wait() == 0
        end = everything(link)
        assert not [p for p in outside.packets() if p.protocol == "udp"]
    kinds = [nts for nts, *_ in start]
    assert kinds == sorted(kinds, reverse=True)  # all byebyes, then all alives
    gone, alive = ({(nt, usn) for nts, nt, usn, *_ in start if nts == f"ssdp:{word}"}
                   for word in ("byebye", "alive"))
    assert len(alive) == 10
    assert gone == alive
    assert {(nt, usn) for _, nt, usn, *_ in end} == alive
    assert {nts for nts, *_ in end} == {"ssdp:byebye"}
    for nts, _, usn, head, source in start:
        assert usn.startswith("uuid:22345678-9abc-4def-8123-456789abcd")
        assert source == "192.168.50.1"
        if nts == "ssdp:alive":
            assert head["CACHE-CONTROL"] == "max-age=1800"
            assert head["LOCATION"].startswith(f"http://192.168.50.1:{PORT}/")
            assert len(head["SERVER"].split()) == 3


def test_end_of_the_channel(lab):
    """A broker that is gone ends the worker, with a byebye."""
    with Capture(lab.gst) as link, spare(lab) as worker:
        started(worker, **GUEST_LINK)
        everything(link)
        worker.channel.shutdown(socket.SHUT_RDWR)
        assert worker.wait() == 0
        assert {nts for nts, *_ in everything(link)} == {"ssdp:byebye"}


def test_end_before_the_link(lab):
    """It waits for what to serve, and ends when told so or when nobody is left to tell it."""
    with spare(lab) as worker:
        blocked = re.compile(r"SigBlk:\t0*(?!0)\w+")  # the signals that it takes care of
        status = Path(f"/proc/{worker.process.pid}/status")
        eventually(lambda: blocked.search(status.read_text(encoding="ascii")), "its start")
        worker.process.terminate()
        assert worker.wait() == 0
    with spare(lab) as worker:
        worker.channel.shutdown(socket.SHUT_RDWR)
        assert worker.wait() == 0
        assert worker.stderr() == ""


@pytest.mark.parametrize("raw", [b"", b"x", b"\xff" * 8, bytes(8), b"\1" * 300])
def test_broken_protocol(lab, raw):
    """What is no message of the broker ends the worker with a failure, said once."""
    with spare(lab) as worker:
        worker.channel.send(raw)
        assert worker.wait() == (1 if raw else 0)  # a packet without a byte is an end
        assert worker.stderr().count("channel to the broker") == (1 if raw else 0)


def test_messages_out_of_place(lab):
    """A second link, and a message that only others get."""
    for name in ("IGW_LINK", "IGW_STARTED"):
        with spare(lab) as worker:
            started(worker, **GUEST_LINK)
            worker.send(name)
            assert worker.wait() == 1


@pytest.mark.parametrize("changed", [
    {"prefix_len": 0}, {"prefix_len": 33}, {"addr": ""}, {"interface": ""}, {"uuid": "x"},
])
def test_senseless_link(lab, changed):
    """A link that makes no sense is a failure, and said by the channel."""
    with spare(lab) as worker:
        worker.link(**changed)
        assert worker.receive() is None
        assert worker.wait() == 1
        assert len(worker.log) == 1 and "link" in worker.said()[0]


def test_interface_that_is_not_there(lab):
    """No such interface or address: a failure, as it may come back, but not a final one."""
    for changed in ({"interface": "lan7"}, {"addr": "192.168.7.1"}):
        with spare(lab) as worker:
            worker.link(**changed)
            assert worker.receive() is None
            assert worker.wait() == 1
            assert worker.said(), "no word of it"


@pytest.mark.parametrize("address", ["192.168.50.1", "0.0.0.0"])
def test_port_taken(lab, address):
    """Another program has the port: one sentence and exit code 3, at once."""
    with lab.rtr.listen(address, 5001), spare(lab) as worker:
        worker.link(**GUEST_LINK, http_port=5001)
        assert worker.receive() is None
        assert worker.wait() == CANNOT_SERVE
        assert worker.said() == ["port 5001 on br-guest is taken by another program; free it "
                                 "or set http_port"]


def test_privileged_port(lab):
    """A port below 1024 is not for a worker."""
    with spare(lab) as worker:
        worker.link(**GUEST_LINK, http_port=80)
        assert worker.receive() is None
        assert worker.wait() == CANNOT_SERVE
        assert "port 80 on br-guest" in worker.said()[0]


def test_any_port(lab):
    """Port 0 means any; it is told to the broker, and two workers of one machine may have it."""
    with spare(lab) as worker:
        port = started(worker, **GUEST_LINK, http_port=0)
        assert port >= 1024
        found = ControlPoint(lab.gst, GST)
        assert urlsplit(found.location).port == port
        assert found.ask("GetExternalIPAddress")


def test_second_address(lab):
    """Of an interface with several addresses the broker's choice is served."""
    lab.rtr.run("ip", "addr", "add", "10.9.9.1/24", "dev", "br-guest")
    try:
        with spare(lab) as worker:
            started(worker, **GUEST_LINK)
            assert ControlPoint(lab.gst, GST).location.startswith("http://192.168.50.1:")
    finally:
        lab.rtr.run("ip", "addr", "del", "10.9.9.1/24", "dev", "br-guest")


def test_igd_version_2_is_served_as_1(lab):
    """As long as there is no second version, the first is served and that is said."""
    with spare(lab) as worker:
        started(worker, **GUEST_LINK, igd_version=2)
        worker.await_kept(worker.log, lambda line: "igd_version 2" in line.text)
        assert WIC in ControlPoint(lab.gst, GST).services


def test_each_worker_has_its_link(lab, worker):
    """Two workers on one machine: each LAN hears of its own only (IP_MULTICAST_ALL)."""
    with spare(lab) as other:
        started(other, **GUEST_LINK)
        for host, address, own in ((lab.lan1, LAN1, LAN), (lab.gst, GST, "192.168.50.1")):
            with Capture(host) as link:
                [answer] = search(host, address, "upnp:rootdevice")
                assert answer["location"].startswith(f"http://{own}:")
                late = link.watch(SILENT_WITHIN_S, lambda p: not p.sent and
                                  p.protocol == "udp" and b"LOCATION" in p.payload and
                                  own.encode() not in p.payload)
                assert not late
    assert worker.process.poll() is None


def test_runs_confined(worker):
    """No privilege, no core, its own limits, nowhere to print; and a name for the log."""
    pid = worker.process.pid
    status = dict(line.split(":\t", 1) for line in
                  Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
                  if ":\t" in line)
    assert status["CapEff"] == status["CapPrm"] == "0" * 16
    assert status["NoNewPrivs"] == "1"
    limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
    assert re.search(r"Max core file size\s+0 ", limits)
    assert re.search(r"Max open files\s+256 ", limits)
    if re.search(r"Max address space\s+33554432 ", limits):  # not with a sanitizer
        assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)} == {"/dev/null"}
        assert int(status["VmSize"].split()[0]) < 16 * 1024
        assert int(status["VmRSS"].split()[0]) < 8 * 1024


# -- HTTP -----------------------------------------------------------------------------------------


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
    """Neither the WAN, nor the guest link, nor the router itself reaches the HTTP port."""
    assert worker.process.poll() is None
    for host, address in ((lab.wan1, WAN), (lab.wan1, LAN), (lab.gst, LAN), (lab.rtr, LAN)):
        assert host.tcp_reaches(address, PORT) in ("refused", "dropped"), (host.name, address)
    assert lab.lan2.tcp_reaches(LAN, PORT) == "connected"


# -- SSDP -----------------------------------------------------------------------------------------


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
                for target in (SSDP[0], WAN, LAN, "192.168.50.1"):
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


# -- actions ---------------------------------------------------------------------------------------


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
    None, "", "'", '"', "x", "#", f'"{WIC}"', f'"{WIC}#', f'"{WIC[:-1]}9#GetNATRSIPStatus"',
    f'"{WIC}#GetStatusInfo"', '"' * 4000,
])
def test_wrong_soapaction(lan1, action):
    """A SOAPACTION that does not name the action of the body is an error."""
    answer = post(lan1, soap_body(CALL), action=action) if action != f'"{WIC}#' else (400, "")
    assert answer[0] >= 400
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


# -- a broker in trouble ---------------------------------------------------------------------------


def test_silent_broker(lab, worker, lan1):
    """No answer: 501 after two seconds, while what needs no broker is answered at once."""
    worker.answers["IGW_MAP_ADD"] = lambda _: None
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(lan1.add(8080, 80)))
               for _ in range(6)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    eventually(lambda: sum(m.name == "IGW_MAP_ADD" for m in worker.requests) >= 6, "six requests")
    before = time.monotonic()
    assert ControlPoint(lab.lan2, LAN2).ask("GetNATRSIPStatus")
    assert time.monotonic() - before < 1
    for thread in threads:
        thread.join()
    assert codes == [501] * 6
    assert 1.9 < time.monotonic() - begin < 4


def test_late_and_wrong_answers(worker, lan1):
    """An answer of another kind fails the request; answers nobody waits for do nothing."""
    worker.answers["IGW_MAP_ADD"] = wan
    assert lan1.add(8080, 80) == 501
    for seq in range(1, 200):
        worker.send("IGW_MAP_RESULT", seq)
    worker.answers = usual()
    assert lan1.add(8080, 80) == 0


# -- events ----------------------------------------------------------------------------------------


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


def test_first_events(lan1, subscriber):
    """The first event of each service names all its evented variables."""
    expected = {
        WIC: WIC_EVENTS,
        WCIC: {"PhysicalLinkStatus": "Up", "NumberOfActiveConnections": "1",
               "EnabledForInternet": "1"},
        L3F: {"DefaultConnectionService":
              f"uuid:{UUID[:-2]}f1:WANConnectionDevice:1,urn:upnp-org:serviceId:WANIPConn1"},
    }
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
