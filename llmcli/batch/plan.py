"""From records to tasks: each with its request, and a key made of its content."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from llmcli.api import messages
from llmcli.api.types import ChatRequest
from llmcli.batch.input.source import Record
from llmcli.batch.worker import Task
from llmcli.chat import draft
from llmcli.chat.prompt import placeholders
from llmcli.chat.prompt.content import STDIN_PLACE, Attachments
from llmcli.chat.response_format import Shape
from llmcli.config.settings import Settings
from llmcli.errors import BadRequest, LlmcliError, UsageError
from llmcli.system.dataclass import dataclass

if TYPE_CHECKING:
    from llmcli.chat.prompt.templates import Template
    from llmcli.tools.definition import Toolbox

# How an answer is transported is no part of what is asked.
_TRANSPORT = ("stream", "stream_options")
_KEY_DIGITS = 32


@dataclass(frozen=True)
class Plan:
    """What is asked of each record. `model`: None where each request names its own."""

    settings: Settings
    model: str | None
    stream: bool
    prompt: str
    system: str | None
    attachments: Attachments
    template: "Template | None"
    params: Sequence[str]
    toolbox: "Toolbox | None"
    shape: Shape

    @cached_property
    def wanted(self) -> list[str]:
        """The fields that a record must have. Raises UsageError for a wrong -p."""
        names = placeholders.field_names(self.prompt)
        if self.template:
            given = {pair.partition("=")[0] for pair in self.params} | set(self.template.defaults)
            names += [name for name in self.template.variables() if name not in given]
        return list(dict.fromkeys(names))

    @cached_property
    def has_places(self) -> bool:
        """The prompt says where the record goes."""
        of_template = self.template is not None and STDIN_PLACE in self.template.prompt
        return of_template or placeholders.has_places(self.prompt)

    def tasks(self, records: Iterator[Record], of_batch: bool) -> Iterator[Task]:
        for index, record in enumerate(records):
            custom_id = record.value.get("custom_id") if _is_batch(record, of_batch) else None
            problem, request = record.problem, None
            if problem is None:
                try:
                    request = self._of_batch(record) if of_batch else self._request(record)
                except LlmcliError as error:
                    problem = error
            yield Task(index, self._key(record, request), record.value, request, problem, custom_id)

    def _request(self, record: Record) -> ChatRequest:
        system, text = self._wording(record)
        files = Attachments(
            (*self.attachments.texts, *record.files.texts),
            (*self.attachments.images, *record.files.images),
        )
        content = files.with_prompt(text)
        if not content:
            raise BadRequest("the prompt is empty")
        said = messages.assemble(system, [], [], content)
        assert self.model is not None
        return draft.body(self.settings, said, self.toolbox, self.shape, self.model, self.stream)

    def _wording(self, record: Record) -> tuple[str | None, list[str]]:
        """The system message, and the parts of the prompt."""
        prompt = placeholders.filled(self.prompt, record.text, record.fields)
        front = [] if self.has_places or record.files.texts else [record.text]
        if self.template is None:
            return self.system, [*front, prompt]
        named = [name for name in self.wanted if name in self.template.variables()]
        if named and record.fields is None:
            hint = "give " + " ".join(f"-p {name}=…" for name in named)
            raise UsageError(f"template {self.template.name} lacks {', '.join(named)}", hint=hint)
        values = [
            f"{n}={placeholders.text(placeholders.field_of(record.fields or {}, n))}" for n in named
        ]
        filled = self.template.fill([*self.params, *values], prompt)
        return self.system or filled.system, [*front, filled.prompt.filled(record.text)]

    def _of_batch(self, record: Record) -> ChatRequest:
        """What the body leaves out, options and settings give."""
        own = {**record.value["body"]}
        model = own.get("model") or self.model
        if not isinstance(model, str):
            raise BadRequest("the body has no model, and none is configured", hint="name one by -m")
        given = draft.body(self.settings, [], self.toolbox, self.shape, model, self.stream)
        own = {name: value for name, value in own.items() if name not in _TRANSPORT}
        return {**given, **own, "model": model}

    def _key(self, record: Record, request: ChatRequest | None) -> str:
        """Of the record, prompt, model and parameters, and what is made of the answer."""
        asked = {k: v for k, v in (request or {}).items() if k not in _TRANSPORT}
        value: list[Any] = [record.value, asked]
        if self.shape:
            value.append([self.shape.schema, self.shape.extract, self.shape.yes_no])
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]


def _is_batch(record: Record, of_batch: bool) -> bool:
    return of_batch and isinstance(record.value, dict)
