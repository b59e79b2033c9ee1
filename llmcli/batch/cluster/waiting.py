"""The records of a run that wait to be sent to a worker."""

from collections import deque
from collections.abc import Iterable

from llmcli.batch.cluster.purse import Ticket


class Waiting:
    """Tickets in their order; those that are paid for come first. Guarded by its owner's lock.

    `stuck` is True while those that are not paid for must wait for others to end.
    """

    def __init__(self) -> None:
        self._paid: deque[Ticket] = deque()
        self._unpaid: deque[Ticket] = deque()
        self.stuck = False

    def __len__(self) -> int:
        """Return how many tickets wait."""
        return len(self._paid) + len(self._unpaid)

    @property
    def ready(self) -> bool:
        """Return whether there is a ticket that may be sent, as far as is known."""
        return bool(self._paid or (self._unpaid and not self.stuck))

    def add(self, ticket: Ticket) -> None:
        """Let a ticket wait behind all others."""
        self._unpaid.append(ticket)

    def put_back(self, tickets: Iterable[Ticket]) -> None:
        """Let tickets wait before all others."""
        for ticket in reversed(list(tickets)):
            (self._paid if ticket.paid else self._unpaid).appendleft(ticket)

    def take(self, count: int) -> deque[Ticket]:
        """Return the next `count` tickets, which then wait no more."""
        taken: deque[Ticket] = deque()
        while len(taken) < count:
            taken.append((self._paid or self._unpaid).popleft())
        return taken

    def take_all(self) -> deque[Ticket]:
        """Return all tickets, which then wait no more."""
        return self.take(len(self))
