"""What a drill did and found, and the table of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_SHOWN = 40


@dataclass
class Outcome:
    """One drill's count.

    Attributes:
        minutes: How long it was to last.
        took: Minutes that it took, with what it prepares, and waits for at its end.
        actions: What was asked of Winnow, by kind.
        kills: What was killed, by kind.
        checked: What was held against the truth afterwards, by kind.
        problems: One line for each promise that was broken; none is a pass.
        notes: Figures that are worth a line and no assertion, such as times.
    """

    drill: str
    seed: int
    minutes: float
    took: float = 0.0
    actions: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def wrong(self, problem: str) -> None:
        """Note a broken promise, once."""
        line = ascii(" ".join(problem.split())[:400])[1:-1]
        if line not in self.problems:
            self.problems.append(line)


def show(outcomes: Sequence[Outcome], console: Console | None = None) -> None:
    """Print the table, then every problem with the command that repeats its drill."""
    console = console or Console(width=150, highlight=False)
    table = Table(box=box.MARKDOWN)
    for name in ("drill", "seed", "minutes", "took", "actions", "kills", "checked", "problems"):
        table.add_column(name, justify="left" if name == "drill" else "right")
    for one in outcomes:
        counts = (one.actions.total(), one.kills.total(), one.checked.total(), len(one.problems))
        table.add_row(
            one.drill, str(one.seed), f"{one.minutes:.2g}", f"{one.took:.1f}", *(f"{count:,}" for count in counts)
        )
    console.print(table)
    for one in outcomes:
        for name, counter in (("actions", one.actions), ("kills", one.kills), ("checked", one.checked)):
            if counter:
                words = ", ".join(f"{count:,} {what}" for what, count in sorted(counter.items()))
                console.print(Text(f"{one.drill}: {name}: {words}"))
        for line in one.notes:
            console.print(Text(f"{one.drill}: {line}"))
    for one in outcomes:
        if one.problems:
            again = f"--seed {one.seed} --minutes {one.minutes:.2g}"
            console.print(Text(f"\n{one.drill} failed; again: python -m tests.drills {one.drill} {again}"))
        for line in one.problems[:_SHOWN]:
            console.print(Text(f"  {line}"))
        if len(one.problems) > _SHOWN:
            console.print(Text(f"  and {len(one.problems) - _SHOWN} more"))
