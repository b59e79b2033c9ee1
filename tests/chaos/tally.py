"""What was tried, what held, and what did not."""

import sys
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """The counts of a run, by subject and kind. `problems` tells what did not hold."""

    tried: Counter[tuple[str, str]] = field(default_factory=Counter)
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    skipped: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, subject: str, kind: str, case: str, problem: str | None) -> None:
        """Count a case; `problem` is what did not hold, or None, and is printed."""
        self.tried[subject, kind] += 1
        if problem is None:
            self.held[subject, kind] += 1
        else:
            self.problems.append(f"{subject}: {case}: {problem}")
            print(f"  {self.problems[-1][:1500]}", file=sys.stderr, flush=True)

    def table(self) -> str:
        """Return a table of Markdown, with a row for each kind and the sums."""
        rows = ["| what | where | tried | held |", "|---|---|--:|--:|"]
        for (subject, kind), tried in self.tried.items():
            rows.append(f"| {subject} | {kind} | {tried} | {self.held[subject, kind]} |")
        rows += [f"| {subject} | skipped: {why} | 0 | 0 |" for subject, why in self.skipped.items()]
        rows.append(f"| all | | {sum(self.tried.values())} | {sum(self.held.values())} |")
        return "\n".join(rows)
