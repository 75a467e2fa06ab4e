"""The daemon under test: igdwardd of an installed prefix, running in the router of a lab."""

import json
import os
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from netns import DEADLINE_S, kill, pidfd_ended

ENV_PREFIX = "IGDWARD_PREFIX"
HTTP_PORT = 5000
CONFIG = {
    "external": "wan0",
    "internal": ["br-lan"],
    "http_port": HTTP_PORT,
    "user": "igdward",
    "worker_user": "igdward-net",
    "owner": "off",  # the tests write into our tables by hand
}
HIGH_PORTS = {
    "name": "high-ports",
    "action": "allow",
    "external_ports": ["1024-65535"],
    "internal_ports": ["1024-65535"],
}
# Roomy, so that only the tests about limits meet one.
POLICY = {
    "version": 1,
    "rules": [HIGH_PORTS],
    "limits": {"per_client": 5000, "total": 10000, "reserved_per_client": 2},
    "lease": {"min_s": 1, "max_s": 604800, "zero_s": 604800},
    "rates": {"changes_per_min": 1000000, "burst": 100000,
              "reads_per_min": 1000000, "searches_per_s": 1000},
}
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error:")


class StartFailed(AssertionError):
    """The daemon ended, or did not report READY=1 in time."""


def installed_prefix():
    """Where igdward is installed, by the environment."""
    prefix = os.environ.get(ENV_PREFIX)
    if not prefix or not (Path(prefix) / "sbin/igdwardd").is_file():
        raise RuntimeError(f"{ENV_PREFIX} must name an installed prefix with sbin/igdwardd")
    return Path(prefix).resolve()


