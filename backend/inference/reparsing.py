"""Reading the stored texts of a run again, after the parser has learned something."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from backend.domain.filtering import Policy
from backend.domain.pairs import MediaKind
from backend.domain.reading import Flaw, flaw_mask
from backend.inference.deciding import redecide
from backend.inference.parsing import parsed
from backend.store.database import Database
from backend.store.reparsing import Place, Written, note_reader, places_of, write_parsed, written_page
from backend.store.together import write_again
from backend.store.unfinished import check_mark, refuse_while, set_mark

ROWS = 1_000
LISTED = 200
"""Changed answers that a preview lists."""
CHARACTERS = 4_000_000
"""Of text held at once; a single text may be longer."""

_REPEATED = flaw_mask(frozenset({Flaw.REPEATED_REASONING}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reparsed:
    """What reading a run again has changed.

    Attributes:
        read: Texts that were read.
        changed: Those with another verdict than before.
        answers: Those of them with another answer.
        decisions: Predictions with another decision, or another flaw, after deciding anew.
    """

    read: int
    changed: int
    answers: int
    decisions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerChange:
    """A prediction whose answer would be another one."""

    place: Place
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What reading a run again would change.

    Attributes:
        answers: Answers before and after, to how many there are.
        listed: The first of them, each at its place.
    """

    read: int
    changed: int
    answers: Counter[tuple[str | None, str | None]]
    listed: tuple[AnswerChange, ...]


def preview_reparse(
    database: Database, run_id: int, *, use_cot: bool, progress: Callable[[int], None] | None = None
) -> Preview:
    """What :func:`reparse` would change, without changing it. In bounded memory."""
    read = changed = after = 0
    answers: Counter[tuple[str | None, str | None]] = Counter()
    listed: list[tuple[int, str | None, str | None]] = []
    with database.read() as connection:
        while page := written_page(connection, run_id, after, rows=ROWS, characters=CHARACTERS):
            after = page[-1].prediction_id
            for item in page:
                before = item.answer
                if not _read_again(item, use_cot):
                    continue
                changed += 1
                if item.answer != before:
                    answers[before, item.answer] += 1
                    if len(listed) < LISTED:
                        listed.append((item.prediction_id, before, item.answer))
            read += len(page)
            if progress:
                progress(read)
        places = places_of(connection, [prediction_id for prediction_id, _, _ in listed])
    return Preview(
        read=read,
        changed=changed,
        answers=answers,
        listed=tuple(
            AnswerChange(place=places[prediction_id], before=before, after=after)
            for prediction_id, before, after in listed
        ),
    )


def reparse(
    database: Database,
    run_id: int,
    policy: Policy,
    pairs: int,
    *,
    use_cot: bool,
    progress: Callable[[int], None] | None = None,
) -> Reparsed:
    """Parse every text of a run again, then decide the run anew. Rulings are kept.

    Texts are read in bounded memory, outside of any write transaction, and verdicts that are others
    now are written in short ones. What a crash leaves is marked: it is neither frozen nor decided
    anew before this is done again, from the first text on, since the parser may be another by then.

    Args:
        pairs: Pairs of the run; see :func:`backend.inference.deciding.redecide`.
        use_cot: Reasoning was asked for.
        progress: Called with the number of texts read so far.

    Raises:
        RunError: The run is being imported, or somebody else has begun to change it meanwhile, whose
            change stands.
    """
    attempt = secrets.token_hex(8)
    read = count = answers = after = 0
    with database.write(durable=True) as connection:
        refuse_while(connection, run_id, "importing")
        set_mark(connection, run_id, "reparsing", attempt)
    while True:
        with database.read() as connection:
            page = written_page(connection, run_id, after, rows=ROWS, characters=CHARACTERS)
        if not page:
            break
        after = page[-1].prediction_id
        changed = []
        for item in page:
            before = item.answer
            if _read_again(item, use_cot):
                changed.append(item)
                answers += item.answer != before

        def write(connection: Connection, changed: list[Written] = changed) -> None:
            check_mark(connection, run_id, attempt)
            write_parsed(connection, changed)
            set_mark(connection, run_id, "reparsing", attempt)

        write_again(database, write)
        read += len(page)
        count += len(changed)
        if progress:
            progress(read)
    # Its mark takes the place of ours in one transaction.
    decisions = redecide(database, run_id, policy, pairs, instead_of=attempt)
    with database.write() as connection:
        note_reader(connection, run_id)
    return Reparsed(read=read, changed=count, answers=answers, decisions=decisions)


def _read_again(item: Written, use_cot: bool) -> bool:
    """Put what the text says now into ``item``; whether that is something else."""
    found = parsed(item.text, MediaKind(item.kind), finish_reason=item.finish_reason, use_cot=use_cot)
    # Only the whole run shows which reasoning repeats: deciding marks that.
    flaws = found.flaws | (item.flaws & _REPEATED)
    now = (found.answer, found.margin, flaws, found.reasoning_hash, found.scores)
    if now == (item.answer, item.margin, item.flaws, item.reasoning_hash, item.scores):
        return False
    item.answer, item.margin, item.flaws, item.reasoning_hash, item.scores = now
    return True
