"""SIGKILL at a random moment, in every command that writes."""

import os
import random
import signal
import time

from tests.chaos.commands import COMMANDS
from tests.chaos.place import Place, Places, ending
from tests.chaos.tally import Tally

SUBJECT = "kill -9"
# How often a run of map is killed, and begun again with --resume, before it may end.
_KILLS_OF_MAP = 3


def run(places: Places, tally: Tally, chance: random.Random, most: int | None) -> None:
    """Kill each command 20 times, or `most` times in all."""
    lengths: dict[str, float] = {}
    names = list(COMMANDS)
    chance.shuffle(names)
    for number in range(20 * len(names) if most is None else most):
        name = names[number % len(names)]
        command = COMMANDS[name]
        if name not in lengths:
            with places.fresh() as place:
                began = time.monotonic()
                command.run(place)
                lengths[name] = time.monotonic() - began
        with places.fresh() as place:
            sent = len(places.server.requests)
            moments = [_kill(place, name, command.line, chance, lengths[name])]
            if name.startswith("map"):
                moments += [
                    _kill(place, name, command.after, chance, lengths[name])
                    for _ in range(_KILLS_OF_MAP - 1)
                ]
            problem = command.problem(place, None) or _unpaid(place, sent)
        tally.add(SUBJECT, name, f"{name} after {moments} s", problem)


def _kill(
    place: Place, name: str, line: tuple[str, ...], chance: random.Random, length: float
) -> float:
    """Kill `line` at a moment within 1.2 times the `length` of a run; return that moment."""
    command, moment = COMMANDS[name], round(chance.uniform(0, 1.2 * length), 3)
    process = place.start(*line, **command.env)
    assert process.stdin
    try:
        process.stdin.write(command.input)
        process.stdin.close()
        time.sleep(moment)
    except BrokenPipeError:
        pass  # it has ended
    os.killpg(process.pid, signal.SIGKILL)
    process.stdin = None
    process.communicate()
    return moment


def _unpaid(place: Place, sent: int) -> str | None:
    """Return a word if the ledger has fewer requests than the endpoint has got."""
    done = place.run("usage", "--by", "command", "--csv")
    if problem := ending(done, {0}):
        return f"usage: {problem}"
    rows = [row.split(",") for row in done.stdout.decode().splitlines()[1:]]
    known = sum(int(row[1]) for row in rows)
    # One was there before.
    received = [r for r in place.server.requests[sent:] if r.method == "POST"]
    return f"{len(received)} sent, {known - 1} in the ledger" if known - 1 < len(received) else None
