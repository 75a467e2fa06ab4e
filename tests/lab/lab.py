"""The lab: a router as users have it, two LAN hosts, a guest and the internet, in namespaces.

    wan1 ──────────── wan0 [rtr] br-lan ──┬── lan1
    203.0.113.9       203.0.113.2         └── lan2     192.168.1.0/24, router .1, hosts .10 and .20
    198.51.100.7           br-guest ───────── gst      192.168.50.0/24, router .1, guest .10

The router forwards, masquerades out of wan0 and drops every forwarded packet that nothing accepts.
One static line of its firewall, MARK_LINE, is all it has for igdward. Its input chain accepts
everything, so that silence towards the WAN is the daemon's doing and not the firewall's.
IPv6 is link-local only. Labs of one machine do not meet: each has its own namespaces, whose names
carry the pid of the process that made them; what a killed process left is removed by the next lab.
"""

import atexit
import fcntl
import json
import os
import re
import secrets
import select
import signal
import socket
import threading
from pathlib import Path

from netns import DEADLINE_S, NETNS_DIR, Host, remove_namespace
from services import Services

WAN = "203.0.113.2"
LAN = "192.168.1.1"
GUEST = "192.168.50.1"
WAN1 = "203.0.113.9"
INTERNET = "198.51.100.7"
LAN1 = "192.168.1.10"
LAN2 = "192.168.1.20"
GST = "192.168.50.10"

MARK_LINE = "meta mark & 0x40000000 == 0x40000000 accept"
FIREWALL = """
table inet host {{
  chain input {{ type filter hook input priority filter; policy accept; }}
  chain forward {{ type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname {{ "br-lan", "br-guest" }} oifname "wan0" accept
    {mark_line}
  }}
  chain srcnat {{ type nat hook postrouting priority srcnat;
    oifname "wan0" masquerade
  }}
}}
"""
NAMESPACE = re.compile(r"igw(\d+)-[0-9a-f]{4}-\w+")
LOCK = "/run/igdward-lab.lock"
RTMGRP_LINK = 1


