"""Kill: persons work on a workspace while one process after another is killed; then the books are checked.

The persons do what people do: who was cut off looks, resumes, or gives the same command again. The
seed chooses what they do and when who is killed; what the machine makes of it is never the same twice.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from backend.export.formats import FORMATS
from tests.drills import books
from tests.drills.outcome import Outcome
from tests.drills.stage import KILLED, PAIRS_OF_A_RUN, Stage

_WHOLE_S = 20.0
"""A shorter drill has fewer persons, so that each of them gets something done."""
_PATIENCE_S = 90.0
"""How long a person tries again once nobody is killed any more."""
_LIFE = {"command": 1.5, "serve": 10, "server": 10, "supervisor": 4, "worker": 2, "trainer": 2, "program": 2}
"""Mean lifetime that is dealt, in times of what a command takes here now."""
_IMPORT_LEASE_S = 45.0
"""A killed import of predictions is gone on with only after half a minute: none is begun so late."""
_WAIT = ("is being", "already", "still", "in use", "unavailable", "cannot be reached", "is running")
"""What a refusal says that asks for patience."""


def on_sqlite(outcome: Outcome, seconds: float, folder: Path) -> None:
    """The drill on SQLite."""
    _drill(outcome, seconds, Stage(folder, _pairs(seconds)), None)


def on_postgres(outcome: Outcome, seconds: float, folder: Path) -> None:
    """The drill on a PostgreSQL server that is killed, too."""
    from tests.postgres import Server, why_not  # here: its programs are not on every machine

    if reason := why_not():
        outcome.notes.append(f"skipped: {reason}")
        return
    place = Path(tempfile.mkdtemp(prefix="winnow-postgres-"))  # the server is another user's process
    server = Server(place)
    try:
        _drill(outcome, seconds, Stage(folder, _pairs(seconds), server.new()), server.away)
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(place, ignore_errors=True)


def _pairs(seconds: float) -> int:
    return int(min(1_500, 100 + 5 * seconds))


def _drill(outcome: Outcome, seconds: float, stage: Stage, away: Callable[[float], object] | None) -> None:
    rng = random.Random(outcome.seed)
    act = _Act(stage, outcome, time.monotonic() + seconds)
    persons: list[Person] = [Host(act, rng), Reviewer(act, rng, "Ada"), Judge(act, rng), Curator(act, rng, "left")]
    if seconds >= _WHOLE_S:
        persons += [Reviewer(act, rng, "Bob"), Curator(act, rng, "right"), Importer(act, rng), Trainer(act, rng)]
    stage.measure()
    try:
        for person in persons:
            person.start()
        _kill(act, rng, away)
        act.closing.set()
        for person in persons[1:]:
            person.join(3 * _PATIENCE_S)
            if person.is_alive():
                outcome.wrong(f"{person.name} did not come to an end")
        act.closed.set()
        persons[0].join(30)
        books.check(stage, outcome, act.ledger, supervisors=seconds >= _WHOLE_S)
    finally:
        act.closing.set()
        act.closed.set()
        stage.close()


@dataclass
class _Act:
    """What the persons share."""

    stage: Stage
    outcome: Outcome
    until: float
    began: float = field(default_factory=time.monotonic)
    ledger: books.Ledger = field(default_factory=books.Ledger)
    closing: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def since(self) -> float:
        return time.monotonic() - self.began

    @property
    def left(self) -> float:
        return self.until - time.monotonic()


def _kill(act: _Act, rng: random.Random, away: Callable[[float], object] | None) -> None:
    """Until the time is over: each process is dealt a lifetime when it is first seen, most of them longer
    than what it has to do."""
    stage = act.stage
    death: dict[tuple[int, float], float] = {}
    database_dies = rng.expovariate(1 / 15)
    while act.left > 0:
        time.sleep(0.05)
        if away is not None and act.since > database_dies:
            away(rng.choice((0.0, 1.0, 4.0)))
            act.outcome.kills["database"] += 1
            database_dies = act.since + rng.expovariate(1 / 15)
        for kind, processes in sorted(stage.processes().items()):
            for process in processes:
                name = (process.pid, process.create_time())
                if name not in death:
                    death[name] = name[1] + stage.command_s * rng.expovariate(1 / _LIFE[kind])
                if time.time() > death[name]:
                    with suppress(psutil.Error):
                        process.kill()
                        act.outcome.kills[kind] += 1


class Stuck(Exception):
    """Somebody could not get on; the line says why."""


class Person(threading.Thread):
    """Somebody who does one thing after another, and everything to its end."""

    def __init__(self, act: _Act, rng: random.Random, name: str = "") -> None:
        super().__init__(name=f"{type(self).__name__} {name}".strip(), daemon=True)
        self.act, self.stage, self.outcome = act, act.stage, act.outcome
        self.rng = random.Random(rng.random())

    def turn(self) -> None:
        """One thing, whole."""
        raise NotImplementedError

    def run(self) -> None:
        while not self.act.closing.is_set():
            try:
                self.turn()
            except Stuck as error:
                self.outcome.wrong(f"{self.name}: {error}")
                time.sleep(1)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is one of the findings
                self.outcome.wrong(f"{self.name}: {type(error).__name__}: {error}")
                time.sleep(1)

    @contextmanager
    def patience(self, what: str) -> Iterator[Callable[[], None]]:
        """What is yielded waits a moment, and gives up long after the killing has ended."""
        deadline: list[float] = []

        def wait() -> None:
            if self.act.closing.is_set() and not deadline:
                deadline.append(time.monotonic() + _PATIENCE_S)
            if deadline and time.monotonic() > deadline[0]:
                raise Stuck(f"in vain: {what}")
            time.sleep(0.3)

        yield wait

    def insist(self, *words: object, between: Callable[[], None] | None = None) -> str:
        """Give a command until it is done; ``between`` looks at what a killed one has left."""
        self.outcome.actions[" ".join(map(str, words[:2])) if words[0] != "export" else "export"] += 1
        with self.patience(f"winnow {' '.join(map(str, words))}") as wait:
            while True:
                done = self.stage.winnow(*words)
                if done.code == 0:
                    return done.out
                if "Traceback" in done.err:
                    self.outcome.wrong(f"winnow {words[0]} {words[1]}: {done.err[-300:]}")
                if done.code == KILLED:
                    if between is not None:
                        between()
                elif done.code != 1 or not any(word in done.err for word in _WAIT):
                    raise Stuck(f"winnow {words[0]} {words[1]}: exit {done.code}: {done.err}")
                wait()


class Host(Person):
    """Keeps the dashboard up: whenever it is gone, starts it again on its port."""

    def run(self) -> None:
        process: subprocess.Popen[bytes] | None = None
        while not self.act.closed.is_set():
            if process is None or process.poll() is not None:
                process = self.stage.serve()
                self.outcome.actions["serve"] += 1
            time.sleep(0.2)
        if process is not None:
            process.terminate()
            try:
                process.wait(25)
            except subprocess.TimeoutExpired:
                self.outcome.wrong("winnow serve did not end when it was asked to")


class Reviewer(Person):
    """Rules as the pair viewer does: sends again, under the same token, until it is acknowledged."""

    def __init__(self, act: _Act, rng: random.Random, name: str) -> None:
        super().__init__(act, rng, name)
        self.who = name
        self.number = 0
        self.mine: list[dict[str, Any]] = []
        self.waiting: list[dict[str, Any]] = []
        self.client = self.stage.browser(name)

    def turn(self) -> None:
        if not self.waiting:
            self.waiting = self._items()
        if self.mine and (not self.waiting or self.rng.random() < 0.25):
            item = self.rng.choice(self.mine[-30:])
        elif self.waiting:
            item = self.waiting.pop(0)
            self.mine.append(item)
        else:
            time.sleep(0.5)
            return
        self._rule(item)
        time.sleep(self.rng.uniform(0, 0.2))

    def _items(self) -> list[dict[str, Any]]:
        start = self.mine[-1]["position"] if self.mine else 0
        queue = self.stage.queue.id
        found = self._answered("GET", f"/winnow/review/{queue}/items?from={start}&count=20", None)
        return [item for item in found["items"] if item["mine"] is None]

    def _rule(self, item: dict[str, Any]) -> None:
        rulings = []
        for _ in range(self.rng.choice((1, 1, 1, 3))):
            rulings.append(self._ruling(item))
        answer = self._answered("POST", "/winnow/review/rulings", {"rulings": rulings})
        said = {one["token"] for one in answer["refused"]} | set(answer["stored"])
        if said != {one["token"] for one in rulings}:
            self.outcome.wrong(f"{self.name}: {len(rulings)} rulings sent, {len(said)} answered")
        self.outcome.actions["rulings"] += len(rulings)
        for one in rulings:
            if one["token"] in answer["stored"]:
                self.act.ledger.acknowledged[one["token"]] = {**one, "reviewer": self.who}
                item["last"] = one["token"]

    def _ruling(self, item: dict[str, Any]) -> dict[str, Any]:
        self.number += 1
        kinds = ["accept", "reject", "relabel", "flag"]
        kind = self.rng.choice(kinds + ["undo"] * ("last" in item) + ["note"] * ("last" in item))
        return {
            "token": f"{self.who}-{self.number}",
            "queue": self.stage.queue.id,
            "position": item["position"],
            "prediction_id": item["prediction"],
            "ruling": kind,
            "relabel": self.rng.choice(("first", "second", "tie")) if kind == "relabel" else None,
            "undoes": item["last"] if kind == "undo" else None,
            "note": self.rng.choice(("", f"said by {self.who} ({self.number})", "\u56fe1\u66f4\u597d")),
            "tags": self.rng.choice(([], ["light"])),
        }

    def _answered(self, method: str, path: str, body: Any) -> dict[str, Any]:
        """Send it until there is an answer."""
        with self.patience(f"{method} {path}") as wait:
            while True:
                try:
                    answer = self.client.request(method, path, json=body)
                except httpx.HTTPError:
                    wait()
                    continue
                if answer.status_code == 200:
                    return dict(answer.json())
                if answer.status_code != 503:
                    self.outcome.wrong(f"{method} {path.partition('?')[0]}: {answer.status_code}: {answer.text}")
                wait()


class Judge(Person):
    """Starts runs, and resumes those that were cut off."""

    def turn(self) -> None:
        samples = self.rng.choice((1, 2, 4))
        out = self.insist(
            "run",
            "start",
            "--dataset",
            "pairs",
            "--model",
            "m",
            "--engine",
            "scripted",
            "--scripted-file",
            self.stage.script,
            "--order",
            "both",
            "--samples",
            samples,
            "--batch-size",
            self.rng.choice((1, 4, 16)),
            "--scripted-latency",
            0.05,
            "--limit",
            self.rng.randrange(4, PAIRS_OF_A_RUN),
            "--json",
        )
        self._finish(int(json.loads(out)["id"]))
        # Also what a killed `run start` had queued before it could say so.
        for run in self.stage.asked(self.stage.space.runs.list):
            if run.job_id is not None and run.status != "finished":
                self._finish(run.id)

    def _finish(self, run: int) -> None:
        ledger = self.act.ledger
        with self.patience(f"run {run}") as wait:
            while True:
                row = self.stage.asked(lambda: self.stage.space.runs.get(run))
                ledger.see_predictions(run, self.stage.asked(lambda: books.ids_of(self.stage, run)))
                if row.status == "finished":
                    return
                if row.status == "failed":
                    self.outcome.wrong(f"a run failed: {row.error}")
                if row.status in ("failed", "interrupted", "cancelled"):
                    try:
                        self.insist("run", "resume", run)
                    except Stuck as error:
                        # A killed `resume` may have done its work before it was killed.
                        if "finished" not in str(error) and "running" not in str(error):
                            raise
                elif self.rng.random() < 0.1:
                    # Whoever looks at a run brings the supervisor back where it was killed.
                    self.insist("run", "show", run, "--json")
                wait()


class Curator(Person):
    """Freezes sets and exports them, always into the same few folders."""

    def __init__(self, act: _Act, rng: random.Random, name: str) -> None:
        super().__init__(act, rng, name)
        self.out = self.stage.folder / f"out-{name}"

    def turn(self) -> None:
        name = self.rng.choice(("alpha", "beta"))
        self.insist("set", "create", name, "--run", 1, "--json")
        for _ in range(2 if not self.act.closing.is_set() else 1):
            format = self.rng.choice(sorted(FORMATS))
            folder = self.out / f"{format}-{self.rng.randrange(2)}"
            words: list[object] = ["export", name, "--format", format, "--out", folder]
            if self.rng.random() < 0.3:
                words.append("--bundle")
            if self.rng.random() < 0.3:
                words += ["--split", 0.1]
            self.insist(*words, between=lambda folder=folder: self._look(folder, finished=False))
            self.act.ledger.exports.add(folder)
            self._look(folder, finished=True)

    def _look(self, folder: Path, *, finished: bool) -> None:
        """A manifest means that the export is complete, whenever one looks."""
        for problem in books.export_problems(self.stage, folder, finished=finished):
            self.outcome.wrong(problem)
        self.outcome.checked["exports, when a command had ended"] += 1


class Importer(Person):
    """Adds datasets, rulings and predictions that were made elsewhere."""

    def __init__(self, act: _Act, rng: random.Random) -> None:
        super().__init__(act, rng)
        self.number = 0

    def turn(self) -> None:
        self.number += 1
        what = self.rng.choice((self._dataset, self._rulings, self._rulings, self._predictions))
        what()

    def _dataset(self) -> None:
        name, rows = f"data-{self.number}", self.rng.randrange(200, 1_500)
        file = self.stage.folder / f"{name}.jsonl"
        file.write_text(
            "".join(
                json.dumps(
                    {"prompt": f"{name} {n}", "first": f"{n}a.png", "second": f"{n}b.png", "preference": "first"}
                )
                + "\n"
                for n in range(rows)
            )
        )
        self.insist("dataset", "add", f"pairs:{file}", "--name", name, "--no-check-media")
        self.act.ledger.datasets[name] = rows

    def _rulings(self) -> None:
        file = self.stage.folder / f"rulings-{self.number}.jsonl"
        rows = [
            {
                "index": self.rng.randrange(self.stage.pairs),
                "sample": self.rng.randrange(2),
                "ruling": self.rng.choice(("reject", "flag")),
                "reviewer": "Eve",
                "token": f"import-{self.number}-{n}",
                "note": f"row {n}",
            }
            for n in range(self.rng.randrange(50, 1_200))
        ]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.insist("review", "import", 2, file)
        for row in rows:
            self.act.ledger.imported[str(row["token"])] = row

    def _predictions(self) -> None:
        if self.act.left < _IMPORT_LEASE_S:
            return self._rulings()
        model = f"import-{self.number}"
        self.insist("run", "import", "--dataset", "many", "--predictions", self.stage.texts, "--model", model)
        self.act.ledger.runs[model] = 2 * self.stage.pairs
        return None


class Trainer(Person):
    """Trains by a program of its own, and resumes what was cut off."""

    def __init__(self, act: _Act, rng: random.Random) -> None:
        super().__init__(act, rng)
        self.number = 0

    def turn(self) -> None:
        self.number += 1
        out = self.stage.folder / f"trained-{self.number}"
        try:
            self.insist(
                "train",
                "start",
                "--set",
                "base",
                "--model",
                self.stage.model,
                "--output-dir",
                out,
                "--trainer",
                "command",
                "--data-format",
                "sharegpt",
                "--device",
                "cpu",
                "--train-batch-size",
                1,
                "--command",
                f"{sys.executable} -S {self.stage.program} {{output}} {{data}}",
            )
        except Stuck as stuck:
            # The one that was killed had queued it: a second one is refused, and it goes on.
            if "holds another training" not in str(stuck):
                raise
            self.outcome.checked["trainings queued by a killed command"] += 1
        space = self.stage.space
        rows = self.stage.asked(space.trainings.list)
        with self.patience(f"training into {out.name}") as wait:
            while True:
                rows = self.stage.asked(space.trainings.list)
                row = next(row for row in rows if row.output_dir == str(out))
                if row.status == "finished":
                    break
                if row.status in ("failed", "interrupted", "cancelled"):
                    self.outcome.checked["trainings resumed"] += 1
                    self.insist("train", "resume", row.id)
                elif self.rng.random() < 0.1:
                    self.insist("train", "show", row.id, "--json")
                wait()
        self.act.ledger.trainings.append(out)
