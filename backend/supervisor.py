"""``python -m backend.supervisor FOLDER``: the process that supervises a workspace's jobs; thin.

Started by :func:`backend.jobs.supervisor.ensure_supervisor`, with a JSON object on standard input.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from backend.curation.sets import clear_abandoned
from backend.domain.jobs import EXIT_UNAVAILABLE
from backend.errors import StoreUnavailable
from backend.files import keep_private
from backend.jobs.supervisor import SILENCE_S, supervise
from backend.store.database import Database
from backend.store.jobs import Jobs

log = logging.getLogger("winnow.supervisor")


def main() -> None:
    """Read what to supervise, and do it until nothing is left to do."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    given = json.load(sys.stdin)
    keep_private(Path(sys.argv[1]))
    database = Database(given["db_url"])
    try:
        clear_abandoned(database)
        supervise(
            Jobs(database),
            Path(sys.argv[1]),
            stale_seconds=given["stale_seconds"],
            silence_seconds=given.get("silence_seconds", SILENCE_S),
            idle_seconds=given.get("idle_seconds", 5.0),
            outage_seconds=given.get("outage_seconds", 300.0),
        )
    except StoreUnavailable as error:
        log.error("%s; whoever asks for a job starts another supervisor", error)
        sys.exit(EXIT_UNAVAILABLE)
    finally:
        database.close()


if __name__ == "__main__":
    main()
