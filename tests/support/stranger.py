"""A stranger's machine: an empty home, and an embedded model that answers at once."""

import re
from pathlib import Path

from llmcli.backends.embedded import weights
from tests.support.manual import DOCUMENTS, on_path

# A runtime with the interface that llmcli uses of the real one, and without a model.
_RUNTIME = """
import json


class CommonParams:
    def __getattr__(self, name):
        value = CommonParams()
        setattr(self, name, value)
        return value


class Server:
    def __init__(self, parameters):
        self._name = next(iter(parameters.model_alias))

    def handle_chat_completions(self, request, put=None):
        messages = json.dumps(request["messages"])
        if '"image_url"' in messages:
            raise ValueError("image input is not supported")
        text = "an answer"
        if "response_format" in request:
            text = json.dumps({"age": 30})
        elif "yes" in messages:
            text = "yes"
        elif "script" in messages:
            text = "```sh\\necho renamed\\n```"
        delta = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": "stop"}
        whole = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": self._name}
        if put is None:
            return {**whole, "choices": [{**choice, "message": delta}]}
        put({**whole, "choices": [{**choice, "delta": delta}]})
"""


def with_embedded_model(env: dict[str, str], folder: Path) -> dict[str, str]:
    """Return `env` with a runtime that needs no model, and a file of the weights' size."""
    folder.mkdir()
    (folder / "xllamacpp.py").write_text(_RUNTIME)
    place = Path(env["HOME"]) / ".local/share/llmcli/models" / Path(weights.MEMBER).name
    place.parent.mkdir(parents=True)
    with place.open("wb") as file:
        file.write(b"GGUF")
        file.truncate(weights.SIZE)
    return {**on_path(env, folder / "bin"), "PYTHONPATH": str(folder)}


def rows_of_keys() -> list[tuple[str, str]]:
    """Return the variable and the line to type of each row of the README's table of keys."""
    text = DOCUMENTS["README"].read_text()
    return re.findall(r"^\| \w+ \| `(\w+)` \| `(llmcli .+?)` \|$", text, re.M)


def config_of_readme(base_url: str) -> str:
    """Return the config.toml that the README shows for a server, with the address of one."""
    found = re.search(r"```toml\n(.*?)```", DOCUMENTS["README"].read_text(), re.S)
    assert found
    return re.sub(r'base_url = ".*"', f'base_url = "{base_url}"', found[1])
