"""What one run may spend, shared by its requests, also by those side by side."""

import threading
from decimal import Decimal

from llmcli.api.usage import dollars
from llmcli.errors import BudgetExceeded


class Allowance:
    """`usd`: the most for the whole run; None is no limit."""

    def __init__(self, usd: Decimal | None) -> None:
        self.usd = usd
        self.spent = Decimal(0)
        self._reserved = Decimal(0)
        self._closed = False
        self._changed = threading.Condition()

    def reserve(self, usd: Decimal) -> None:
        """Set aside what a request may cost. What others in flight have set aside and may not
        need is waited for. Raises BudgetExceeded."""
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
        """A request that had `reserved` so much did cost `spent`."""
        with self._changed:
            self.spent += spent
            if self.usd is not None:
                self._reserved -= reserved
                self._changed.notify_all()

    def close(self) -> None:
        """Nothing more is to be spent: who waits gets BudgetExceeded."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _exceeded(self, usd: Decimal) -> BudgetExceeded:
        assert self.usd is not None
        already = f", and {dollars(self.spent)} is spent" if self.spent else ""
        return BudgetExceeded(
            f"--max-cost {dollars(self.usd)}: this request may cost {dollars(usd)}"
            f"{already}; it was not sent",
            hint="bound it by --max-tokens, or allow more",
        )
