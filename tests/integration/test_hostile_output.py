"""What every command prints of a hostile workspace: nothing in it acts on a terminal, and JSON keeps
the texts as they are."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import insert, update

import backend.workspace
from backend.cli.main import app, main
from backend.curation.kinds.registry import offered
from backend.store import schema
from tests.workspaces import build_workspace

ACTS = (
    "\x1b]0;title\x07\x1b]52;c;Y2xpcA==\x07\x1b]8;;http://evil.invalid\x1b\\link\x1b[8mhidden\x1b[2J"
    "\r\x7f\x9b31m\x85\u202eright\u2066\u200f\u061c\u2028\u2029pay\u200bpal\u200d\u3164\ufeff\nforged"
)
NAME = f"n{ACTS}"
MODEL = f"m{ACTS}"
# Without a newline, which ends a line of a log.
LOGGED = f"logged {ACTS}".replace("\n", " ").replace("\r", " ")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Names, paths, captions, answers, notes, errors and logs that would all act on a terminal."""
    folder = tmp_path_factory.mktemp("hostile") / "ws"
    space = build_workspace(folder, images=8, videos=1)
    space.rulings.add(1, "accept", note=f"why {ACTS}", tags=["t"], reviewer="r")
    space.freeze("mixed", [1, 2])
    log = folder / "log.txt"
    log.write_text(f"first\n{LOGGED}\nlast", encoding="utf-8")
    now = time.time()
    with space.database.write() as connection:

        def put(table: Any, **values: Any) -> None:
            connection.execute(insert(table).values(**values))

        def change(table: Any, **values: Any) -> None:
            connection.execute(update(table).values(**values))

        put(
            schema.jobs,
            id=99,
            kind="run",
            status="failed",
            argv={"argv": []},
            env={},
            devices="",
            log_path=str(log),
            attempt=1,
            cancel_requested=False,
            error=f"e{ACTS}",
            hint=f"h{ACTS}",
            created_at=now,
        )
        connection.execute(
            update(schema.datasets)
            .where(schema.datasets.c.id == 1)
            .values(name=NAME, source=ACTS, spec=ACTS, data_root=ACTS)
        )
        change(schema.pairs, prompt=f"caption {ACTS}")
        change(schema.predictions, text=f"answer {ACTS}", finish_reason=ACTS[:20])
        change(schema.runs, model=MODEL, job_id=99, reader=1)
        change(schema.curated_sets, name=f"s{ACTS}")
        change(schema.reviews, reviewer=f"r{ACTS}", tags={"tags": [ACTS]})
        put(schema.dataset_issues, dataset_id=1, code="broken", file=ACTS, row=1, message=ACTS)
        put(
            schema.failures,
            run_id=1,
            pair_id=1,
            shown_order="swapped",
            sample=9,
            error=ACTS,
            hint=ACTS,
            attempts=1,
            created_at=now,
        )
        put(
            schema.trainings,
            id=1,
            job_id=99,
            trainer=f"t{ACTS}",
            model=MODEL,
            output_dir=f"/nowhere/{ACTS}",
            spec={"model": MODEL},
            sets={"sets": [{"name": NAME, "version": 1}]},
            progress={"stage": ACTS},
            created_at=now,
        )
        put(
            schema.loops,
            id=1,
            spec={"dataset": NAME, "model": MODEL},
            created_at=now,
            state={"round": 1, "step": "done", "made": [{"run": 1, "set": NAME, "checkpoint": ACTS}]},
        )
    space.close()
    return folder


