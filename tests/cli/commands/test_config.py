"""The commands that look at the configuration."""

from collections.abc import Callable
from pathlib import Path

from tests.support.program import Run

Config = Callable[[str], Path]


def test_show_masks_a_base_url_with_credentials(run: Run, config: Config) -> None:
    config('base_url = "http://u:sk-pass@h/"\n')
    for arguments in ((), ("--json",)):
        assert b"sk-pass" not in run("config", "show", *arguments).stdout
