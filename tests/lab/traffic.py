"""Traffic that goes on while something happens to the daemon."""

import threading
from collections import Counter

from netns import DEADLINE_S


class Attempts:
    """Context manager: tries to connect to ports again and again; `met` counts the outcomes."""

    def __init__(self, host, targets):
        self._try = lambda: host.tcp_probe(targets, within=0.05).values()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self.met = Counter()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(DEADLINE_S)

    def _loop(self):
        while not self._stop.is_set():
            self.met.update(self._try())


class Visitors:
    """Context manager: fetches a page again and again, each time by a new connection.

    At the end every visit must have got the page, and at least `least` of them took place.
    """

    def __init__(self, host, address, port, page, least=20):
        self._visit = lambda: host.fetch(address, port, within=2)
        self._page = page
        self._least = least
        self._enough = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self.visits = 0
        self.failures = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self._enough.wait(DEADLINE_S)
        self._stop.set()
        self._thread.join(DEADLINE_S)
        if kind is None:
            assert not self.failures, f"{len(self.failures)} of {self.visits}: {self.failures[0]}"
            assert self.visits >= self._least

    def _loop(self):
        while not self._stop.is_set() and len(self.failures) < 10:
            try:
                page = self._visit()
                if page != self._page:
                    self.failures.append(page)
            except (OSError, AssertionError) as error:
                self.failures.append(repr(error))
            self.visits += 1
            if self.visits >= self._least:
                self._enough.set()
