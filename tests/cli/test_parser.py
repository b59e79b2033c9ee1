"""The first word of a command line: every option of `ask` may stand there without `ask`."""

from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest

from llmcli.config.options import AskOptions
from llmcli.system.dataclass import fields
from tests.support.endpoint import Script, Server, answer
from tests.support.program import Run


def options() -> Iterator[tuple[str, bool]]:
    """Yield each name of each option of `ask`, and whether the option takes a value."""
    for group in fields(AskOptions):
        for field in fields(group.type):
            kinds: Any = get_args(field.type.__origin__) or (field.type.__origin__,)
            for name in field.type.__metadata__[0].names:
                yield name, bool not in kinds


def spellings() -> Iterator[list[str]]:
    """Yield each way to write an option: `--o v`, `--o=v`, `-o v`, `-ov`; a flag stands alone."""
    for name, takes_value in options():
        if not takes_value:
            yield [name]
        elif name.startswith("--"):
            yield from ([name, "5"], [f"{name}=5"])
        else:
            yield from ([name, "5"], [f"{name}5"])


@pytest.mark.parametrize("words", list(spellings()), ids=" ".join)
def test_an_option_of_ask_is_no_mistyped_command(
    run: Run, env: dict[str, str], words: list[str]
) -> None:
    env.update(LLMCLI_BASE_URL="http://127.0.0.1:9/v1", LLMCLI_MODEL="m", LLMCLI_RETRIES="0")
    done = run(*words, "say hi")
    assert b"no such command" not in done.stderr, done.stderr
    assert b"did you mean `llmcli" not in done.stderr


def test_options_before_the_prompt_ask(
    run: Run, endpoint: Callable[[Script], Server], env: dict[str, str]
) -> None:
    server = endpoint(answer("x"))
    del env["LLMCLI_MODEL"]
    for words in (["--model", "x"], ["--model=x"], ["-m", "x"], ["-mx"]):
        assert run(*words, "hi there").returncode == 0
        assert server.requests[-1].json["model"] == "x"
        assert server.requests[-1].json["messages"][-1]["content"] == "hi there"
