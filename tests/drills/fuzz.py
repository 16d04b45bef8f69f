"""Fuzz: hostile files, texts, requests, answers and arguments; each is refused in one line, or right.

Each case has a generator of its own, seeded by the drill's seed, its area and its number, which a
problem names: the drill that is repeated meets it again, however far the other areas come.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import math
import os
import random
import re
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import typer
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

import dashboard.routes
from backend.cli.main import app as command_line
from backend.cli.main import main as winnow
from backend.curation.queues import NewQueue, Queues
from backend.curation.ruling_rows import RulingRows
from backend.datasets.registry import SOURCES
from backend.domain.filtering import Policy
from backend.domain.pairs import MediaKind
from backend.domain.reading import parse_verdict
from backend.engines.base import Completion, EngineOptions, Failure
from backend.engines.openai import OpenAIEngine
from backend.errors import WinnowError
from backend.inference.imports import import_predictions
from backend.inference.spec import RunSpec, instructions
from backend.ingest.importer import import_dataset
from backend.store.schema import pairs, predictions, reviews
from backend.workspace import Workspace
from dashboard import space as spaces
from dashboard.session import COOKIE
from tests.dashboard.review_calls import SESSION, bearer
from tests.drills import hostile
from tests.drills.media_fuzz import fuzz_media
from tests.drills.outcome import Outcome
from tests.unit.engines.engine_requests import request
from tests.unit.reading.test_laws import EXCHANGED, SENTENCES, SIDES
from tests.workspaces import build_workspace

Case = Callable[[random.Random], str | None]
"""One case: what is wrong, or nothing."""

_LONGEST_LINE = 1_200
_ALIKE = re.compile(r"/\S*/|[\d\W_]+")
"""What differs between problems of one kind."""


def drill(outcome: Outcome, seconds: float, folder: Path) -> None:
    """Rounds over all areas until the time is over, media for a share of it."""
    deadline = time.monotonic() + seconds
    seen: set[str] = set()
    with _surroundings(folder) as space:
        areas: dict[str, Case] = {
            "datasets": datasets(space, folder),
            "predictions": texts(space, folder),
            "rulings": rulings(space),
            "judge texts": readings(),
            "requests": requests(space),
            "answers": answers(),
            "arguments": arguments(space, folder),
        }
        _media(outcome, seconds / (len(areas) + 1), folder / "media-fuzz")
        for number in itertools.count():
            for name, case in areas.items():
                if time.monotonic() > deadline and number:
                    return
                try:
                    problem = case(random.Random(f"{outcome.seed}/{name}/{number}"))
                except Exception as error:  # noqa: BLE001 - that is what is looked for
                    where = traceback.extract_tb(error.__traceback__)[-1]
                    problem = f"{type(error).__name__} in {where.name}: {error}"
                outcome.actions[name] += 1
                outcome.checked[name] += 1
                if problem and (kind := _ALIKE.sub("", problem)[:60]) not in seen:
                    seen.add(kind)
                    outcome.wrong(f"{name} {number}: {problem}")


@contextlib.contextmanager
def _surroundings(folder: Path) -> Iterator[Workspace]:
    """A small workspace that the dashboard's routes open too; nothing that is queued is started."""
    before = {name: os.environ.get(name) for name in ("WINNOW_WORKSPACE", "WINNOW_DATABASE_URL")}
    supervise = Workspace.supervise
    os.environ["WINNOW_WORKSPACE"] = str(folder / "ws")
    os.environ.pop("WINNOW_DATABASE_URL", None)
    Workspace.supervise = lambda self: None  # type: ignore[method-assign]
    spaces.forget()
    space = build_workspace(folder / "ws", images=8, videos=1)
    try:
        yield space
    finally:
        space.close()
        spaces.forget()
        Workspace.supervise = supervise  # type: ignore[method-assign]
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _media(outcome: Outcome, seconds: float, folder: Path) -> None:
    for problem in fuzz_media(outcome.seed, seconds, folder):
        outcome.wrong(f"media: {problem}")
    outcome.actions["media, seconds"] += math.ceil(seconds)


