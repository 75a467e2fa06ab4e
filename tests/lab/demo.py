"""Shows igdward at work in the lab: an application served, two attacks refused, and why.

usage: demo.py [--exit]     --exit: end after the show instead of keeping the lab up
Needs root and IGDWARD_PREFIX. Exit codes: 0 all went as it should, 1 something did not, 2 usage.
"""

import os
import select
import sys
import textwrap

from igdward import Daemon, installed_prefix
from lab import GST, INTERNET, LAN, LAN1, LAN2, WAN, WAN1, Lab

WEB_PORT, WEB_OUTSIDE = 8080, 18080
SMB_PORT, SMB_OUTSIDE = 445, 47669  # the ports of the EternalSilence campaign
PROXY_PORT, PROXY_OUTSIDE = 80, 47670
WIDTH = 100


class Failed(Exception):
    """A step did not do what it should."""


class Screen:
    """Few readable lines; colour on a terminal only."""

    def __init__(self):
        plain = not sys.stdout.isatty() or os.environ.get("TERM") == "dumb" \
            or "NO_COLOR" in os.environ
        codes = {"bold": "1", "green": "32", "red": "31", "dim": "2"}
        self._on = {name: "" if plain else f"\x1b[{code}m" for name, code in codes.items()}
        self._off = "" if plain else "\x1b[0m"

    def paint(self, colour, text):
        """Text in a colour."""
        return f"{self._on[colour]}{text}{self._off}"

    def title(self, text):
        """A step begins."""
        print(f"\n{self.paint('bold', text)}", flush=True)

    def command(self, host, *argv):
        """What is typed on a host."""
        lines = textwrap.wrap(" ".join(map(str, argv)), WIDTH - 12, break_long_words=False,
                              break_on_hyphens=False)
        print(f"  {self.paint('dim', f'{host}#')} " + " \\\n      ".join(lines), flush=True)

    def said(self, text):
        """What a program answered; text of programs, so nothing in it acts on the terminal."""
        for line in text.rstrip().splitlines():
            print("     " + "".join(c if c.isprintable() else "?" for c in line), flush=True)

    def verdict(self, good, text):
        """The outcome of a step; ends the show if it is not the right one."""
        mark = self.paint("green", "ok") if good else self.paint("red", "FAILED")
        print(f"  {mark}  {text}", flush=True)
        if not good:
            raise Failed(text)


class Show:
    """The steps, in their order."""

    def __init__(self, lab, daemon, screen):
        self.lab = lab
        self.daemon = daemon
        self.screen = screen

    def play(self):
        """All steps."""
        self.lab.services.tcp(self.lab.lan1, WEB_PORT)
        self.lab.services.tcp(self.lab.lan1, SMB_PORT)
        self.lab.services.tcp(self.lab.wan1, PROXY_PORT)
        self._served()
        self._refused("EternalSilence: a LAN host's file sharing is to be opened to the internet",
                      LAN1, SMB_PORT, SMB_OUTSIDE, "galleta silenciosa")
        self._refused("UPnProxy: the router is to relay traffic to a host on the internet",
                      INTERNET, PROXY_PORT, PROXY_OUTSIDE, "proxy")
        self.screen.title("What the admin sees")
        for verb in ("status", "list"):
            self.screen.command("router", "igdward", verb)
            self.screen.said(self.daemon.cli_text(verb))
        self.screen.verdict(set(self.daemon.mappings()) == {("tcp", WEB_OUTSIDE)},
                            "the one honest mapping is listed, nothing else")

    def _upnpc(self, description, client, internal, external):
        # -i: upnpc takes the lab's WAN address for a private one, as it is for documentation.
        ask = ("-a", client, internal, external, "tcp", 3600)
        self.screen.command("lan1", "upnpc", "-i", "-e", f"'{description}'", *ask)
        done = self.lab.lan1.run("upnpc", "-i", "-e", description, *ask, check=False)
        told = [line for line in (done.stdout + done.stderr).splitlines()
                if "is redirected" in line or "failed with code" in line]
        self.screen.said("\n".join(told) or "(no answer)")
        return " ".join(told)

    def _served(self):
        self.screen.title("An application on a LAN host asks for a port")
        told = self._upnpc("web server", LAN1, WEB_PORT, WEB_OUTSIDE)
        self.screen.verdict("is redirected" in told, "the gateway mapped the port")
        url = f"http://{WAN}:{WEB_OUTSIDE}/"
        self.screen.command("wan1", "curl", url)
        page = self.lab.wan1.run("curl", "-sS", "--max-time", 5, url, check=False)
        self.screen.said(page.stdout + page.stderr)
        self.screen.verdict(page.stdout == f"lan1:{WEB_PORT} serves {WAN1}\n",
                            "the internet host got the page of lan1 through the mapping")

    def _refused(self, title, client, internal, external, description):
        self.screen.title(title)
        mark = self.daemon.log_mark()
        told = self._upnpc(description, client, internal, external)
        self.screen.verdict("failed with code 606" in told, "the gateway refused the request")

        verdict = self.daemon.explain(LAN1, external, internal, internal_client=client)
        line = self.daemon.wait_log(rf".*\b{verdict['reason']}\b.*\b{external}\b.*|"
                                    rf".*\b{external}\b.*\b{verdict['reason']}\b.*", since=mark)
        print("  the daemon's log")
        self.screen.said("\n".join(textwrap.wrap(line[0], WIDTH - 5, subsequent_indent="  ")))
        words = ("explain", "--client", LAN1, "--protocol", "tcp", "--external-port", external,
                 "--internal-port", internal, "--internal-client", client)
        self.screen.command("router", "igdward", *words)
        self.screen.said(self.daemon.cli_text(*words, code=1))
        reached = self.lab.wan1.tcp_reaches(WAN, external)
        self.screen.verdict(reached != "connected",
                            f"wan1 cannot connect to {WAN}:{external} ({reached})")

    def invite(self):
        """How to look around."""
        self.screen.title("The lab stays up until Ctrl-C. Enter a host:")
        hosts = {"rtr": f"router {WAN}, {LAN}", "wan1": f"internet {WAN1}, {INTERNET}",
                 "lan1": LAN1, "lan2": LAN2, "gst": f"guest {GST}"}
        for name, what in hosts.items():
            print(f"  sudo ip netns exec {self.lab.host(name).ns} bash   # {what}")
        print(f"\n  {self.daemon.prefix}/bin/igdward --socket {self.daemon.socket_path()} list",
              flush=True)


def wait_for_end(daemon):
    """Returns when the daemon ends; Ctrl-C raises KeyboardInterrupt."""
    pidfd = os.pidfd_open(daemon.pid)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.poll()
    os.close(pidfd)


def main(argv):
    """The whole show; returns the exit code."""
    if argv not in ([], ["--exit"]):
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    screen = Screen()
    try:
        screen.title("Making a router, its LAN and an internet of network namespaces")
        with Lab() as lab:
            policy = installed_prefix() / "share/igdward/policy.json"
            with Daemon(lab, {"owner": "auto"}, policy.read_text(encoding="utf-8")) as daemon:
                show = Show(lab, daemon, screen)
                show.play()
                if not argv:
                    show.invite()
                    wait_for_end(daemon)
                    raise Failed(f"the daemon ended:\n{daemon.log()}")
    except KeyboardInterrupt:
        print("\nEnding; the lab is removed.")
    except (Failed, AssertionError, OSError, RuntimeError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
