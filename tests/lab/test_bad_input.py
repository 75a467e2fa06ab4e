"""What must not start does not: one clear sentence, an exit code, nothing left in the kernel."""

import json
import shutil

import pytest

from igdward import CONFIG, HIGH_PORTS, POLICY, Daemon
from lab import LAN, LAN1, WAN
from seccomp import without_nftables
from soap import ControlPoint

SMB_POLICY = {**POLICY, "rules": [{**HIGH_PORTS, "internal_ports": [445]}]}
NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
NO_NET_ADMIN = ("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")


@pytest.fixture(name="daemon")
def fixture_daemon(lab):
    """A daemon that is not started yet; the kernel has none of our tables."""
    daemon = Daemon(lab)
    yield daemon
    daemon.close()
    lab.rtr.nft("".join(f"table inet {name}\ndelete table inet {name}\n"
                        for name in ("igdward", "igdward_floor")))


def assert_refuses(lab, daemon, *words, argv=None, **kw):
    """It ends with one error, a sentence that has all these words, and leaves no mapping table."""
    code, said = daemon.refuses_to_start(argv, **kw)
    assert code > 0, said  # not by a signal either
    errors = [line for line in said.splitlines() if " error: " in line]
    assert len(errors) == 1, said
    for word in words:
        assert str(word) in errors[0], said
    assert lab.tables() <= {"inet host", "inet igdward_floor"}
    return code


def test_control_good_input_starts(lab, daemon):
    """The control of this file: the same config and policy without a fault do start."""
    daemon.start()
    assert daemon.cli("list") == []
    assert {"inet igdward", "inet igdward_floor"} <= lab.tables()
    daemon.stop()
    assert lab.tables() == {"inet host", "inet igdward_floor"}  # nothing was mapped


@pytest.mark.parametrize("changed, words", [
    ({"external": "wan7"}, ["wan7"]),
    ({"internal": ["br-lan", "lan7"]}, ["lan7"]),
    ({"internal": ["wan0"]}, ["wan0"]),
    ({"internal": ["br-lan", "wan0"]}, ["wan0"]),
    ({"internal": ["br-lan", "br-lan"]}, ["br-lan"]),
    ({"internal": ["lo"]}, ["lo"]),
    ({"external": "a-name-that-is-too-long"}, ["external"]),
    ({"external": "../wan0"}, ["external"]),
    ({"user": "no-such-user"}, ["no-such-user"]),
    ({"worker_user": "no-such-user"}, ["no-such-user"]),
    ({"user": "root"}, ["root"]),
    ({"worker_user": "root"}, ["root"]),
    ({"worker_user": "igdward"}, ["igdward"]),
])
def test_wrong_names(lab, daemon, changed, words):
    """Interfaces that do not exist, LAN = WAN, users that are missing or would undo the split."""
    daemon.write_config({**CONFIG, **changed})
    assert_refuses(lab, daemon, *words)


@pytest.mark.parametrize("text, place", [
    ('{\n "external": "wan0",\n "internal": ["br-lan"\n}\n', ":4:"),
    ('{\n "external": "wan0",\n "colour": "red"\n}\n', ":3:"),
    ('{\n "external": "wan0",\n "external": "wan0"\n}\n', ":3:"),
    ('{\n "external": 7\n}\n', ":2:"),
    ('{\n "http_port": 70000\n}\n', ":2:"),
    ('{\n "owner": "maybe"\n}\n', ":2:"),
    ('{\n "internal": "br-lan"\n}\n', ":2:"),
    ("", ":1:"),
    ("[]", ":1:"),
    ('{"a": ' * 10000, ":1:"),
])
def test_bad_config(lab, daemon, text, place):
    """A config that is not one names file, line and column, and the key by its pointer."""
    daemon.write_config(text)
    pointer = [f"/{key}" for key in ("colour", "http_port", "owner") if f'"{key}"' in text]
    assert_refuses(lab, daemon, f"{daemon.config_path}{place}", *pointer)


