"""The programs that are compared, each asking the same thing of the same endpoint.

Each is as its user has it, with its own log or ledger where it keeps one: below a new HOME.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.endpoint import BODY, Endpoint
from tests.benchmarks.installed import program
from tests.benchmarks.measure import Command
from tests.benchmarks.replies import Plan

_SCRIPT = Path(__file__).with_name("openai_stream.py")
_RELAY = Path(__file__).with_name("relay.py")
_THREADS = Path(__file__).with_name("threads.py")
_AIOHTTP = Path(__file__).with_name("aiohttp_map.py")
_PACKAGES = Path(__file__).with_name("packages.py")
_ALL_PACKAGES = Path(__file__).with_name("all_packages.py")


class Clients:
    def __init__(self, home: Path, endpoint: Endpoint) -> None:
        self.home = home
        self.endpoint = endpoint

    def environment(self, **more: str) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.defpath}:/usr/local/bin"
        return {"PATH": path, "HOME": str(self.home), "LANG": "C.UTF-8", **more}

    def python(self, code: str = "pass") -> Command:
        """The Python that runs llmcli, doing nothing but this."""
        return Command((program("llmcli", "python"), "-I", "-c", code), self.environment())

    def relay(self, plan: Plan, *options: str) -> Command:
        """The floor of what reads a stream in Python."""
        return self._script(_RELAY, plan, BODY.decode(), *options)

    def packages(self, plan: Plan, **more: str) -> Command:
        """The floor of what is built on requests and sseclient-py."""
        return self._script(_PACKAGES, plan, BODY.decode(), **more)

    def all_packages(self, plan: Plan) -> Command:
        """The floor of what loads all packages of llmcli, as it does with LLMCLI_SHORT=0."""
        return self._script(_ALL_PACKAGES, plan, BODY.decode())

    def threads(self, plan: Plan, jobs: int, *options: str) -> Command:
        """The floor of what asks by threads over requests."""
        return self._script(_THREADS, plan, str(jobs), *options)

    def aiohttp(self, plan: Plan, jobs: int, *options: str) -> Command:
        """The floor of what asks by a single thread over aiohttp."""
        return self._script(_AIOHTTP, plan, str(jobs), *options, package="aiohttp")

    def _script(
        self, script: Path, plan: Plan, *words: str, package: str = "llmcli", **more: str
    ) -> Command:
        """One of ours, with the Python and the packages that `package` brings."""
        url = f"{self.endpoint.base_url(plan)}/chat/completions"
        command = (program(package, "python"), str(script), url, *words)
        return Command(command, self.environment(**more))

    def llmcli(self, plan: Plan, *arguments: str, **more: str) -> Command:
        variables = {
            "LLMCLI_BASE_URL": self.endpoint.base_url(plan),
            "LLMCLI_MODEL": "m",
            "LLMCLI_API_KEY": "k",
            **more,
        }
        words = arguments or ("ask", "-n", "hi")
        return Command((program("llmcli", "llmcli"), *words), self.environment(**variables))

    def curl(self, plan: Plan, *options: str, body: bytes = BODY) -> Command:
        url = f"{self.endpoint.base_url(plan)}/chat/completions"
        kind = "Content-Type: application/json"
        words = ("curl", "-N", "-s", "-f", *options, "-H", kind, "-d", body.decode(), url)
        return Command(words, self.environment())

    def llm(self, plan: Plan, *words: str) -> Command:
        folder = self.home / "llm" / plan.path().strip("/")
        folder.mkdir(parents=True, exist_ok=True)
        model = {"model_id": "m", "model_name": "m", "api_base": self.endpoint.base_url(plan)}
        # JSON is YAML.
        Path(folder, "extra-openai-models.yaml").write_text(json.dumps([model]))
        variables = {"LLM_USER_PATH": str(folder), "OPENAI_API_KEY": "k"}
        arguments = words or ("-m", "m", "hi")
        return Command((program("llm", "llm"), *arguments), self.environment(**variables))

    def shell_gpt(self, plan: Plan) -> Command:
        variables = {
            "API_BASE_URL": self.endpoint.base_url(plan),
            "OPENAI_API_KEY": "k",
            "DEFAULT_MODEL": "m",
            "CACHE_PATH": str(self.home / "sgpt"),
            "CHAT_CACHE_PATH": str(self.home / "sgpt-chats"),
        }
        # Its cache would answer the second run without a request.
        words = (program("shell-gpt", "sgpt"), "--no-cache", "--no-md", "hi")
        return Command(words, self.environment(**variables))

    def openai(self, plan: Plan) -> Command:
        variables = {"OPENAI_BASE_URL": self.endpoint.base_url(plan), "OPENAI_API_KEY": "k"}
        return Command((program("openai", "python"), str(_SCRIPT)), self.environment(**variables))

    def httpie(self, plan: Plan) -> Command:
        folder = self.home / "httpie"
        folder.mkdir(exist_ok=True)
        # Else it looks for a newer version of itself in the background.
        Path(folder, "config.json").write_text('{"disable_update_warnings": true}')
        url = f"{self.endpoint.base_url(plan)}/chat/completions"
        body = json.loads(BODY)
        fields = tuple(f"{name}:={json.dumps(value)}" for name, value in body.items())
        words = (program("httpie", "http"), "--ignore-stdin", "--stream", "POST", url, *fields)
        return Command(words, self.environment(HTTPIE_CONFIG_DIR=str(folder)))

    def all(self, plan: Plan) -> Mapping[str, Command]:
        return {
            "llmcli": self.llmcli(plan),
            "llm": self.llm(plan),
            "shell-gpt": self.shell_gpt(plan),
            "openai, a script": self.openai(plan),
            "httpie": self.httpie(plan),
        }