class Daemon:
    """Context manager: writes config and policy, starts igdwardd, stops it and checks its log."""

    def __init__(self, lab, config=None, policy=None, args=()):
        self.lab = lab
        self.prefix = installed_prefix()
        self.dir = Path(tempfile.mkdtemp(prefix="igdward-lab-"))
        self.dir.chmod(0o755)  # the daemon's users read there
        self.run_dir = self.dir / "run"
        self.state_dir = self.dir / "state"
        self.config_path = self.dir / "igdward.json"
        self.policy_path = self.dir / "policy.json"
        self.args = args
        self.prefix_argv = []  # what starts the daemon, such as a shell with odd signals
        self.process = None
        self.lines = []
        self._news = threading.Condition()
        self._reader = None
        self.write_policy(POLICY if policy is None else policy)
        self.write_config({**CONFIG, **(config or {})})

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.stop()
            self.teardown()
        finally:
            self.close()

    # -- files ------------------------------------------------------------------------------

    def write_config(self, config):
        """Writes the config file; a str is written as it is."""
        if not isinstance(config, str):
            config = json.dumps({"policy": str(self.policy_path), **config}, indent=1)
        self.config_path.write_text(config, encoding="utf-8")

    def write_policy(self, policy):
        """Writes the policy file; a str is written as it is."""
        if not isinstance(policy, str):
            policy = json.dumps(policy, indent=1)
        self.policy_path.write_text(policy, encoding="utf-8")

    # -- life -------------------------------------------------------------------------------

    @property
    def argv(self):
        """The command line of the daemon."""
        return [*self.prefix_argv, str(self.prefix / "sbin/igdwardd"), "--config", str(self.config_path),
                "--run-dir", str(self.run_dir), "--state-dir", str(self.state_dir), *self.args]

    @property
    def pid(self):
        """Pid of the parent process."""
        return self.process.pid

    def start(self, within=DEADLINE_S):
        """Starts the daemon; returns when it has said READY=1."""
        notify_path = self.dir / "notify"
        notify_path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(notify_path))
            notify_path.chmod(0o777)
            self.process = self.lab.rtr.popen(
                *self.argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                errors="backslashreplace", env={**os.environ, "NOTIFY_SOCKET": str(notify_path)})
            self._reader = threading.Thread(
                target=self._read_log, args=(self.process.stderr,), daemon=True)
            self._reader.start()
            self._await_ready(notify, within)
        return self

    def _await_ready(self, notify, within):
        pidfd = os.pidfd_open(self.pid)
        try:
            poll = select.poll()
            poll.register(notify, select.POLLIN)
            poll.register(pidfd, select.POLLIN)
            end = time.monotonic() + within
            while (left := end - time.monotonic()) > 0:
                ready = [fd for fd, _ in poll.poll(left * 1000)]
                if notify.fileno() in ready:
                    if b"READY=1" in notify.recv(4096).split(b"\n"):
                        return
                elif pidfd in ready:
                    self.process.wait()
                    self._reader.join(DEADLINE_S)
                    raise StartFailed(
                        f"igdwardd ended with {self.process.returncode}:\n{self.log()}")
            raise StartFailed(f"no READY=1 within {within} s:\n{self.log()}")
        finally:
            os.close(pidfd)

    def refuses_to_start(self, argv=None, within=DEADLINE_S, **kw):
        """Runs igdwardd where it must not start; returns its exit code and what it said."""
        done = self.lab.rtr.run(*(argv or self.argv), check=False, timeout=within, **kw)
        return done.returncode, done.stdout + done.stderr

    def stop(self, sig=signal.SIGTERM):
        """Ends the daemon as an init system does; the mappings stay."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(sig)
        self.process.wait(DEADLINE_S)
        self._ended()

    def restart(self):
        """Stops and starts it again."""
        self.stop()
        self.start()

    def kill_all(self):
        """SIGKILLs parent, broker and workers, the parent first so that it restarts nothing."""
        pidfds = [os.pidfd_open(pid) for pid in (self.pid, *self.children())]
        try:
            for pidfd in pidfds:
                try:
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            assert all(pidfd_ended(pidfd) for pidfd in pidfds)
        finally:
            for pidfd in pidfds:
                os.close(pidfd)
        self.process.wait(DEADLINE_S)
        self._ended()

    def teardown(self):
        """igdwardd --teardown: removes our tables, the floor too."""
        self.lab.rtr.run(*self.argv, "--teardown")

    def close(self):
        """Ends whatever still runs and removes the files."""
        if self.process is not None:
            for pid in (self.pid, *self.children()):
                kill(pid)
            self.process.wait(DEADLINE_S)
            self._ended(check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def _ended(self, check=True):
        self._reader.join(DEADLINE_S)
        self.process.stderr.close()
        self.process = None
        if check and SANITIZER.search(self.log()):
            raise AssertionError(f"a sanitizer spoke:\n{self.log()}")

    # -- processes --------------------------------------------------------------------------

    def children(self, name=None):
        """Pids of the parent's children, all or those of one program (igdward-broker)."""
        return [
            child for child in _children(self.pid)
            if name is None or _program(child) == name
        ]

    def broker(self):
        """Pid of the broker."""
        [pid] = self.children("igdward-broker")
        return pid

    def worker(self):
        """Pid of the worker of br-lan."""
        [pid] = self.children("igdward-upnp")
        return pid

    # -- log --------------------------------------------------------------------------------

    def log(self):
        """All of the log."""
        with self._news:
            return "".join(self.lines)

    def wait_log(self, regex, since=0, within=DEADLINE_S):
        """The first match in a log line from line number `since` on (see log_mark())."""
        wanted = re.compile(regex)

        def found():
            return next((m for line in self.lines[since:] if (m := wanted.search(line))), None)

        with self._news:
            match = self._news.wait_for(found, within)
            if not match:
                raise AssertionError(
                    f"no log line matches {regex!r}:\n{''.join(self.lines[since:])}")
            return match

    def log_mark(self):
        """Number of log lines so far."""
        with self._news:
            return len(self.lines)

    def _read_log(self, stream):
        for line in stream:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()

    # -- command line tool ------------------------------------------------------------------

    def socket_path(self):
        """The control socket; a name for it even when there is none."""
        try:
            return next(path for path in sorted(self.run_dir.iterdir())
                        if stat.S_ISSOCK(path.lstat().st_mode))
        except (FileNotFoundError, StopIteration):
            return self.run_dir / "none.sock"

    def cli_run(self, *args, exec_prefix=()):
        """Runs igdward ARGS; the completed process, whatever its exit code."""
        return self.lab.rtr.run(*exec_prefix, self.prefix / "bin/igdward",
                                "--socket", self.socket_path(), *args, check=False)

    def cli_text(self, *args, code=0):
        """Its output for people."""
        done = self.cli_run(*args)
        assert done.returncode == code, f"igdward {args}: {done}"
        return done.stdout + done.stderr

    def cli(self, *args, code=0):
        """`data` of its JSON answer, or `error` when it has one."""
        done = self.cli_run("--json", *args)
        assert done.returncode == code, f"igdward --json {args}: {done}"
        answer = json.loads(done.stdout)
        if "error" in answer:
            assert answer["error"]["code"] and answer["error"]["message"]
            return answer["error"]
        assert answer["schema"] == 1
        return answer["data"]

    def explain(self, client, external, internal, protocol="tcp", internal_client=None):
        """The verdict of `igdward explain`, granted or refused."""
        done = self.cli_run(
            "--json", "explain", "--client", client, "--protocol", protocol,
            "--external-port", external, "--internal-port", internal,
            *(("--internal-client", internal_client) if internal_client else ()))
        assert done.returncode in (0, 1), done
        return json.loads(done.stdout)["data"]

    def mappings(self):
        """`igdward list` as {(protocol, external port): entry}."""
        return {(entry["protocol"], entry["external_port"]): entry for entry in self.cli("list")}


def _children(pid):
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        return [int(child) for task in tasks for child in
                Path(f"/proc/{pid}/task/{task}/children").read_text(encoding="ascii").split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _program(pid):
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")).name
    except (FileNotFoundError, ProcessLookupError):
        return ""
