"""Texts with a flaw."""

from __future__ import annotations

from backend.curation.kinds.base import KindOptions, QueueKind
from backend.domain.browse import ANY_FLAW, BrowseFilter
from backend.domain.reading import Flaw
from backend.options import option


class _Options(KindOptions):
    flaws: tuple[Flaw, ...] = option(
        (),
        "Any of these; any flaw at all where none is named",
        when="to look at one kind of flaw",
        group="Text",
        label="Flaws",
        flag="--flaw",
    )


FLAWED = QueueKind(
    name="flawed",
    label="Flawed reasoning",
    purpose="Texts with a flaw that parsing found.",
    nothing="no text in these runs has these flaws",
    pick=lambda picks, runs, options: picks.matching(runs, BrowseFilter(flaw=options.flaws or (ANY_FLAW,))),
    options=_Options,
)
