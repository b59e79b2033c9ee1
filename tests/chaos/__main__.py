"""`python -m tests.chaos [SUBJECT…]`: break everything on purpose, and count what held."""

import argparse
import random
import sys
from collections.abc import Callable

from tests.chaos import full_disk, kills, odd_files, odd_replies, system_calls
from tests.chaos.place import Places, places
from tests.chaos.tally import Tally

SUBJECTS: dict[str, Callable[[Places, Tally, random.Random, int | None], None]] = {
    "system-calls": system_calls.run,
    "kills": kills.run,
    "full-disk": full_disk.run,
    "odd-files": odd_files.run,
    "odd-replies": odd_replies.run,
}


def main() -> None:
    """Try all subjects, or those that are named, and print the table; exit with 1 for a problem."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=", ".join(SUBJECTS))
    parser.add_argument("--seed", type=int, help="of the random choices; printed if not given")
    parser.add_argument("--most", type=int, metavar="N", help="cases of a subject; default: all")
    given = parser.parse_args()
    if unknown := set(given.subjects) - set(SUBJECTS):
        parser.error(f"no such subject: {', '.join(sorted(unknown))}")
    seed = random.randrange(2**32) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    tally = try_all(given.subjects or list(SUBJECTS), seed, given.most)
    print(tally.table())
    sys.exit(1 if tally.problems else 0)


def try_all(names: list[str], seed: int, most: int | None) -> Tally:
    """Try the subjects `names`, with `most` cases of each, or all that there are."""
    tally = Tally()
    with places() as made:
        for name in names:
            # Of its own, so that a subject does the same whichever others are tried.
            SUBJECTS[name](made, tally, random.Random(f"{name} {seed}"), most)
            print(f"{name}: {sum(tally.tried.values())} tried so far", file=sys.stderr, flush=True)
    return tally


if __name__ == "__main__":
    main()
