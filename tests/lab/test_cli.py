"""The admin's tool: each verb for people and as JSON, with the exit codes that scripts rely on."""

import json
import re

import pytest

from igdward import POLICY, Daemon
from lab import INTERNET, LAN1, LAN2, WAN

NO_SUCH_ID = "ffffffff"
RULES = [
    {"name": "no-games", "action": "deny", "external_ports": [3074]},
    {"name": "high-ports", "action": "allow", "external_ports": ["1024-60000"],
     "internal_ports": ["1024-60000"]},
]


@pytest.fixture(scope="module", name="daemon_options")
def fixture_daemon_options():
    """A policy with a denying rule, and with ports that no rule speaks of."""
    return {"policy": {**POLICY, "rules": RULES}}


@pytest.fixture(name="mapped")
def fixture_mapped(daemon, lan1):
    """One TCP and one UDP mapping; the entry of the former."""
    assert lan1.add(18080, 8080, description="web") == 0
    assert lan1.add(19090, 9090, protocol="UDP", lease=60) == 0
    return daemon.mappings()["tcp", 18080]


def test_status(lab, daemon, mapped):
    """status names the links, the address, the policy and the number of mappings."""
    assert lab and mapped
    data = json.dumps(daemon.cli("status"))
    for word in ("wan0", WAN, "br-lan", str(daemon.policy_path)):
        assert word in data, word
        assert word in daemon.cli_text("status"), word
    assert daemon.cli("status")["mappings"] == 2


def test_list(daemon, mapped):
    """list has the documented keys in JSON, and for people one line for each mapping."""
    entries = daemon.cli("list")
    assert len(entries) == 2
    for entry in entries:
        assert {"id", "protocol", "external_port", "internal_client", "internal_port",
                "remote_host", "description", "via", "lease_remaining_s", "created", "rule",
                "connections"} <= set(entry)
    assert mapped["protocol"] == "tcp" and mapped["via"] == "upnp"
    assert (mapped["external_port"], mapped["internal_port"]) == (18080, 8080)
    assert (mapped["internal_client"], mapped["remote_host"]) == (LAN1, None) or \
        (mapped["internal_client"], mapped["remote_host"]) == (LAN1, "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", mapped["created"])
    [line] = [line for line in daemon.cli_text("list").splitlines() if "18080" in line]
    for word in (mapped["id"], LAN1, "8080", "web", "tcp"):
        assert word in line


def test_empty_list(daemon):
    """An empty list is an empty array, and for people not an error."""
    assert daemon.cli("list") == []
    daemon.cli_text("list")


def test_show(daemon, mapped):
    """show ID tells all of one mapping; an unknown id is exit code 5, nonsense is usage."""
    shown = daemon.cli("show", mapped["id"])
    assert {key: shown[key] for key in ("id", "external_port", "description", "created")} == {
        key: mapped[key] for key in ("id", "external_port", "description", "created")}
    assert "18080" in daemon.cli_text("show", mapped["id"])
    assert "mapping" in daemon.cli("show", NO_SUCH_ID, code=5)["message"]
    assert "mapping" in daemon.cli_text("show", NO_SUCH_ID, code=5)
    daemon.cli_text("show", "nonsense", code=2)


def test_delete(lab, daemon, mapped):
    """delete ID closes the mapping; a second time it is not found."""
    lab.services.tcp(lab.lan1, 8080)
    assert lab.wan1.tcp_reaches(WAN, 18080) == "connected"
    daemon.cli_text("delete", mapped["id"])
    assert lab.wan1.tcp_reaches(WAN, 18080) == "refused"
    assert set(daemon.mappings()) == {("udp", 19090)}
    daemon.cli_text("delete", mapped["id"], code=5)
    assert daemon.cli("delete", mapped["id"], code=5)["code"]
    daemon.cli("delete", daemon.mappings()["udp", 19090]["id"])
    assert daemon.cli("list") == []


@pytest.mark.parametrize("client, external, internal, target, reason", [
    (LAN1, 18080, 8080, None, "ok"),
    (LAN1, 47669, 445, None, "smb-port"),
    (LAN1, 47670, 8080, INTERNET, "off-lan"),
    (LAN1, 47670, 8080, LAN2, "not-requester"),
    (LAN1, 47670, 8080, "192.168.1.1", "router-target"),
    (LAN1, 80, 8080, None, "sensitive-port"),
    (LAN1, 8080, 80, None, "sensitive-port"),
    (LAN1, 61000, 8080, None, "no-rule"),
    (LAN1, 8080, 61000, None, "no-rule"),
    ("192.168.50.10", 18080, 8080, None, "not-served"),
    (INTERNET, 18080, 8080, None, "not-served"),
])
def test_explain(lab, daemon, client, external, internal, target, reason):
    """explain judges a request that nobody made, says why, and maps nothing."""
    before = lab.dump()
    words = ["explain", "--client", client, "--protocol", "tcp", "--external-port", external,
             "--internal-port", internal, *(("--internal-client", target) if target else ())]
    code = 0 if reason == "ok" else 1
    done = daemon.cli_run("--json", *words)
    assert done.returncode == code, done
    data = json.loads(done.stdout)["data"]
    assert data["reason"] == reason
    if reason == "ok":
        assert data["rule"] == "high-ports"
        assert "high-ports" in daemon.cli_text(*words)
    assert reason in daemon.cli_text(*words, code=code)
    assert lab.dump() == before and daemon.cli("list") == []


