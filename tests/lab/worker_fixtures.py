"""Fixtures of the test files about the worker alone; they import what they use of them."""

import pytest

from fake_broker import serving, usual
from lab import LAN1
from soap import ControlPoint


@pytest.fixture(scope="module", name="served")
def fixture_served(lab):
    """A worker that serves br-lan."""
    with serving(lab) as worker:
        yield worker


@pytest.fixture(name="worker")
def fixture_worker(served):
    """The same, whose broker answers as usual when a test begins."""
    served.answers = usual()
    return served


@pytest.fixture(name="lan1")
def fixture_lan1(lab, worker):
    """An application on lan1."""
    assert worker
    return ControlPoint(lab.lan1, LAN1)