def _line(error: WinnowError) -> str | None:
    """What is wrong with a refusal as one line."""
    for said in (error.message, str(error.hint or "")):
        if "\n" in said or len(said) > _LONGEST_LINE:
            return f"a refusal of {len(said)} characters: {said[:200]!r}"
    return None


_HUMAN = "You are given a text caption and two images. Caption: a dog\nWhich is better?"
_ROWS: dict[str, dict[str, Any]] = {
    "hpdv3": {"prompt": "p", "path1": "a.png", "path2": "b.png", "model1": "m", "confidence": 0.5},
    "pairs": {"prompt": "p", "first": "a.png", "second": "b.png", "preference": "first"},
    "imagegen-cot-reward-5k": {
        "conversations": [
            {"from": "human", "value": _HUMAN},
            {"from": "gpt", "value": "<answer>Image 1 is better</answer>"},
        ],
        "images": ["a.png", "b.png"],
    },
    **{
        name: {
            "prompt": "p",
            "file_name1": "a.mp4",
            "file_name2": "b.mp4",
            **{
                f"weighted_results{side}_{what}": 0.5 * side
                for side in (1, 2)
                for what in ("Alignment", "Coherence", "Preference")
            },
        }
        for name in ("rapidata-t2v", "rapidata-i2v")
    },
}


def datasets(space: Workspace, folder: Path) -> Case:
    """A file of any source is imported with what is wrong in it reported, or refused in one line."""
    place = folder / "files"
    place.mkdir()
    numbers = itertools.count()

    def case(rng: random.Random) -> str | None:
        source, number = rng.choice(sorted(SOURCES)), next(numbers)
        rows = [{**_ROWS[source], "prompt": f"p {number} {n}"} for n in range(rng.randrange(1, 6))]
        if source == "imagegen-cot-reward-5k":
            rows = [_ROWS[source] for _ in rows]
        bad = [hostile.other(rng, row) if rng.random() < 0.5 else row for row in rows]
        suffix = ".parquet" if source.startswith("rapidata") else rng.choice((".json", ".jsonl"))
        if source == "pairs":
            suffix = rng.choice((".json", ".jsonl", ".csv", ".tsv", ".parquet"))
        file = place / f"{number}{suffix}"
        data = _file(rng, file, bad)
        if rng.random() < 0.5:
            data = hostile.mutated(rng, data)
        file.write_bytes(data)
        try:
            found = import_dataset(
                space.database,
                name=f"fuzz {number}",
                spec=f"{source}:{file}",
                data_root=None,
                check_media=rng.random() < 0.5,
            )
        except WinnowError as error:
            return _line(error)
        finally:
            file.unlink()
        with space.database.read() as connection:
            query = select(func.count()).where(pairs.c.dataset_id == found.id)
            stored = connection.execute(query).scalar()
        if found.status != "ready" or found.counts.get("pairs") != stored or not stored:
            return f"{source}{suffix}: {found.status}, {found.counts}, {stored} stored"
        return None

    return case


