"""Fixtures that the lab tests share: one lab with a daemon per test file."""

import pytest

from igdward import Daemon
from lab import LAN1, LAN2, Lab, remove_stale
from soap import ControlPoint


LOG_SHOWN = 40  # lines


def pytest_unconfigure(config):
    """The controlling process removes what an interrupted worker left."""
    if not hasattr(config, "workerinput"):
        remove_stale()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failure shows the end of the daemon's log."""
    report = (yield).get_result()
    daemon = getattr(item, "funcargs", {}).get("daemon")
    if report.failed and daemon:
        report.sections.append(("igdwardd log", "".join(daemon.lines[-LOG_SHOWN:])))


@pytest.fixture(scope="module", name="lab")
def fixture_lab():
    """The router, its LAN, its guest link and the internet."""
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="module", name="daemon_options")
def fixture_daemon_options():
    """Overridden by files that want another config or policy."""
    return {}


@pytest.fixture(scope="module", name="daemon")
def fixture_daemon(lab, daemon_options):
    """igdwardd running in the router."""
    with Daemon(lab, **daemon_options) as daemon:
        yield daemon


@pytest.fixture(name="lan1")
def fixture_lan1(lab, daemon):
    """An application on lan1; its mappings end with the test."""
    yield from _application(lab.lan1, LAN1, daemon)


@pytest.fixture(name="lan2")
def fixture_lan2(lab, daemon):
    """An application on lan2; its mappings end with the test."""
    yield from _application(lab.lan2, LAN2, daemon)


def _application(host, address, daemon):
    yield ControlPoint(host, address)
    for entry in daemon.cli("list") if daemon.process else ():
        if entry["internal_client"] == address:
            daemon.cli("delete", entry["id"])
