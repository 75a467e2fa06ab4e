"""Who the processes are and what they may do: read from /proc, for the running daemon."""

import os
import pwd
from pathlib import Path

import pytest

from netns import Host

CAP_NET_ADMIN = 1 << 12
CAP_SETGID = 1 << 6
CAP_SETUID = 1 << 7
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def status(pid):
    """/proc/PID/status as a dictionary."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return {name: value.strip() for name, _, value in
            (line.partition(":") for line in text.splitlines())}


def capabilities(pid):
    """The five capability sets as numbers."""
    fields = status(pid)
    return {name: int(fields[name], 16) for name in CAPABILITIES}


def mapped_files(pid):
    """Names of the files in a process's memory."""
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    return {Path(line.split(maxsplit=5)[5]).name for line in maps.splitlines()
            if len(line.split(maxsplit=5)) == 6}


def symbols_of(pid, text):
    """Does the program's file contain this text? For libraries that are linked statically."""
    return text.encode() in Path(os.path.realpath(f"/proc/{pid}/exe")).read_bytes()


@pytest.mark.parametrize("program, user", [
    ("igdward-broker", "igdward"), ("igdward-upnp", "igdward-net")])
def test_users(daemon, program, user):
    """Broker and worker run as their own users, in no other group, with all four ids dropped."""
    wanted = pwd.getpwnam(user)
    [pid] = daemon.children(program)
    fields = status(pid)
    assert fields["Uid"].split() == [str(wanted.pw_uid)] * 4
    assert fields["Gid"].split() == [str(wanted.pw_gid)] * 4
    assert set(fields["Groups"].split()) <= {str(wanted.pw_gid)}


def test_capabilities_of_the_broker(daemon):
    """Exactly CAP_NET_ADMIN, and none that it could gain."""
    sets = capabilities(daemon.broker())
    assert sets["CapEff"] == sets["CapPrm"] == CAP_NET_ADMIN
    assert sets["CapBnd"] | sets["CapInh"] | sets["CapAmb"] in (0, CAP_NET_ADMIN)


def test_capabilities_of_the_worker(daemon):
    """None at all."""
    assert set(capabilities(daemon.worker()).values()) == {0}


def test_capabilities_of_the_parent(daemon):
    """No more than it hands down or needs to start the others."""
    sets = capabilities(daemon.pid)
    allowed = CAP_NET_ADMIN | CAP_SETUID | CAP_SETGID
    assert sets["CapEff"] & ~allowed & ~(1 << 5) & ~(1 << 8) == 0, hex(sets["CapEff"])
    assert sets["CapPrm"] == sets["CapEff"] or sets["CapPrm"] & ~sets["CapEff"] == 0


def test_no_new_privileges_and_no_dumps(daemon):
    """No child gains anything by exec, none can be read by its own user or dumps core."""
    for pid in daemon.children():
        assert status(pid)["NoNewPrivs"] == "1"
        if not symbols_of(pid, "__asan_init"):  # its search for leaks reads the process
            assert os.stat(f"/proc/{pid}/mem").st_uid == 0  # not dumpable: root's
        limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
        [core] = [line for line in limits.splitlines() if line.startswith("Max core file size")]
        assert core.split()[4] == "0"


def test_separate_code(daemon):
    """The broker has no line of libupnp in memory, the worker none of nftables' library."""
    broker, worker = daemon.broker(), daemon.worker()
    assert not [name for name in mapped_files(broker) if name.startswith(("libupnp", "libixml"))]
    assert not symbols_of(broker, "UpnpInit2") and not symbols_of(broker, "M-SEARCH")
    assert not [name for name in mapped_files(worker) if name.startswith(("libnftnl", "libmnl"))]
    assert not symbols_of(worker, "nftnl_")
    # The controls: each does have its own library, by name or inside.
    assert symbols_of(broker, "nftnl_") or any("nftnl" in n for n in mapped_files(broker))
    assert symbols_of(worker, "M-SEARCH") or any("upnp" in n for n in mapped_files(worker))


def test_descriptors(daemon):
    """A worker holds no netlink socket, and no descriptor of the broker's but its channel."""
    netlink = netlink_inodes(daemon.lab.rtr)
    def sockets(pid):
        links = (os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd"))
        return {link[8:-1] for link in links if link.startswith("socket:[")}
    assert sockets(daemon.broker()) & netlink  # the control
    assert not sockets(daemon.worker()) & netlink


def netlink_inodes(host: Host):
    """Inodes of all netlink sockets of a namespace."""
    with host.entered():
        lines = Path("/proc/thread-self/net/netlink").read_text(encoding="ascii").splitlines()
    return {line.split()[9] for line in lines[1:]}