def _file(rng: random.Random, file: Path, rows: list[dict[str, Any]]) -> bytes:
    if file.suffix == ".json":
        return hostile.dumped(rng, rows)
    if file.suffix == ".jsonl":
        return b"\n".join(hostile.dumped(rng, row) for row in rows)
    if file.suffix == ".parquet":
        names = sorted({name for row in rows for name in row if isinstance(name, str)})
        columns = {}
        for name in names:
            values = [row.get(name) for row in rows]
            with contextlib.suppress(UnicodeError):
                name.encode()
                try:
                    columns[name] = pa.array(values)
                    pq.write_table(pa.table({name: columns[name]}), io.BytesIO())
                except (pa.ArrowException, OverflowError, UnicodeError):
                    columns[name] = pa.array([ascii(one) for one in values])
        table = io.BytesIO()
        pq.write_table(pa.table(columns), table)
        return table.getvalue()
    between = "," if file.suffix == ".csv" else "\t"
    names = list(rows[0])
    lines = [between.join(map(str, names))]
    lines += [between.join(str(row.get(name, "")) for name in names) for row in rows]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def texts(space: Workspace, folder: Path) -> Case:
    """A file of predictions is stored whole, or refused in one line before anything is stored."""
    dataset = space.datasets.get("pictures").id
    file = folder / "predictions.jsonl"
    numbers = itertools.count()

    def case(rng: random.Random) -> str | None:
        rows = [
            {"index": n, "order": "dataset", "sample": 0, "text": f"<answer>Image 1</answer> {n}"}
            for n in range(rng.randrange(1, 8))
        ]
        file.write_bytes(_lines(rng, rows))
        spec = RunSpec(model=f"fuzz {next(numbers)}", engine="import", instruction=instructions(None, use_cot=True))
        before = _count(space, predictions)
        try:
            run = import_predictions(space.database, dataset, spec, Policy(), file)
        except WinnowError as error:
            added = _count(space, predictions) - before
            return _line(error) or (f"refused, and {added} stored" if added else None)
        total, added = space.runs.get(run).total, _count(space, predictions) - before
        return None if total == added else f"{total} wanted, {added} stored"

    return case


def rulings(space: Workspace) -> Case:
    """Lines of rulings are stored, or refused in one line and none of them is."""

    def case(rng: random.Random) -> str | None:
        rows = [
            {
                "index": rng.randrange(8),
                "order": "dataset",
                "sample": 0,
                "reviewer": "r",
                "ruling": rng.choice(("accept", "reject", "flag", "note", "undo")),
                "note": "n",
                "token": f"{rng.random()}",
                "tags": ["t"],
            }
            for _ in range(rng.randrange(1, 6))
        ]
        data = _lines(rng, rows)
        before = _count(space, reviews)
        try:
            new = RulingRows(space.database).import_rows(1, iter(data.decode("utf-8", "surrogatepass").split("\n")))
        except UnicodeError:
            return None  # the command's reading of files refuses it, which is not asked here
        except WinnowError as error:
            added = _count(space, reviews) - before
            return _line(error) or (f"refused, and {added} stored" if added else None)
        added = _count(space, reviews) - before
        return None if added == new else f"{new} said, {added} stored"

    return case


def _lines(rng: random.Random, rows: list[dict[str, Any]]) -> bytes:
    bad = [hostile.other(rng, row) if rng.random() < 0.3 else row for row in rows]
    data = b"".join(hostile.dumped(rng, row) + b"\n" for row in bad)
    return hostile.mutated(rng, data) if rng.random() < 0.3 else data


def _count(space: Workspace, table: Any) -> int:
    with space.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar() or 0)


_PIECES = (
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "Image 1",
    "Image 2",
    "Video 2",
    "better",
    "9/10",
    "**",
    "\n",
    " ",
    '{"winner": "A"}',
    "[[A>B]]",
    "\\boxed{2}",
    "Overall",
    "Total score:",
    "Image 1: 9+8+7=24",
    "not",
    "than",
    "|",
    "\u56fe1\u66f4\u597d",
    "\u6bd4",
    "\x00",
    "\ud800",
    "\u202e",
    "[" * 5_000,
    '{"a":' * 2_000,
    "1" * 5_000,
)


def readings() -> Case:
    """Reading never raises, reads the same text alike, and follows its sides when they are exchanged."""

    def case(rng: random.Random) -> str | None:
        kind = rng.choice(list(MediaKind))
        pieces = [rng.choice((*_PIECES, hostile.text(rng))) for _ in range(rng.randrange(1, 25))]
        garbage = "".join(pieces)
        if parse_verdict(garbage, kind) != parse_verdict(garbage, kind):
            return f"read in two ways: {garbage[:200]!r}"
        one, two = rng.choice(SIDES)
        said = rng.choice((". ", "; ", "\n")).join(rng.choice(SENTENCES) for _ in range(3))
        frame = rng.choice(("<think>x</think>\n<answer>{}</answer>", "<think>x</think>\n{}"))
        straight = parse_verdict(frame.format(said.format(a=one, b=two)), MediaKind.IMAGE)
        exchanged = parse_verdict(frame.format(said.format(a=two, b=one)), MediaKind.IMAGE)
        if exchanged.answer is not EXCHANGED[straight.answer]:
            return f"{straight.answer}, exchanged {exchanged.answer}: {said!r} of {one!r}"
        return None

    return case


