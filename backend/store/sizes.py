"""How long a judge's texts are, to estimate the disk that a run will take."""

from __future__ import annotations

from sqlalchemy import func, select

from backend.store.database import Database
from backend.store.schema import runs, verdicts

_LOOKED_AT = 500


def text_size(database: Database, dataset_id: int) -> int | None:
    """Mean characters of the first texts of the newest run over a dataset; ``None`` without one."""
    newest = (
        select(func.max(runs.c.id))
        .where(
            runs.c.dataset_id == dataset_id,
            select(verdicts.c.prediction_id).where(verdicts.c.run_id == runs.c.id).exists(),
        )
        .scalar_subquery()
    )
    some = (select(verdicts.c.text_length).where(verdicts.c.run_id == newest).limit(_LOOKED_AT)).subquery()
    with database.read() as connection:
        mean = connection.execute(select(func.avg(some.c.text_length))).scalar_one()
    return None if mean is None else int(mean)
