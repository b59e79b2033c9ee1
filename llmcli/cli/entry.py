"""The console script: until the program is loaded, ^C ends it by the signal, with no traceback."""

# Not `signal`, whose enums take as long to load as all else here.
import _signal
import gc
import os
import sys

from llmcli import __version__
from llmcli.system.short_ways import is_on


def main() -> None:
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    if sys.argv[1:] == ["--version"] and is_on("version"):
        _print_version()
    # What loading makes is no garbage, and looking through it for some takes as long as a module.
    gc.set_threshold(100_000)
    from llmcli.cli.main import run_process as run

    run()


def _print_version() -> None:
    """With nothing loaded; if it cannot be written, the program says why."""
    try:
        os.write(1, f"llmcli {__version__}\n".encode())
    except OSError:
        return
    os._exit(0)