def requests(space: Workspace) -> Case:
    """No route answers with a server's error, or shows a page of ours to strangers."""
    queue = Queues(space.database).make(NewQueue(kind="unreviewed", title="q", run_ids=(2,)), created_by="Ada")
    client = TestClient(Starlette(routes=dashboard.routes.routes), raise_server_exceptions=False)
    token = bearer(space, "Ada")
    good = {
        "token": "t",
        "queue": queue.id,
        "position": 0,
        "prediction_id": 9,
        "ruling": "accept",
        "note": "",
        "tags": [],
    }

    def case(rng: random.Random) -> str | None:
        number = rng.choice((queue.id, 0, 99, 2**63, 10**30))
        word = rng.choice((hostile.text(rng), str(rng.randrange(9))))
        path = rng.choice(
            (
                f"/winnow/review/{number}/items",
                f"/winnow/review/{number}/stats",
                f"/winnow/review/{number}/predictions/{rng.choice((1, 9, 2**63, 10**30))}",
                f"/winnow/review/{number}/release",
                "/winnow/review/rulings",
                "/winnow/review/settings",
                f"/winnow/media/{_quoted(word)}",
                f"/winnow/thumb/{_quoted(word)}",
                f"/winnow/download/{_quoted(word)}",
                f"/winnow/{_quoted(word)}",
            )
        )
        names = ("from", "count", "before", "exact", "brief", "away")
        query = "&".join(f"{rng.choice(names)}={_quoted(hostile.text(rng)[:300])}" for _ in range(2))
        body: Any = {"rulings": [hostile.other(rng, good) for _ in range(rng.randrange(4))]}
        if rng.random() < 0.3:
            body = hostile.value(rng)
        elif rng.random() < 0.3:
            body = {rng.choice(("keys", "blind", "before", "rulings")): hostile.value(rng)}
        data = hostile.dumped(rng, body)
        if rng.random() < 0.3:
            data = hostile.mutated(rng, data)
        allowed = rng.random() < 0.8
        headers = {
            "Authorization": token if allowed else "Bearer " + _quoted(word)[:200],
            "Cookie": f"{COOKIE}={SESSION}",
        }
        method = rng.choice(("GET", "POST", "POST", "HEAD", "PUT"))
        answer = client.request(
            method, f"{path}?{query}", headers=headers, content=data if method in ("POST", "PUT") else None
        )
        if answer.status_code >= 500:
            return f"{method} {path} {query} {data[:300]!r}: {answer.status_code} {answer.text}"
        if not allowed and answer.status_code not in (400, 403, 404, 405):
            return f"{method} {path} without a token: {answer.status_code}"
        return None

    return case


def _quoted(word: str) -> str:
    return "".join(f"%{byte:02X}" for byte in word.encode("utf-8", "surrogatepass")[:600])


_ANSWER = {
    "choices": [{"message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop", "index": 0}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3},
}


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no finding, and must not be printed among a command's words."""