def test_missing_config(lab, daemon):
    """A config file that does not exist is named."""
    daemon.config_path.unlink()
    assert_refuses(lab, daemon, daemon.config_path)


@pytest.mark.parametrize("text, place, pointer", [
    ('{\n "version": 1,\n "rules": [}\n', ":3:", ""),
    ('{\n "version": 1,\n "rulez": []\n}\n', ":3:", "/rulez"),
    ('{\n "version": 1,\n "version": 1\n}\n', ":3:", "version"),
    ('{\n "version": "1"\n}\n', ":2:", "/version"),
    (json.dumps(SMB_POLICY), ":1:", "/rules/0"),
])
def test_check_refuses_a_bad_policy(lab, daemon, text, place, pointer):
    """igdwardd --check ends with an error that names file, line, column and pointer."""
    daemon.write_policy(text)
    assert_refuses(lab, daemon, f"{daemon.policy_path}{place}", pointer,
                   argv=[*daemon.argv, "--check"])


def test_check_changes_nothing(lab, daemon):
    """--check of good files succeeds and makes no table."""
    done = lab.rtr.run(*daemon.argv, "--check")
    assert done.returncode == 0
    assert lab.tables() == {"inet host"}


def test_start_with_a_bad_policy(lab, daemon):
    """It does not start, the floor is on, and what an earlier run had mapped is closed."""
    lab.services.tcp(lab.lan1, 8080)
    daemon.start()
    assert ControlPoint(lab.lan1, LAN1).add(18080, 8080) == 0
    daemon.stop()
    assert lab.wan1.tcp_reaches(WAN, 18080) == "connected"

    daemon.write_policy('{\n "version": 1,\n "rulez": []\n}\n')
    code = assert_refuses(lab, daemon, f"{daemon.policy_path}:3:", "/rulez")
    assert code == 6
    assert "inet igdward_floor" in lab.tables()
    assert lab.wan1.tcp_reaches(WAN, 18080) == "refused"


@pytest.mark.parametrize("address", [LAN, "0.0.0.0"])
def test_http_port_taken(lab, daemon, address):
    """Another program has the HTTP port: said at the start, with the port."""
    with lab.rtr.listen(address, CONFIG["http_port"]):
        assert_refuses(lab, daemon, CONFIG["http_port"])
    daemon.start()
    daemon.stop()


def test_not_root(lab, daemon):
    """Run by an ordinary user it says that it needs root."""
    copy = daemon.dir / "prefix"  # where anybody may go, as the installed place may not be
    shutil.copytree(daemon.prefix, copy)
    assert_refuses(lab, daemon, "root", argv=[*NOBODY, copy / "sbin/igdwardd", *daemon.argv[1:]])


def test_without_cap_net_admin(lab, daemon):
    """Root without CAP_NET_ADMIN, as in a container, is told which capability is missing."""
    assert_refuses(lab, daemon, "CAP_NET_ADMIN", argv=[*NO_NET_ADMIN, *daemon.argv])


def test_kernel_without_nftables(lab, daemon):
    """A kernel that has no nftables is told so."""
    assert_refuses(lab, daemon, "nf", preexec_fn=without_nftables)
    done = lab.rtr.run("nft", "list", "tables", check=False, preexec_fn=without_nftables)
    assert done.returncode != 0  # the control: nft itself finds none either


@pytest.mark.parametrize("words", [
    ["--nonsense"], ["--config"], ["extra"], ["--log-level", "loud"],
])
def test_usage(lab, daemon, words):
    """A wrong command line is exit code 2."""
    code, said = daemon.refuses_to_start([*daemon.argv, *words])
    assert code == 2 and said
    assert lab.tables() == {"inet host"}


def test_second_daemon_on_the_same_links(lab, daemon):
    """A second daemon with the same run directory does not start and does not harm the first."""
    daemon.start()
    code, said = daemon.refuses_to_start()
    assert code > 0 and said.count(" error: ") == 1, said
    assert daemon.cli("list") == []
    daemon.stop()
