"""The object of `--json`, as the real program prints it for a reply from loopback."""

import json
import subprocess
import tempfile
import textwrap
from pathlib import Path

from tests.support.endpoint import answer, serving
from tests.support.program import PROGRAM, clean_environment

_USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "cost": 0.00123}
_WIDTH = 76


def json_reply() -> str:
    """Return the object as fenced JSON, with what differs from run to run made the same."""
    with tempfile.TemporaryDirectory() as home, serving(answer("Build.", usage=_USAGE)) as server:
        variables = {"LLMCLI_BASE_URL": server.base_url, "LLMCLI_API_KEY": "k"}
        done = subprocess.run(
            [PROGRAM, "ask", "-n", "--json", "-m", "m", "hi"],
            env={**clean_environment(Path(home)), **variables},
            capture_output=True,
            check=True,
        )
    reply = json.loads(done.stdout)
    reply["llmcli"]["seconds"] = {"first_token": 0.4, "total": 1.2}
    lines = [_field(name, value) for name, value in reply.items()]
    return "```json\n{" + ",\n ".join(lines) + "}\n```"


def _field(name: str, value: object) -> str:
    """Return a field as JSON, broken at blanks where it is long."""
    text = json.dumps({name: value}, separators=(", ", ":\0"))[1:-1]  # no break behind a name
    return "\n".join(textwrap.wrap(text, _WIDTH, subsequent_indent="  ")).replace("\0", " ")
