"""The end of a batch by the user: `map --cancel -O FILE`."""

from llmcli.backends import connect
from llmcli.batch.results.file import ResultFile
from llmcli.batch.results.store import PROGRESS
from llmcli.batch.server import download
from llmcli.batch.server.books import Books
from llmcli.batch.server.parts import ENDED, Part, open_parts
from llmcli.batch.server.progress import lock_progress
from llmcli.batch.server.run import books_of, check_endpoint, service_of
from llmcli.batch.server.service import Service
from llmcli.batch.server.waiting import BatchWait
from llmcli.config import url
from llmcli.config.map_options import MapOptions
from llmcli.config.settings import Settings
from llmcli.errors import CantCreate, ServerError
from llmcli.system.dataclass import dataclass
from llmcli.system.environment import Environment


def cancel(environment: Environment, options: MapOptions, settings: Settings) -> None:
    """End the batches of the FILE that the options name, and write what they cost to the ledger.

    The answers that came before stay at the server, where --resume fetches them. Raises CantCreate
    if FILE has no batch, and what asking the server raises.
    """
    name = options.results.output or ""
    file = lock_progress(name)
    for _ in file.entries():
        pass  # which mends the end of the file
    parts = open_parts(name + PROGRESS)
    if not parts:
        raise CantCreate(f"{name} has no batch that has not ended")
    chosen = connect.choose(environment, settings)
    for part in parts:
        check_endpoint(part, url.identity(chosen.base_url or ""))
    service = service_of(environment, settings, chosen, verbose=options.results.verbose)
    books = books_of(environment, settings, options.account, chosen)
    for part in parts:
        _Cancelling(environment, service, books, file, part).run()


@dataclass(frozen=True)
class _Cancelling:
    """The end of one part, whose steps go to `file`."""

    environment: Environment
    service: Service
    books: Books
    file: ResultFile
    part: Part

    def run(self) -> None:
        service, part = self.service, self.part
        if not self._is_found():
            self.books.drop(part)
            self._step(ENDED)
            self.environment.note(f"map: {part.filename} was not sent; there is no batch of it")
            return
        assert part.batch_id is not None
        batch = service.batch(part.batch_id)
        if not batch.is_over:
            service.cancel(part.batch_id)
        wait = BatchWait(self.environment, service, [part])
        wait.until_over()
        [batch] = wait.batches()
        part.cancelled = True
        try:
            replies = download.fetch_replies(service, part, batch)
        except ServerError as error:
            if error.status != 404:
                raise
            self._step(ENDED)
            self.environment.note(f"map: {error}; its answers count at the most they may cost")
            return
        self.books.bill(part, replies.reply_to, self._step)
        told = f"{replies.found} of {part.count} records have a reply; --resume fetches them"
        self.environment.note(f"map: {part.named()}: {batch.status}; {told}")

    def _is_found(self) -> bool:
        part = self.part
        part.file_id = part.file_id or self.service.find_file(part)
        if part.file_id and part.batch_id is None:
            batch = self.service.find_batch(part)
            part.batch_id = batch.id if batch else None
        return part.batch_id is not None

    def _step(self, state: str) -> None:
        self.file.append(self.part.step(state))
