"""The limit of what one run may spend (--max-cost), shared by all its threads."""

import threading
from decimal import Decimal

from llmcli.api.reply.cost import dollars
from llmcli.errors import BudgetExceeded


class Allowance:
    """What one run may spend.

    `usd` is the most for the whole run; None is no limit. `spent` is the USD of all requests that
    have ended. A request that is in flight is counted at the most that it may cost.
    """

    def __init__(self, usd: Decimal | None) -> None:
        self.usd = usd
        self.spent = Decimal(0)
        self._reserved = Decimal(0)
        self._closed = False
        self._changed = threading.Condition()

    def is_tight(self, usd: Decimal) -> bool:
        """Return whether `reserve(usd)` would wait for requests in flight, or refuse."""
        with self._changed:
            return self.usd is not None and self.spent + self._reserved + usd > self.usd

    def reserve(self, usd: Decimal) -> None:
        """Set aside `usd`, the most that a request may cost, before it is sent.

        If the limit leaves too little only because of what other requests in flight have set
        aside, this waits until they end, since most of them will cost less. Raises BudgetExceeded
        if what is spent leaves too little, or if the allowance is closed.
        """
        if self.usd is None:
            return
        with self._changed:
            while (
                not self._closed and self._reserved and self.spent + self._reserved + usd > self.usd
            ):
                self._changed.wait()
            if self._closed or self.spent + usd > self.usd:
                raise self._exceeded(usd)
            self._reserved += usd

    def settle(self, reserved: Decimal, spent: Decimal) -> None:
        """Record that a request has ended which had set aside `reserved` and has cost `spent`."""
        with self._changed:
            self.spent += spent
            if self.usd is not None:
                self._reserved -= reserved
                self._changed.notify_all()

    def close(self) -> None:
        """Let no further request begin: `reserve` raises BudgetExceeded, also where it waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _exceeded(self, usd: Decimal) -> BudgetExceeded:
        assert self.usd is not None
        already = f", and {dollars(self.spent)} is spent" if self.spent else ""
        return BudgetExceeded(
            f"--max-cost {dollars(self.usd)}: this request may cost {dollars(usd)}"
            f"{already}; it was not sent",
            hint="give a smaller --max-tokens or a larger --max-cost",
        )
