"""A small part of `python -m tests.chaos`, always the same one; LLMCLI_CHAOS_SEED changes it."""

import os

import pytest

from tests.chaos.__main__ import SUBJECTS, try_all

# Cases of each subject: together about a minute on a quiet machine.
_MOST = {"system-calls": 16, "kills": 13, "full-disk": 12, "odd-files": 30, "odd-replies": 40}


@pytest.mark.slow
@pytest.mark.timeout(1800)  # it is no measure, and the machine may be busy
@pytest.mark.parametrize("name", SUBJECTS)
def test_what_is_broken_on_purpose(name: str) -> None:
    seed = int(os.environ.get("LLMCLI_CHAOS_SEED", "1"))
    tally = try_all([name], seed, _MOST[name])
    if tally.skipped:
        pytest.skip(f"seed {seed}: {tally.skipped}")
    assert not tally.problems, f"seed {seed}: {tally.problems}"
    assert tally.tried