def answers() -> Case:
    """Whatever an endpoint answers, each request has one outcome and the run goes on."""
    reply: list[tuple[int, bytes, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, b'{"data": [{"id": "judge"}]}', "application/json")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._send(*reply[0])

        def _send(self, status: int, data: bytes, content: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = _Quiet(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"

    def case(rng: random.Random) -> str | None:
        made: Any = json.loads(json.dumps(_ANSWER))
        if rng.random() < 0.5:
            made["choices"][0]["message"]["content"] = hostile.value(rng)
        if rng.random() < 0.5:
            made["choices"][0] = hostile.other(rng, made["choices"][0])
        if rng.random() < 0.3:
            made = hostile.other(rng, made)
        data = hostile.dumped(rng, made)
        if rng.random() < 0.4:
            data = hostile.mutated(rng, data)
        # Not those that ask to be tried again: waiting is not what is looked at here.
        status = rng.choice((200, 200, 200, 200, 201, 400, 404, 422))
        reply[:] = [(status, data, rng.choice(("application/json", "text/html", "image/png")))]
        engine = OpenAIEngine("judge", EngineOptions(endpoints=(url,)), backoff=0.01)
        try:
            found = list(engine.generate(iter([request(0), request(1)])))
        except WinnowError as error:
            # A server that refuses every request as such is an engine that cannot go on.
            return _line(error) if status != 200 else f"the run ends: {error}: {data[:200]!r}"
        finally:
            engine.close()
        if sorted(one.id for one in found) != [0, 1]:
            return f"outcomes of {[one.id for one in found]}: {data[:200]!r}"
        for one in found:
            if isinstance(one, Failure) and ("\n" in one.error or len(one.error) > _LONGEST_LINE):
                return f"a failure of {len(one.error)} characters: {one.error[:200]!r}"
            if isinstance(one, Completion) and not isinstance(one.text, str):
                return f"a text that is {type(one.text).__name__}"
        return None

    return case


_LEFT_OUT = {"serve", "prepare", "demo build-judge", "demo measure-judge", "loop"}
"""What would serve, wait for a run, or train."""
_LONG = {"--wait", "--follow", "--all"}


def arguments(space: Workspace, folder: Path) -> Case:
    """Whatever stands on the command line, it exits with 0, 1 or 2 and shows no traceback."""
    commands = [
        one
        for one in _commands(typer.main.get_command(command_line), ())
        if not any(" ".join(one[0]).startswith(left) for left in _LEFT_OUT)
    ]
    known = [
        "1",
        "2",
        "pictures",
        "clips",
        "first",
        str(folder),
        str(folder / "nothing" / "here"),
        "jsonl",
        str(space.folder / "media" / "t2i" / "pairs.json"),
        f"hpdv3:{folder}/x.json",
    ]

    def case(rng: random.Random) -> str | None:
        words, parameters = rng.choice(commands)
        line = list(words)
        for names, flag in parameters:
            wanted = rng.random() < (0.3 if names else 0.9)
            if not wanted or _LONG & set(names):
                continue
            value = rng.choice(known) if rng.random() < 0.4 else hostile.text(rng)[:2_000]
            line += ([names[0]] if names else []) + ([] if flag else [value])
        if rng.random() < 0.1:
            line.insert(rng.randrange(len(line) + 1), hostile.text(rng))
        line += ["--workspace", str(space.folder)]
        out, err = io.StringIO(), io.StringIO()
        here = Path.cwd()
        (folder / "cwd").mkdir(exist_ok=True)
        os.chdir(folder / "cwd")
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = winnow(line)
        except SystemExit as leave:
            code = leave.code if isinstance(leave.code, int) else 1
        finally:
            os.chdir(here)
        said = out.getvalue() + err.getvalue()
        if code not in (0, 1, 2) or "Traceback" in said or "unexpected:" in said:
            return f"{line}: exit {code}: {err.getvalue()[-300:]}"
        raw = [one for one in said if (ord(one) < 32 and one not in "\n\t\r") or one in "\x7f\x9b\u202e\u2066"]
        return f"{line}: prints {raw[:3]!a}" if raw else None

    return case


def _commands(
    command: Any, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], list[tuple[tuple[str, ...], bool]]]]:
    """Every command's words, with its parameters: the names of an option, and whether it is a flag."""
    if hasattr(command, "commands"):
        for name, one in command.commands.items():
            yield from _commands(one, (*words, name))
        return
    yield (
        words,
        [
            (tuple(one.opts) if one.param_type_name == "option" else (), getattr(one, "is_flag", False))
            for one in command.params
        ],
    )
