"""How the daemon starts: what it chooses, when it is ready, what it owns."""

import json
import re
import shutil

import pytest

from igdward import CONFIG, POLICY, Daemon
from lab import GST, GUEST, LAN, LAN1, WAN
from netns import kill
from soap import ControlPoint, search
from traffic import Visitors


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With services on the LAN and guest hosts."""
    lab.services.tcp(lab.lan1, 8080)
    lab.services.tcp(lab.gst, 8080)
    yield lab


@pytest.fixture(name="daemon")
def fixture_daemon(lab):
    """A daemon that is not started yet."""
    daemon = Daemon(lab)
    yield daemon
    daemon.stop()
    daemon.teardown()
    daemon.close()


def test_ready_means_serving(lab, daemon):
    """At READY=1 the first search is answered and the first request granted, without a retry."""
    daemon.start()
    assert search(lab.lan1, LAN1, within=1.5)
    assert lab.lan1.tcp_reaches(LAN, CONFIG["http_port"]) == "connected"
    assert ControlPoint(lab.lan1, LAN1).add(18080, 8080) == 0
    assert lab.wan1.tcp_reaches(WAN, 18080) == "connected"


def test_interfaces_are_chosen_and_said(lab, daemon):
    """With none named: WAN = the default route's, LAN = the others with a private address."""
    daemon.write_config({k: v for k, v in CONFIG.items() if k not in ("external", "internal")})
    daemon.start()
    for name, kind in (("wan0", "external"), ("br-lan", "internal"), ("br-guest", "internal")):
        daemon.wait_log(rf"{kind} interface {name}: \w+ \w+")
    assert len(daemon.children("igdward-upnp")) == 2
    lan1, guest = ControlPoint(lab.lan1, LAN1), ControlPoint(lab.gst, GST)
    assert f"//{LAN}:" in lan1.location and f"//{GUEST}:" in guest.location
    assert lan1.add(18080, 8080) == 0
    assert guest.add(18081, 8080) == 0
    assert guest.add(18082, 8080, client=LAN1) == 606
    assert lab.wan1.fetch(WAN, 18081).startswith("gst:8080")
    assert lab.wan1.fetch(WAN, 18080).startswith("lan1:8080")


def test_command_line_goes_before_the_config(lab, daemon, tmp_path):
    """--external, --internal and --policy count more than what the config file says."""
    daemon.write_config({**CONFIG, "external": "wan7", "internal": ["lan7"]})
    policy = tmp_path / "deny.json"
    policy.write_text(json.dumps({**POLICY, "rules": []}), encoding="utf-8")
    daemon.args = ("--external", "wan0", "--internal", "br-lan", "--policy", str(policy))
    daemon.start()
    assert ControlPoint(lab.lan1, LAN1).add(18080, 8080) == 606
    assert daemon.explain(LAN1, 18080, 8080)["reason"] == "no-rule"
    assert daemon.cli("status")["policy"]["path"] == str(policy)


def test_any_http_port(lab, daemon):
    """http_port 0 takes a free port, which the search tells."""
    daemon.write_config({**CONFIG, "http_port": 0})
    daemon.start()
    port = int(re.search(r":(\d+)/", ControlPoint(lab.lan1, LAN1).location)[1])
    assert port >= 1024
    assert lab.lan1.tcp_reaches(LAN, port) == "connected"
    assert ControlPoint(lab.lan1, LAN1).add(port, 8080) == 606  # a control port, too


def test_owned_tables(lab, daemon):
    """With owner auto no other program writes into our tables, and a killed daemon loses none."""
    daemon.write_config({**CONFIG, "owner": "auto"})
    daemon.start()
    assert ControlPoint(lab.lan1, LAN1).add(18080, 8080) == 0
    mapped = daemon.mappings()
    owned = daemon.cli("status")["tables_owned"]
    for words in (("add", "element", "inet", "igdward", "dnat4",
                   f"{{ tcp . 47669 : {LAN1} . 445 }}"),
                  ("delete", "table", "inet", "igdward_floor"), ("flush", "ruleset")):
        done = lab.rtr.run("nft", *words, check=False)
        if owned:
            assert {"inet igdward", "inet igdward_floor"} <= lab.tables()
            assert done.returncode != 0 or words[0] == "flush"
    assert owned, "this kernel does not let a program own a table (6.9 does)"
    lab.firewall()
    assert lab.mapped() == {18080}
    with Visitors(lab.wan1, WAN, 18080, "lan1:8080 serves 203.0.113.9\n"):
        daemon.kill_all()
        daemon.start()
    assert daemon.mappings()["tcp", 18080]["id"] == mapped["tcp", 18080]["id"]
    kill(daemon.broker())
    assert lab.wan1.tcp_reaches(WAN, 18080) == "connected"


def test_teardown_without_tables(lab, daemon):
    """--teardown where there is nothing to remove succeeds; while running it refuses."""
    daemon.teardown()
    daemon.start()
    done = lab.rtr.run(*daemon.argv, "--teardown", check=False)
    assert done.returncode != 0 and "running" in done.stderr
    assert "inet igdward_floor" in lab.tables()


def test_version_and_help(lab, daemon):
    """--version and --help need neither root nor a config."""
    program = daemon.argv[0]
    assert re.fullmatch(r"igdwardd \d+\.\d+\.\d+\n", lab.rtr.run(program, "--version").stdout)
    said = lab.rtr.run(program, "--help").stdout
    for option in ("--config", "--policy", "--run-dir", "--state-dir", "--external", "--internal",
                   "--check", "--teardown", "--log-level"):
        assert option in said


def test_installed_in_a_private_folder(lab):
    """A clone in somebody's private home works: the children need no way to their programs."""
    with Daemon(lab) as daemon:
        daemon.stop()
        home = daemon.dir / "home"
        shutil.copytree(daemon.prefix, home / "prefix")
        home.chmod(0o700)
        daemon.prefix = home / "prefix"
        daemon.start()
        assert daemon.cli("list") == []
        assert len(daemon.children()) == 2
