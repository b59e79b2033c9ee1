"""The console script: until the program is loaded, ^C ends it by the signal, with no traceback."""

# Not `signal`, whose enums take as long to load as all else here.
import _signal


def main() -> None:
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    from . import cli

    cli.main()
