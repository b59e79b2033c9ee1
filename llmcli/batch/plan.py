"""From records to tasks: the request for each record, and the key by which it is known."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from llmcli.api import messages
from llmcli.api.request import TOKEN_LIMITS, choices_of
from llmcli.api.types import ChatRequest
from llmcli.batch.input.source import Record
from llmcli.batch.task import Task
from llmcli.chat import draft
from llmcli.chat.prompt import placeholders
from llmcli.chat.prompt.content import STDIN_PLACE, Attachments, Wording
from llmcli.chat.response_format import Shape
from llmcli.config.settings import Settings
from llmcli.errors import BadRequest, LlmcliError, UsageError
from llmcli.system.dataclass import dataclass

if TYPE_CHECKING:
    from llmcli.chat.prompt.templates import Template
    from llmcli.tools.definition import Toolbox

# Fields of a request that say how the answer is sent, and change nothing in it. They are left out
# of the key, so that a run with --no-stream can go on with one without it.
TRANSPORT = ("stream", "stream_options")
# Hexadecimal digits of a key: 128 bits, with which no two records will ever share one.
_KEY_DIGITS = 32
# Made once, as json.dumps makes one for each call.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Plan:
    """What is asked about each record.

    `model` is None if each request of a batch file names its own. `stream` is False if the answer
    is asked for in one piece. `attachments` are the files of -f, which go with each record.
    `params` are the values of -p, such as `language=French`. `toolbox` has the tools that the model
    may call, and `shape` the form that the answer must have. `endpoint` is its base URL, or an
    empty text for a model in this process. `columns` are those of the input, which may stand in
    braces whatever their characters; None for records that are plain lines.
    """

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
    endpoint: str
    columns: Sequence[str] | None = None

    @cached_property
    def required_fields(self) -> list[str]:
        """Return the names of the fields that a record must have.

        They are those that the prompt names, and the variables of the template that neither -p nor
        its defaults give.
        """
        names = placeholders.named_fields(self.prompt)
        if self.template:
            given = {pair.partition("=")[0] for pair in self.params} | set(self.template.defaults)
            names += [name for name in self.template.variables() if name not in given]
        return list(dict.fromkeys(names))

    @cached_property
    def has_places(self) -> bool:
        """Return True if the prompt or the template says where the record goes.

        If not, the record goes in front of the prompt.
        """
        in_template = self.template is not None and STDIN_PLACE in self.template.prompt
        return in_template or placeholders.has_places(self.prompt, self.columns or ())

    def tasks(self, records: Iterator[Record], *, of_batch: bool) -> Iterator[Task]:
        """Yield a task for each record, numbered from 0.

        `of_batch` is True for the records of a batch file, which are whole requests. A task whose
        request cannot be made has the reason as its `problem`.
        """
        for index, record in enumerate(records):
            custom_id, given = None, frozenset(self.settings.options)
            if of_batch and isinstance(record.value, dict):
                custom_id = record.value.get("custom_id")
                body = record.value.get("body")
                given |= frozenset(body if isinstance(body, dict) else ())
            problem, request = record.problem, None
            if problem is None:
                try:
                    request = self._batch_request(record) if of_batch else self._request(record)
                except LlmcliError as error:
                    problem = error
            key, former = self._keys(record, request)
            yield Task(index, key, record.value, request, problem, custom_id, former, given)

    def _request(self, record: Record) -> ChatRequest:
        system, text = self._wording(record)
        files = self.attachments
        if record.files.texts or record.files.parts:
            files = Attachments(
                (*files.texts, *record.files.texts), (*files.parts, *record.files.parts)
            )
        content = files.with_prompt(text)
        if not content:
            raise BadRequest("the prompt is empty")
        said = messages.assemble(system, [], [], content)
        return cast(ChatRequest, {**self._frame, "messages": said})

    @cached_property
    def _frame(self) -> ChatRequest:
        """Return what the requests of all records have in common: all but the messages."""
        assert self.model is not None
        return draft.body(
            self.settings, [], self.toolbox, self.shape, self.model, stream=self.stream
        )

    def _wording(self, record: Record) -> tuple[str | None, list[str]]:
        """Return the system message for a record, and the parts of its prompt.

        Raises BadRequest for a record that lacks a field, UsageError for a template with a variable
        that nothing gives.
        """
        prompt = placeholders.filled(self.prompt, record.text, record.fields, self.columns)
        front = [] if self.has_places or record.files.texts else [record.text]
        if self.template is None:
            return self.system, [*front, prompt]
        names = [name for name in self.required_fields if name in self.template.variables()]
        if names and record.fields is None:
            hint = "give " + " ".join(f"-p {name}=…" for name in names)
            raise UsageError(f"template {self.template.name} lacks {', '.join(names)}", hint=hint)
        values = [
            f"{n}={placeholders.text(placeholders.field_of(record.fields or {}, n))}" for n in names
        ]
        filled = self.template.fill([*self.params, *values], Wording((prompt,)))
        return self.system or filled.system, [*front, filled.prompt.filled(record.text)]

    def _batch_request(self, record: Record) -> ChatRequest:
        """Return the body of a record of a batch file, completed by options and settings."""
        own = {**record.value["body"]}
        model = own.get("model") or self.model
        if not isinstance(model, str):
            hint = "name one with -m"
            raise BadRequest("the body has no model, and none is configured", hint=hint)
        if self.shape and choices_of(own) > 1:
            raise BadRequest("n asks for several answers, but an answer of a form is one")
        ours = draft.body(self.settings, [], self.toolbox, self.shape, model, stream=self.stream)
        # Streaming is decided here: what the file says was meant for OpenAI's batch service.
        own = {name: value for name, value in own.items() if name not in TRANSPORT}
        if any(name in own for name in TOKEN_LIMITS):
            ours = {name: value for name, value in ours.items() if name not in TOKEN_LIMITS}
        return {**ours, **own, "model": model}

    def _keys(self, record: Record, request: ChatRequest | None) -> tuple[str, str]:
        """Return a hash of all that decides the answer of a record, and the one of 0.1.

        That is the record, the request with its prompt, model and parameters, the shape that the
        answer must have, and the endpoint, which 0.1 did not count.
        """
        asked = {k: v for k, v in (request or {}).items() if k not in TRANSPORT}
        value: list[Any] = [record.value, asked]
        # Added only where there is one, so that keys of plain answers stay what they always were.
        if self.shape:
            shape = self.shape
            block = [] if shape.block is None else [shape.block]
            value.append([shape.schema, shape.extract, shape.yes_no, *block])
        digest = hashlib.sha256(_ENCODER.encode(value).encode())
        former = digest.hexdigest()[:_KEY_DIGITS]
        digest.update(self.endpoint.encode())
        return digest.hexdigest()[:_KEY_DIGITS], former
