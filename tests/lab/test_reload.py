"""A new policy applies to what is mapped already; a bad one changes nothing."""

import json
import re
import signal

import pytest

from igdward import HIGH_PORTS, POLICY
from lab import LAN1, WAN
from netns import eventually

NO_8081 = {"name": "no-8081", "action": "deny", "internal_ports": [8081]}
TIGHT = {**POLICY, "rules": [NO_8081, HIGH_PORTS]}


def text_of(policy):
    """A policy as a file of several lines."""
    return json.dumps(policy, indent=1)


SMB_RULE = {**HIGH_PORTS, "name": "smb", "internal_ports": [445]}
# name: (text, line, JSON pointer, a word of the message)
BAD = {
    "syntax": ('{\n "version": 1,\n "rules": [}\n', 3, "", ""),
    "trailing comma": ('{\n "version": 1,\n "rules": [],\n}\n', 4, "", ""),
    "empty file": ("", 1, "", ""),
    "unknown key": (text_of({**POLICY, "rulez": []}), None, "/rulez", "rulez"),
    "unknown key in a rule": (
        text_of({**POLICY, "rules": [{**HIGH_PORTS, "port": 1}]}), None, "/rules/0/port", "port"),
    "duplicate key": ('{\n "version": 1,\n "rules": [],\n "version": 1\n}\n', 4, "", "version"),
    "wrong type": (text_of({**POLICY, "rules": {}}), None, "/rules", ""),
    "wrong version": (text_of({**POLICY, "version": 2}), None, "/version", ""),
    "SMB in an allow rule": (
        text_of({**POLICY, "rules": [HIGH_PORTS, SMB_RULE]}), None, "/rules/1", "445"),
    "empty range": (
        text_of({**POLICY, "rules": [{**HIGH_PORTS, "external_ports": ["445-440"]}]}), None,
        "/rules/0/external_ports/0", ""),
    "range past the end": (
        text_of({**POLICY, "rules": [{**HIGH_PORTS, "external_ports": ["1024-70000"]}]}), None,
        "/rules/0/external_ports/0", ""),
    "negative limit": (
        text_of({**POLICY, "limits": {**POLICY["limits"], "total": -1}}), None,
        "/limits/total", ""),
    "bad action": (
        text_of({**POLICY, "rules": [{**HIGH_PORTS, "action": "permit"}]}), None,
        "/rules/0/action", "permit"),
    "not a number": ('{"version": 1, "rules": [], "limits": {"total": NaN}}', 1, "", ""),
}


@pytest.fixture(scope="module", name="lab")
def fixture_lab(lab):
    """With services on lan1."""
    for port in (8080, 8081):
        lab.services.tcp(lab.lan1, port)
    yield lab


@pytest.fixture(autouse=True)
def fixture_policy_back(daemon):
    """Each test ends with the policy it began with."""
    yield
    daemon.write_policy(POLICY)
    daemon.cli("reload")


def by_cli(daemon):
    """igdward reload: done when it returns."""
    daemon.cli("reload")


def by_signal(daemon):
    """SIGHUP, as an init system reloads."""
    mark = daemon.log_mark()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_log("policy", since=mark)


@pytest.mark.parametrize("reload", [by_cli, by_signal])
def test_tightened_policy_closes_live_mappings(lab, daemon, lan1, reload):
    """What is no longer allowed ends and its flow is cut; everything else goes on."""
    assert lan1.add(18080, 8080) == 0
    assert lan1.add(18081, 8081) == 0
    kept_entry = daemon.mappings()["tcp", 18080]
    with lab.wan1.connect(WAN, 18080) as kept, lab.wan1.connect(WAN, 18081) as cut:
        for conn in (kept, cut):
            conn.sendall(b"before")
            assert conn.recv(100) == b"before"
        daemon.write_policy(TIGHT)
        reload(daemon)
        eventually(lambda: set(daemon.mappings()) == {("tcp", 18080)}, "the mapping revoked", 2)
        assert not lab.flows(18081)
        cut.sendall(b"after")
        with pytest.raises(ConnectionResetError):
            cut.recv(100)
        kept.sendall(b"after")
        assert kept.recv(100) == b"after"
    assert lab.wan1.tcp_reaches(WAN, 18081) == "refused"
    assert lab.mapped() == {18080}
    assert daemon.mappings()["tcp", 18080]["id"] == kept_entry["id"]
    assert lan1.add(18081, 8081) == 606
    assert daemon.explain(LAN1, 18081, 8081)["reason"] == "rule:no-8081"
    daemon.wait_log(r"(?=.*18081)(?=.*no-8081)")


def test_loosened_policy_applies_at_once(lab, daemon, lan1):
    """What was refused is granted after the reload."""
    daemon.write_policy(TIGHT)
    daemon.cli("reload")
    assert lan1.add(18081, 8081) == 606
    daemon.write_policy(POLICY)
    daemon.cli_text("reload")
    assert lan1.add(18081, 8081) == 0
    assert lab.wan1.tcp_reaches(WAN, 18081) == "connected"


@pytest.mark.parametrize("name", list(BAD))
def test_bad_policy_changes_nothing(lab, daemon, lan1, name):
    """Exit code 6, file:line:column and pointer, in the log too; the old policy judges on."""
    text, line, pointer, word = BAD[name]
    assert lan1.add(18080, 8080) == 0
    before, mark = lab.dump(), daemon.log_mark()
    daemon.write_policy(text)

    said = daemon.cli_text("reload", code=6)
    place = re.search(rf"{re.escape(str(daemon.policy_path))}:(\d+):(\d+): (\S*)", said)
    assert place, said
    assert line in (None, int(place[1])) and int(place[2]) >= 1
    assert pointer in place[3] and word in said
    error = daemon.cli("reload", code=6)
    assert error["path"].startswith(pointer) if pointer else error["path"] == ""
    daemon.wait_log(re.escape(f"{daemon.policy_path}:{place[1]}:{place[2]}"), since=mark)

    assert lab.dump() == before
    assert lan1.add(18081, 8081) == 0
    assert lab.wan1.tcp_reaches(WAN, 18080) == "connected"


def test_signal_with_a_bad_policy_changes_nothing(lab, daemon, lan1):
    """SIGHUP with a bad file: the error in the log, the daemon serves as before."""
    assert lan1.add(18080, 8080) == 0
    mark, children = daemon.log_mark(), sorted(daemon.children())
    daemon.write_policy("{")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_log(re.escape(f"{daemon.policy_path}:1:"), since=mark)
    assert lab.wan1.tcp_reaches(WAN, 18080) == "connected"
    assert lan1.add(18081, 8081) == 0
    assert sorted(daemon.children()) == children


def test_missing_policy_at_reload(lab, daemon, lan1):
    """A file that is gone is an error that names it; the old policy judges on."""
    assert lab and lan1.add(18080, 8080) == 0
    daemon.policy_path.unlink()
    assert str(daemon.policy_path) in daemon.cli_text("reload", code=6)
    assert lan1.add(18081, 8081) == 0


def test_policy_tightened_while_stopped(lab, daemon, lan1):
    """Mappings found in the kernel at the start are judged by the policy of that moment."""
    assert lan1.add(18080, 8080) == 0
    assert lan1.add(18081, 8081) == 0
    daemon.stop()
    daemon.write_policy(TIGHT)
    daemon.start()
    assert set(daemon.mappings()) == {("tcp", 18080)}
    assert lab.wan1.tcp_reaches(WAN, 18081) == "refused"
    assert lab.wan1.tcp_reaches(WAN, 18080) == "connected"
    assert lab.mapped() == {18080}