def test_denying_rule_is_named(daemon, lan1):
    """A denial by a rule of the policy is rule:NAME, in explain and log alike."""
    verdict = daemon.explain(LAN1, 3074, 3074)
    assert (verdict["reason"], verdict["rule"]) == ("rule:no-games", "no-games")
    assert daemon.explain(LAN1, 3075, 3074)["reason"] == "ok"
    mark = daemon.log_mark()
    assert lan1.add(3074, 3074) == 606
    daemon.wait_log(r"(?=.*reason=rule)(?=.*no-games)(?=.*3074)", since=mark)


def test_policy_check(daemon, tmp_path):
    """policy check FILE: 0 for a good file, 6 with place and pointer for a bad one."""
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(POLICY), encoding="utf-8")
    bad.write_text('{\n "version": 1,\n "rulez": []\n}\n', encoding="utf-8")
    daemon.cli_text("policy", "check", good)
    daemon.cli("policy", "check", good)
    text = daemon.cli_text("policy", "check", bad, code=6)
    assert re.search(rf"{re.escape(str(bad))}:3:\d+: /rulez\b", text), text
    error = daemon.cli("policy", "check", bad, code=6)
    assert error["path"] == "/rulez"
    daemon.cli_text("policy", "check", tmp_path / "missing.json", code=5)


@pytest.mark.parametrize("words", [
    ("nonsense",), ("show",), ("show", "1", "2"), ("--nonsense", "list"), ("delete",),
    ("explain",), ("explain", "--client", LAN1), ("policy",), ("policy", "nonsense"),
    ("explain", "--client", LAN1, "--protocol", "icmp", "--external-port", "1024",
     "--internal-port", "1024"),
    ("explain", "--client", LAN1, "--protocol", "tcp", "--external-port", "65981",
     "--internal-port", "1024"),
    ("explain", "--client", "lan1", "--protocol", "tcp", "--external-port", "1024",
     "--internal-port", "1024"),
])
def test_usage(daemon, words):
    """Wrong words are exit code 2 with a message on stderr; nothing on stdout."""
    done = daemon.cli_run(*words)
    assert done.returncode == 2, done
    assert done.stderr and not done.stdout


def test_help_and_version(daemon):
    """--help and version succeed and tell the verbs."""
    said = daemon.cli_text("--help")
    for verb in ("status", "list", "show", "explain", "delete", "reload", "policy"):
        assert verb in said
    daemon.cli_text("version")


def test_not_running(lab):
    """Without a daemon every verb that needs one is exit code 3, which says so."""
    daemon = Daemon(lab)
    try:
        for words in (("status",), ("list",), ("show", "00000001"), ("delete", "00000001"),
                      ("reload",)):
            assert "running" in daemon.cli_text(*words, code=3)
            assert "running" in daemon.cli(*words, code=3)["message"]
        daemon.cli("policy", "check", daemon.policy_path)  # needs none
    finally:
        daemon.close()


def test_permission(daemon, mapped):
    """A user outside the group may not even ask: exit code 4."""
    nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    for words in (("list",), ("delete", mapped["id"])):
        done = daemon.cli_run(*words, exec_prefix=nobody)
        assert done.returncode == 4, done
        assert "permi" in done.stderr.lower()
    assert mapped["id"] in daemon.cli_text("list")


def test_group_reads_and_root_writes(daemon, mapped):
    """A member of the daemon's group may look, but not change: exit code 4."""
    member = ("setpriv", "--reuid=nobody", "--regid=igdward", "--clear-groups")
    assert daemon.cli_run("list", exec_prefix=member).returncode == 0
    for words in (("delete", mapped["id"]), ("reload",)):
        assert daemon.cli_run(*words, exec_prefix=member).returncode == 4
    assert mapped["id"] in daemon.cli_text("list")


def test_description_cannot_forge_output(daemon, lan1):
    """Escape sequences and line breaks of a client never reach the admin's terminal."""
    assert lan1.add(18081, 8080, description="ok\u202e \u2028 caf\u00e9") == 0
    text = daemon.cli_text("list") + daemon.cli_text("show", daemon.mappings()["tcp", 18081]["id"])
    assert "\x1b" not in text and "\u202e" not in text and "\u2028" not in text
