"""A process killed at any change that it makes to a file."""

# Kills the process at its n-th change of a file below the state directory, before it; or at its
# n-th write there, after some of its bytes (`KILL_PART` of them; -1: at any change).
FAULT = """
import os, signal, sys
at, part = int(os.environ["KILL_AT"]), int(os.environ["KILL_PART"])
count = 0

def counted(name, concerns):
    real = getattr(os, name)
    def call(*arguments, **options):
        global count
        if concerns(*arguments):
            count += 1
            if count == at:
                if part >= 0:
                    real(arguments[0], bytes(arguments[1])[:part])
                os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)
    setattr(os, name, call)

def in_state(path, *_, **__):
    return "llmcli" in os.fspath(path) and "state" in os.fspath(path)

def writable(path, flags=0, *_, **__):
    return in_state(path) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))

def to_state(descriptor, *_, **__):
    try:
        return in_state(os.readlink(f"/proc/self/fd/{descriptor}"))
    except OSError:
        return False

counted("write", to_state)
if part < 0:
    for name in ("mkdir", "replace", "unlink"):
        counted(name, in_state)
    counted("open", writable)
    counted("ftruncate", to_state)
"""
