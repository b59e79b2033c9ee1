"""The file of results of a run by batches: FILE.progress, with the steps of the batches in it."""

from collections.abc import Sequence

from llmcli.batch.results.entry import TEXT
from llmcli.batch.results.file import ResultFile
from llmcli.batch.results.formats import kept
from llmcli.batch.results.store import PROGRESS, Begin, Results
from llmcli.batch.server.parts import ENDED, Part, open_parts
from llmcli.batch.task import Outcome
from llmcli.config.map_options import MapOptions
from llmcli.errors import CantCreate, UsageError
from llmcli.output.sink import is_regular, write_file


class BatchResults(Results):
    """The results of a run by batches, which always stand in FILE.progress until it ends.

    `parts` are those whose answers the run takes, once it ends.
    """

    in_place = False
    parts: tuple[Part, ...] = ()

    def _open(self, begin: Begin) -> ResultFile:
        target = self._target
        progress = self._name + PROGRESS
        if begin is Begin.RESUME and target and target.size and not _has_lines(progress):
            # A live run has begun in FILE itself.
            lines = [target.line_at(entry.offset) for entry in target.entries()]
            write_file(self._environment, progress, lines)
        return super()._open(begin)

    def note(self, line: bytes) -> None:
        """Append a line about a batch. Raises WriteError."""
        self._mark_begun()
        self._file.append(line)

    def plan(self, parts: list[Part]) -> None:
        """Append the lines by which parts begin, in one write. Raises WriteError."""
        self.note(b"".join(part.planned() for part in parts))

    def step(self, part: Part, state: str) -> None:
        """Let a part enter `state`, and append the line that says so. Raises WriteError."""
        self.note(part.step(state))

    def keep(self, outcome: Outcome) -> None:
        """Keep the text of an answer whose record is gone, for FILE.stale. Raises WriteError."""
        key, answered = outcome.task.key, self._earlier.answered
        if self._form == TEXT and key not in answered:
            answered.add(key, self._file.append(kept(outcome, "text", outcome.text)))

    def finish(self) -> None:
        """Bring FILE into its final form; nothing of the batches is left beside it.

        Raises CantCreate, WriteError; then the results stay.
        """
        for part in self.parts:
            self.step(part, ENDED)
        super().finish()
        if self._target is None:
            write_file(self._environment, self._file.path, self._lines_in_order())


def _has_lines(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def lock_progress(name: str) -> ResultFile:
    """Return the file of progress of FILE `name`, open and locked.

    Raises CantCreate if it has nothing, TryLater if another process writes it.
    """
    if not _has_lines(name + PROGRESS):
        raise CantCreate(f"{name} has no batch: there is no {name}{PROGRESS}")
    return ResultFile(name + PROGRESS)


def parts_of(options: MapOptions) -> list[Part]:
    """Return the batches of earlier runs that this run goes on with.

    Raises UsageError for options that do not go together with batches, CantCreate if the run would
    lose a batch.
    """
    if options.server.wanted:
        _check(options)
    path = f"{options.results.output}{PROGRESS}"
    found = open_parts(path)
    if not options.server.cancel:
        _check_open(options, path, found)
    return found if options.results.resume else []


def _check(options: MapOptions) -> None:
    """Raise UsageError for options that a batch cannot have."""
    output = options.results
    if output.dry_run and options.server.cancel:
        raise UsageError("--cancel and --dry-run exclude each other")
    if output.output in (None, "-") and not output.dry_run:
        raise UsageError("--batch needs the FILE of -O, which keeps what is known of the batch")
    if not is_regular(str(output.output)):
        raise UsageError(f"--batch needs a regular file, and {output.output} is not one")
    alone = "each request of a batch is answered once, and nobody is there to go on"
    for given, name in (
        (options.tools.run_tools, "--run-tools"),
        (options.shape.repair, "--repair"),
    ):
        if given:
            raise UsageError(f"--batch cannot be combined with {name}", hint=alone)
    if options.pace.cluster is not None:
        raise UsageError("--batch and --cluster exclude each other")
    if options.server.cancel and (output.resume or output.restart or output.retry_failed):
        raise UsageError("--cancel cannot be combined with --resume, --restart or --retry-failed")
    if options.server.cancel and options.server.detach:
        raise UsageError("--cancel and --detach exclude each other")


def _check_open(options: MapOptions, path: str, parts: Sequence[Part]) -> None:
    """Raise CantCreate if the run would lose batches that the server works on.

    `parts` are those in the file of progress at `path`. What the user has cancelled may go.
    """
    output = options.results
    may_go = output.restart and all(part.cancelled for part in parts)
    if parts and not (output.resume or may_go):
        hint = "go on with --resume, or end it with --cancel"
        raise CantCreate(f"{path} has a batch that was sent to the server", hint=hint)
