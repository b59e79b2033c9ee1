"""The entry point of the console script `llmcli`, which imports as little as it can.

It has a short way for `--version`: without it that takes 5.5 times as long, by
`python -m tests.benchmarks short`. Of private names it uses the module `_signal`.
"""

# `signal` is a wrapper around `_signal` that builds enums; loading those takes as long as all the
# rest of this module.
import _signal
import gc
import os
import sys

from llmcli import __version__
from llmcli.system.short_ways import is_on


def main() -> None:
    """Run llmcli with the arguments of this process, and end the process with its exit code.

    `llmcli --version` is answered here, without loading the program.
    """
    # ^C while modules are loaded would print a traceback of the import system. With the system's
    # default it kills the process silently. `Environment.of_process` installs the real handler.
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    if sys.argv[1:] == ["--version"] and is_on("version"):
        _print_version()
    # Importing creates many objects that all stay in use. At the default threshold (700) the
    # garbage collector looks through them again and again, which costs as much as one more module.
    gc.set_threshold(100_000)
    from llmcli.cli.main import run_process  # noqa: PLC0415  # loaded after ^C is taken care of

    run_process()


def _print_version() -> None:
    """Write the version to stdout and end the process; return only where the write failed."""
    try:
        os.write(1, f"llmcli {__version__}\n".encode())
    except OSError:
        return  # the program itself then tries again, and reports the write error
    os._exit(0)
