"""What the hosts of the lab offer: TCP and UDP services that tell who answered whom.

A TCP connection that starts with GET gets a page and is closed; any other gets its bytes back.
A datagram gets "host:port peer|" and its own bytes back. One thread serves everything.
"""

import os
import selectors
import socket
import threading

from netns import DEADLINE_S


class Service:
    """One listening port. `received` holds what arrived, for tests that must see nothing arrive."""

    def __init__(self, host, port, sock):
        self.host = host
        self.port = port
        self.sock = sock
        self.received = b""
        self.peers = []
        self.arrived = threading.Condition()

    def page(self, peer):
        """The page for a visitor: names this service and the address it sees."""
        return f"{self.host.name}:{self.port} serves {peer[0]}\n"

    def await_received(self, text, within=DEADLINE_S):
        """Returns when these bytes have arrived."""
        with self.arrived:
            if not self.arrived.wait_for(lambda: text in self.received, within):
                raise AssertionError(f"{text!r} did not arrive at {self.host.name}:{self.port}")

    def note(self, data, peer):
        """Books arrived bytes."""
        with self.arrived:
            self.received += data
            if peer not in self.peers:
                self.peers.append(peer)
            self.arrived.notify_all()


class Services:
    """All services of one lab."""

    def __init__(self):
        self._selector = selectors.DefaultSelector()
        self._wake_r, self._wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._selector.register(self._wake_r, selectors.EVENT_READ)
        self._started = {}
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def tcp(self, host, port, address="0.0.0.0"):
        """Starts (or returns the running) TCP service."""
        return self._start(host, port, address, socket.SOCK_STREAM, self._on_connection)

    def udp(self, host, port, address="0.0.0.0"):
        """Starts (or returns the running) UDP service."""
        return self._start(host, port, address, socket.SOCK_DGRAM, self._on_datagram)

    def close(self):
        """Stops all of them."""
        os.close(self._wake_w)
        self._thread.join(DEADLINE_S)

    def _start(self, host, port, address, kind, ready):
        key = (host.ns, port, address, kind)
        if key not in self._started:
            sock = host.listen(address, port, kind)
            sock.setblocking(False)
            service = self._started[key] = Service(host, port, sock)
            self._selector.register(sock, selectors.EVENT_READ, (ready, service))
            os.write(self._wake_w, b".")
        return self._started[key]

    def _loop(self):
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    ready, *context = key.data
                    try:
                        ready(key.fileobj, *context)
                    except OSError:
                        self._drop(key.fileobj)
                elif not os.read(self._wake_r, 4096):
                    for open_key in list(self._selector.get_map().values()):
                        if open_key.data is not None:
                            open_key.fileobj.close()
                    self._selector.close()
                    os.close(self._wake_r)
                    return

    def _on_connection(self, sock, service):
        try:
            conn, peer = sock.accept()
        except OSError:
            return  # gone again, or no descriptor left: the listener stays
        conn.setblocking(False)
        self._selector.register(
            conn, selectors.EVENT_READ, (self._on_bytes, service, peer))

    def _on_bytes(self, conn, service, peer):
        data = conn.recv(65536)
        if not data:
            self._drop(conn)
            return
        service.note(data, peer)
        if data.startswith(b"GET "):
            page = service.page(peer).encode()
            conn.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n"
                         b"Content-Length: %d\r\n\r\n%s" % (len(page), page))
            self._drop(conn)
        else:
            conn.sendall(data)

    def _on_datagram(self, sock, service):
        data, peer = sock.recvfrom(65536)
        service.note(data, peer)
        sock.sendto(f"{service.host.name}:{service.port} {peer[0]}|".encode() + data, peer)

    def _drop(self, sock):
        try:
            self._selector.unregister(sock)
        except (KeyError, ValueError):
            pass
        sock.close()