# Each command, and how it is called. One that would start processes is refused first, and quotes why.
CALLS: dict[str, list[list[str]]] = {
    "demo": [["demo", "--no-serve", "--workspace", f"/dev/null/{NAME}"]],
    "demo build-judge": [["demo", "build-judge", "--stop-after", ACTS]],
    "demo measure-judge": [["demo", "measure-judge", "--engine", NAME]],
    "dataset add": [
        ["dataset", "add", f"{NAME}:/x", "--name", "x"],
        ["dataset", "add", f"hpdv3:/{NAME}", "--name", "x"],
    ],
    "dataset list": [["dataset", "list"], ["dataset", "list", "--json"]],
    "dataset show": [["dataset", "show", NAME], ["dataset", "show", NAME, "--json"], ["dataset", "show", f"no {ACTS}"]],
    "run start": [
        ["run", "start", "--dataset", NAME, "--model", MODEL, "--engine", f"e{ACTS}"],
        ["run", "start", "--dataset", NAME, "--model", MODEL, "--policy", f"p{ACTS}"],
        ["run", "start", "--dataset", NAME, "--model", MODEL, "--policy", f"{{{ACTS}"],
        [
            "run",
            "start",
            "--dataset",
            f"x{NAME}",
            "--model",
            MODEL,
            "--engine",
            "scripted",
            "--task-instruction",
            f"/x/{ACTS}.txt",
        ],
    ],
    "run import": [["run", "import", "--dataset", f"x{NAME}", "--predictions", f"/{ACTS}"]],
    "run reparse": [["run", "reparse", "1"], ["run", "reparse", "1", "--json"]],
    "run list": [["run", "list"], ["run", "list", "--json"]],
    "run show": [["run", "show", "1"], ["run", "show", "1", "--json"]],
    "run log": [["run", "log", "1"]],
    "run cancel": [["run", "cancel", ACTS], ["run", "cancel", "1"]],
    "run resume": [["run", "resume", ACTS]],
    "run filter": [
        ["run", "filter", "1", "--policy", f'{{"{ACTS[:9]}": 1}}'],
        ["run", "filter", "1", "--policy", "agreement"],
    ],
    "run predictions": [
        ["run", "predictions", "1"],
        ["run", "predictions", "2", "--explain"],
        ["run", "predictions", "1", "--json"],
        ["run", "predictions", "1", "--reason", ACTS],
    ],
    "review add": [["review", "add", "1", "--ruling", ACTS, "--prediction", "1"]],
    "review undo": [["review", "undo", "1", "--key", ACTS]],
    "review import": [["review", "import", "1", f"/{ACTS}"]],
    "review export": [["review", "export", "1"]],
    **{
        f"review queue {kind}": [
            ["review", "queue", kind, "--title", f"title {ACTS}", "--reviewer", f"r{ACTS}"],
            ["review", "queue", kind, "--title", f"title {ACTS}", "--json"],
        ]
        for kind in offered()
    },
    "set create": [["set", "create", f"c{ACTS}", "--run", "1"]],
    "set list": [["set", "list"], ["set", "list", "--json"]],
    "set show": [["set", "show", f"s{ACTS}"], ["set", "show", f"s{ACTS}", "--json"], ["set", "show", f"no{ACTS}"]],
    "train start": [
        ["train", "start", "--model", MODEL, "--output-dir", NAME, "--set", NAME],
        ["train", "start", "--model", MODEL, "--output-dir", NAME, "--set", f"s{ACTS}", "--dry-run"],
    ],
    "train list": [["train", "list"], ["train", "list", "--json"]],
    "train show": [["train", "show", "1"]],
    "train log": [["train", "log", "1"]],
    "train stop": [["train", "stop", ACTS]],
    "train resume": [["train", "resume", ACTS]],
    "train clear": [["train", "clear", "1"]],
    "train evaluate": [["train", "evaluate", "1", "--dataset", f"x{NAME}"]],
    "loop": [
        ["loop", "--dataset", f"x{NAME}", "--model", MODEL, "--engine", f"e{ACTS}"],
        ["loop", "--dataset", NAME, "--model", MODEL, "--trainer", f"t{ACTS}"],
    ],
    "loop resume": [["loop", "resume", "1", "--train", ACTS]],
    "loop cancel": [["loop", "cancel", ACTS]],
    "loop list": [["loop", "list"], ["loop", "list", "--json"]],
    "loop show": [["loop", "show", "1"], ["loop", "show", "1", "--json"]],
    "export": [
        ["export", f"s{ACTS}", "--format", f"f{ACTS}", "--out", "x"],
        ["export", f"s{ACTS}", "--format", "jsonl", "--out", f"/dev/null/{ACTS}"],
    ],
    "serve": [["serve", "--port", ACTS], ["serve", "--address", f"a{ACTS}", "--port", "1"]],
    "doctor": [["doctor", "--workspace", f"/dev/null/{ACTS}"], ["doctor", "--json"]],
    "convert": [["convert", "t2i", "--filtered-samples-path", f"/{ACTS}", "--output-path", ACTS]],
    "prepare": [
        ["prepare", "t2i", "--model-path", MODEL, "--data-path", f"{NAME}:/x", "--output-dir", f"/dev/null/{NAME}"]
    ],
    "": [["--debug", "dataset", "show", ACTS], [f"--{ACTS}"], [f"x{ACTS}"], ["dataset", f"x{ACTS}"]],
}


def commands(group: Any, path: tuple[str, ...] = ()) -> set[str]:
    if not hasattr(group, "commands"):
        return {" ".join(path)}
    found = set().union(*(commands(one, (*path, name)) for name, one in group.commands.items()))
    return found | ({" ".join(path)} if group.invoke_without_command else set())


def test_every_command_is_called_below() -> None:
    assert commands(typer.main.get_command(app)) | {""} == set(CALLS)


@pytest.mark.parametrize("command", CALLS)
def test_nothing_that_a_command_prints_acts_on_a_terminal(
    command: str, hostile: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # What the commands print is theirs alone; no run is to be started.
    monkeypatch.setattr(backend.workspace, "ensure_supervisor", lambda *_args, **_more: None)
    quotes = False
    for words in CALLS[command]:
        words = words if "--workspace" in words else [*words, "--workspace", str(hostile)]
        code = main(words)
        out, err = capfd.readouterr()
        assert harmless(out + err), (words, code, out, err)
        assert code != 1 or "unexpected" not in err, err
        quotes = quotes or any(word in out + err for word in ("title", "evil"))
        if "--json" in words and code == 0:
            assert out.isascii()
            assert ACTS in texts(out) or command in NOT_SHOWN_ALL
    assert quotes or command in QUIET, (CALLS[command][-1], out, err)


# They take numbers, and are refused a hostile one in words of the parser's own.
QUIET = {
    "review queue flagged",
    "review queue suspect_labels",
    "demo build-judge",
    "run resume",
    "run cancel",
    "train stop",
    "train resume",
    "loop cancel",
    "review undo",
}
NOT_SHOWN_ALL = {"doctor", *(f"review queue {kind}" for kind in offered())}  # a title is kept as one line


def harmless(text: str) -> bool:
    """Only characters that are drawn, and our own newlines, tabs and spaces; no line is forged."""
    joined = text.replace("\n", "").replace("\t", "")
    return joined.isprintable() and "\u3164" not in joined and "\nforged" not in text


def texts(output: str) -> str:
    """All texts in JSON output, one after the other."""
    try:
        values = [json.loads(output)]
    except ValueError:
        values = [json.loads(line) for line in output.splitlines()]
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, str):
            found.append(value)
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(inner)

    walk(values)
    return "\n".join(found)
