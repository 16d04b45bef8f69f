"""Who waits to write gets a turn, however often another writer asks."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import text

from backend.store.database import Database

GREEDY = """
import sys, time
from pathlib import Path
from sqlalchemy import text
from backend.store.database import Database
database = Database(Path(sys.argv[1]))
while True:
    with database.write() as connection:
        connection.execute(text("UPDATE counts SET greedy = greedy + 1"))
        time.sleep(0.01)
"""


def test_a_writer_that_writes_again_at_once_does_not_starve_the_others(tmp_path: Path) -> None:
    file = tmp_path / "w.db"
    database = Database(file)
    with database.write() as connection:
        connection.execute(text("CREATE TABLE counts (greedy INTEGER)"))
        connection.execute(text("INSERT INTO counts VALUES (0)"))
    count = text("SELECT greedy FROM counts")
    greedy = subprocess.Popen([sys.executable, "-c", GREEDY, str(file)])
    try:
        for _ in range(3000):
            with database.read() as connection:
                if connection.execute(count).scalar_one() > 3:
                    break
            greedy.poll()
            assert greedy.returncode is None
            time.sleep(0.01)
        passed_over = []
        for _ in range(40):
            with database.read() as connection:
                before = connection.execute(count).scalar_one()
            with database.write() as connection:
                passed_over.append(connection.execute(count).scalar_one() - before)
    finally:
        greedy.kill()
        greedy.wait()
        database.close()
    # The one that was writing, and one that stood before us; not whoever asked more often.
    assert sum(passed_over) <= 3 * len(passed_over), passed_over
