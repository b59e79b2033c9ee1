"""The commands that look at the configuration."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.support.program import Run

Config = Callable[[str], Path]


def test_show_masks_a_base_url_with_credentials(run: Run, config: Config) -> None:
    config('base_url = "http://u:sk-pass@h/"\n')
    for arguments in ((), ("--json",)):
        assert b"sk-pass" not in run("config", "show", *arguments).stdout


HIDDEN = """
base_url = "https://h.example/v1?api-version=3&key=sk-0123456789abcdef0"
api_key_command = ["pass-of", "sk-or-v1-0123456789abcdef0", "--url=https://me:hidden-1@h/?t=hidden-2"]
http_referer = "https://h/?who=hidden-3"
headers = {X-Token = "hidden-4", X-Note = "Bearer hidden-5"}
[options]
api_key = "hidden-6"
extra = "sk-0123456789abcdef0"
metadata = {password = ["hidden-7"], list = ["AIzaSyhidden_0123456789"]}
id = "0123456789abcdef0123456789abcdef0"
plain = "a text with my-long-words-that-are-not-a-key"
max_tokens = 5
"""


def test_show_masks_what_looks_like_a_secret(run: Run, config: Config) -> None:
    config(HIDDEN).chmod(0o600)
    for arguments in ((), ("--json",)):
        done = run("config", "show", *arguments)
        assert done.returncode == 0, done.stderr
        assert b"hidden" not in done.stdout and b"0123456789" not in done.stdout
        assert b"my-long-words-that-are-not-a-key" in done.stdout
    options = json.loads(done.stdout)["options"]["value"]
    assert options["max_tokens"] == 5
    assert json.loads(done.stdout)["api_key_command"]["value"][0] == "pass-of"
