"""What the examples of README and manual need: an endpoint that answers sensibly, and files."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from tests.support.endpoint import Request, Wire, calling, chunk
from tests.support.program import PROGRAM, ROOT

PAGES = ROOT / "llmcli/help"
DOCUMENTS = {"README": ROOT / "README.md", **{p.stem: p for p in sorted(PAGES.glob("*.md"))}}
PERSON = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
# Models that the examples use, or that are the default of a provider.
_LISTED = ("m", "llama3.2", "gpt-5-nano")
_ABOUT = {
    "context_length": 8192,
    "pricing": {"prompt": "0", "completion": "0"},
    "supported_parameters": ["tools"],
}
_PIXEL = bytes.fromhex("89504e470d0a1a0a0000000d49484452")  # the head of a PNG
_FILES: dict[str, str | bytes] = {
    "notes.txt": "some notes\n",
    "photo.png": _PIXEL,
    "cities.txt": "Oslo\nRome\n",
    "lines.txt": "one\ntwo\n",
    "mail.txt": "Dear friend\n",
    "items.csv": "name,note\nApple,red\nHammer,heavy\n",
    "reviews.csv": "id,text\n1,lovely\n2,awful\n",
    "tickets.jsonl": '{"title": "It breaks"}\n{"title": "Thanks"}\n',
    "person.json": json.dumps(PERSON),
    "src/a.py": "print(1)\n",
    "weather.sh": "#!/bin/sh\necho 7 degrees\n",
}


def reply(wire: Wire, request: Request) -> None:
    """Answer as a good model would: a call of the tool, JSON of the shape, yes, or a block.

    Asked for the models, list some.
    """
    if request.method == "GET":
        return wire.json({"data": [{"id": name, **_ABOUT} for name in _LISTED]})
    body = request.json
    last = body["messages"][-1]
    if "tools" in body and last["role"] != "tool":
        return calling(("c1", "weather", {"city": "Oslo"}))(wire, request)
    system = body["messages"][0] if body["messages"][0]["role"] == "system" else {"content": ""}
    if "response_format" in body:
        text = json.dumps({"age": 30, "mood": "good", "topic": "things"})
    elif "yes" in system["content"]:
        text = "yes"
    else:
        text = "```sh\necho renamed\n```" if "script" in str(last["content"]) else "an answer"
    if not body.get("stream"):
        message = {"role": "assistant", "content": text}
        return wire.json(chunk(None, message=message, finish_reason="stop"))
    wire.head()
    wire.text(text)
    wire.finish()


def blocks(mark: str) -> dict[str, str]:
    """Return the fenced blocks below `<!-- mark -->`, by document and number."""
    pattern = rf"<!-- {mark} -->\n```sh\n(.*?)```"
    return {
        f"{name}-{number}": block
        for name, path in DOCUMENTS.items()
        for number, block in enumerate(re.findall(pattern, path.read_text(), re.S))
    }


def write_files(folder: Path) -> None:
    """Write the files that the examples name, in a repository with one commit and a change."""
    for name, content in _FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        data = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(data)
    (folder / "weather.sh").chmod(0o755)
    tools = re.search(r"```json\n(\[.*?)```", DOCUMENTS["tools"].read_text(), re.S)
    assert tools
    (folder / "weather.json").write_text(tools[1])
    for command in ("init -q", "add notes.txt", "commit -q -m first"):
        git(folder, *command.split())
    (folder / "notes.txt").write_text("some more notes\n")


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run git with an author of its own."""
    who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def on_path(env: dict[str, str], folder: Path) -> dict[str, str]:
    """Return `env` with llmcli, and the programs in `folder`, first on the PATH."""
    folder.mkdir(exist_ok=True)
    if not (folder / "llmcli").exists():
        (folder / "llmcli").symlink_to(PROGRAM)
    rest = env.get("PATH") or str(Path(shutil.which("sh") or "/bin/sh").parent)
    return {**env, "PATH": f"{folder}:{rest}"}


def bash(
    script: str, env: dict[str, str], cwd: Path, *arguments: str, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run a script by bash, which stops at the first command that fails."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script, "bash", *arguments],
        env=env,
        cwd=cwd,
        input=stdin,
        capture_output=True,
        check=False,
        timeout=120,
    )