class Lab:
    """Context manager: hosts wan1, rtr, lan1, lan2, gst; `services` answers on any of them."""

    def __init__(self, mark_line=MARK_LINE):
        self.prefix = f"igw{os.getpid()}-{secrets.token_hex(2)}"
        self._mark_line = mark_line
        self._hosts = []
        self.services = None

    def __enter__(self):
        atexit.register(self.close)
        _interrupt_on_termination()
        try:
            with open(LOCK, "w", encoding="ascii") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                remove_stale()
                self.wan1, self.rtr, self.lan1, self.lan2, self.gst = (
                    self._host(name) for name in ("wan1", "rtr", "lan1", "lan2", "gst"))
            links = self.rtr.open_socket(socket.SOCK_RAW, socket.AF_NETLINK, socket.NETLINK_ROUTE)
            with links:
                links.bind((0, RTMGRP_LINK))
                self._wire()
                self._await_links(links)
            self.firewall()
            self.services = Services()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Removes everything; may be called again."""
        atexit.unregister(self.close)
        if self.services:
            self.services.close()
            self.services = None
        while self._hosts:
            self._hosts.pop().remove()

    def host(self, name):
        """A host by its short name."""
        return getattr(self, name)

    def firewall(self, mark_line=None):
        """Loads the router's own firewall, with its usual or with another line for our mark."""
        line = self._mark_line if mark_line is None else mark_line
        self.rtr.nft("table inet host\ndelete table inet host\n"
                     + FIREWALL.format(mark_line=line))

    def rp_filter(self, mode):
        """Sets reverse path filtering on every interface of the router."""
        for name in ("all", "wan0", "br-lan", "br-guest"):
            self.rtr.sysctl(f"net.ipv4.conf.{name}.rp_filter", mode)

    def bridge_netfilter(self, mode):
        """Sets whether bridged frames pass the router's IP firewall too; False if it never does.

        The lab runs with 0, as routers do; 1 is what a kernel with br_netfilter starts with.
        """
        try:
            self.rtr.sysctl("net.bridge.bridge-nf-call-iptables", mode)
        except FileNotFoundError:
            return False
        return True

    # -- what the kernel holds --------------------------------------------------------------

    def tables(self):
        """Names of the nftables tables in the router, as 'inet igdward'."""
        listed = self.rtr.run("nft", "list", "tables").stdout
        return {line.removeprefix("table ") for line in listed.splitlines()}

    def dump(self):
        """Our two tables without what changes by itself: handles, counters, time left."""
        text = ""
        for table in sorted(self.tables() & {"inet igdward", "inet igdward_floor"}):
            raw = self.rtr.run("nft", "-j", "list", "table", *table.split()).stdout
            text += json.dumps(_static(json.loads(raw)), indent=1) + "\n"
        return text

    def mapped(self, protocol="tcp", port=None):
        """External ports (or whether this one) in the kernel's map of mappings."""
        raw = json.loads(self.rtr.run(
            "nft", "-j", "list", "map", "inet", "igdward", "dnat4").stdout)
        ports = {
            key[1] for entry in raw["nftables"] for element in entry.get("map", {}).get("elem", [])
            if (key := _key(element[0]))[0] == protocol
        }
        return ports if port is None else port in ports

    def flows(self, port, protocol="tcp"):
        """Conntrack entries in the router that lead from this external port into the LAN."""
        listed = self.rtr.run(
            "conntrack", "-L", "-p", protocol, "--orig-port-dst", port).stdout
        return [line for line in listed.splitlines() if " src=192.168.1." in line]

    # -- making -----------------------------------------------------------------------------

    def _host(self, name):
        host = Host(f"{self.prefix}-{name}", name)
        self._hosts.append(host)
        host.sysctl("net.ipv6.conf.all.accept_dad", 0)
        host.sysctl("net.ipv6.conf.default.accept_dad", 0)
        host.sysctl("net.ipv6.conf.default.accept_ra", 0)
        return host

    @staticmethod
    def _ip(host, text):
        host.run("ip", "-batch", "-", input=text)

    def _wire(self):
        plug = "link add {port} type veth peer name eth0 address {mac} netns {peer.ns}\n"
        self._ip(self.rtr, (
            plug.format(port="wan0", mac="02:00:00:00:01:09", peer=self.wan1)
            + plug.format(port="port1", mac="02:00:00:00:00:10", peer=self.lan1)
            + plug.format(port="port2", mac="02:00:00:00:00:20", peer=self.lan2)
            + plug.format(port="port3", mac="02:00:00:00:50:10", peer=self.gst)
            + "link add br-lan address 02:00:00:00:00:01 type bridge\n"
            "link add br-guest address 02:00:00:00:50:01 type bridge\n"
            "link set port1 master br-lan\nlink set port2 master br-lan\n"
            "link set port3 master br-guest\n"
            "link set lo up\nlink set port1 up\nlink set port2 up\nlink set port3 up\n"
            f"addr add {WAN}/24 dev wan0\nlink set wan0 up\n"
            f"addr add {LAN}/24 brd + dev br-lan\nlink set br-lan up\n"
            f"addr add {GUEST}/24 brd + dev br-guest\nlink set br-guest up\n"))
        edge = "link set lo up\naddr add {}/24 brd + dev eth0\nlink set eth0 up\n"
        way = "route add default via {}\n"
        self._ip(self.wan1, edge.format(WAN1)
                 + f"addr add {INTERNET}/32 dev lo\n"
                 f"route add 192.168.0.0/16 via {WAN}\n")
        self._ip(self.lan1, edge.format(LAN1) + way.format(LAN))
        self._ip(self.lan2, edge.format(LAN2) + way.format(LAN))
        self._ip(self.gst, edge.format(GST) + way.format(GUEST))
        self._ip(self.rtr, way.format(WAN1))
        self.rtr.sysctl("net.ipv4.ip_forward", 1)
        self.bridge_netfilter(0)
        self.rp_filter(1)

    def _await_links(self, events):
        """Returns when every link of the router carries traffic: bridges learn that by an event."""
        poll = select.poll()
        poll.register(events, select.POLLIN)
        while True:
            links = json.loads(self.rtr.run("ip", "-j", "link").stdout)
            if all(link["operstate"] == "UP" for link in links if link["ifname"] != "lo"):
                return
            if not poll.poll(DEADLINE_S * 1000):
                raise AssertionError("the links of the lab did not come up")
            events.recv(65536)


def remove_stale():
    """Removes the labs of processes that are gone."""
    for path in NETNS_DIR.glob("igw*"):
        name = NAMESPACE.fullmatch(path.name)
        if name and not Path(f"/proc/{name[1]}").exists():
            remove_namespace(path.name)


def _interrupt_on_termination():
    """A SIGTERM or SIGHUP ends this process as Ctrl-C does: with everything removed."""
    if threading.current_thread() is not threading.main_thread():
        return
    for sig in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(sig) == signal.SIG_DFL:
            signal.signal(sig, signal.default_int_handler)


def _key(key):
    """Key of a map element: the listing wraps it when the element has a timeout or a counter."""
    if "elem" in key:
        key = key["elem"]["val"]
    return key["concat"]


def _static(node):
    """A listing without its changing parts."""
    if isinstance(node, dict):
        if "counter" in node:
            node = {**node, "counter": None}
        kept = {key: _static(value) for key, value in node.items()
                if key not in ("handle", "expires", "packets", "bytes", "metainfo")}
        if isinstance(kept.get("elem"), list):  # a hash table's order
            kept["elem"].sort(key=json.dumps)
        return kept
    if isinstance(node, list):
        return [_static(value) for value in node]
    return node
