"""Runs a command; writes when it began and ended, its CPU time and its peak memory to a descriptor.

It is a process of its own, and a small one, as the peak memory of a process counts from what its
parent had. It imports nothing of this package, so that it stays small.
"""

import json
import os
import sys
import time

report, command = int(sys.argv[1]), sys.argv[2:]
begin = time.monotonic_ns()
process = os.posix_spawnp(
    command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_CLOSE, report)]
)
_, status, usage = os.wait4(process, 0)
end = time.monotonic_ns()
unit = 1 if sys.platform == "darwin" else 1024
measured = {
    "begin": begin,
    "end": end,
    "cpu": usage.ru_utime + usage.ru_stime,
    "memory": usage.ru_maxrss * unit,
    "code": os.waitstatus_to_exitcode(status),
}
os.write(report, json.dumps(measured).encode())
