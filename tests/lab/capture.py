"""What really went over a link: an AF_PACKET socket on one interface of a host."""

import select
import socket
import struct
import time
from typing import NamedTuple

ETH_P_ALL = 3
ETH_P_IP = 0x0800
ETH_P_IPV6 = 0x86DD
SYN, RST, ACK = 2, 4, 16


class Packet(NamedTuple):
    """One TCP or UDP packet over IPv4 or IPv6."""

    sent: bool  # by the host that captures
    source: str
    target: str
    protocol: str
    source_port: int
    target_port: int
    flags: int
    payload: bytes

    @property
    def syn_ack(self):
        """Is this the second packet of a TCP handshake?"""
        return self.flags & (SYN | ACK) == SYN | ACK


class Capture:
    """Context manager: captures from its start on; packets() takes what has come so far."""

    def __init__(self, host, interface="eth0"):
        self._sock = host.open_socket(socket.SOCK_RAW, socket.AF_PACKET)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._sock.bind((interface, ETH_P_ALL))
        self._sock.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._sock.close()

    def packets(self):
        """All TCP and UDP packets since the last call."""
        found = []
        while True:
            try:
                frame, address = self._sock.recvfrom(65536)
            except BlockingIOError:
                return found
            packet = _parse(frame, address[2] == socket.PACKET_OUTGOING)
            if packet:
                found.append(packet)

    def watch(self, seconds, wanted):
        """Packets that wanted() picks, until the first such batch or until the time is over."""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            poll.poll(left * 1000)
            if found := [packet for packet in self.packets() if wanted(packet)]:
                return found
        return []


def _parse(frame, sent):
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == ETH_P_IP:
        header = (frame[14] & 15) * 4
        protocol = frame[23]
        source, target = (socket.inet_ntop(socket.AF_INET, frame[at:at + 4]) for at in (26, 30))
    elif kind == ETH_P_IPV6:
        header = 40
        protocol = frame[20]
        source, target = (socket.inet_ntop(socket.AF_INET6, frame[at:at + 16]) for at in (22, 38))
    else:
        return None
    body = frame[14 + header:]
    if protocol == socket.IPPROTO_TCP:
        ports = struct.unpack_from("!HH", body)
        return Packet(sent, source, target, "tcp", *ports, body[13], body[(body[12] >> 4) * 4:])
    if protocol == socket.IPPROTO_UDP:
        ports = struct.unpack_from("!HH", body)
        return Packet(sent, source, target, "udp", *ports, 0, body[8:])
    return None
