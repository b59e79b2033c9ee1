"""A network of its own, in which two of the three addresses of `many.test` swallow everything.

Run as a program inside `unshare --net --mount`: it makes the network, serves a completion at the
address that works, runs the command that follows, in which PORT stands for the port, and ends with
that command's exit code. It needs `ip` and `mount`.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.endpoint import answer, serving
from tests.support.full_queue import full_queue

# IPv6 goes first where there is a route for it (RFC 6724); here it leads nowhere.
NOWHERE = "2001:db8::2"
# Has a listener whose queue is full.
FULL = "127.0.0.2"
HOSTS = f"{NOWHERE} many.test\n{FULL} many.test\n127.0.0.1 many.test localhost\n"
# The other end of the pair drops what it gets: the address behind it is nobody's.
SET_UP: tuple[tuple[str, ...], ...] = (
    ("ip", "link", "set", "lo", "up"),
    ("ip", "link", "add", "nowhere", "type", "veth", "peer", "name", "far"),
    ("ip", "addr", "add", "2001:db8::1/64", "dev", "nowhere", "nodad"),
    ("ip", "link", "set", "far", "address", "02:00:00:00:00:02", "up"),
    ("ip", "link", "set", "nowhere", "up"),
    ("ip", "neigh", "add", NOWHERE, "lladdr", "02:00:00:00:00:02", "dev", "nowhere"),
)


def main(command: list[str]) -> int:
    """Return the exit code of `command`, run in the network."""
    for words in SET_UP:
        subprocess.run(words, check=True)
    with tempfile.NamedTemporaryFile("w", suffix=".hosts") as hosts:
        hosts.write(HOSTS)
        hosts.flush()
        subprocess.run(["mount", "--bind", hosts.name, str(Path("/etc/hosts"))], check=True)
        with serving(answer("ok")) as server, full_queue(FULL, server.port):
            asked = [word.replace("PORT", str(server.port)) for word in command]
            code = subprocess.run(asked, check=False).returncode
            subprocess.run(["umount", "/etc/hosts"], check=True)
            return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
