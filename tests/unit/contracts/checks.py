"""What every source, format and model of options has to keep; held against those of other packages, too."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import streamlit as st
import typer
from PIL import Image
from pydantic import BaseModel, ValidationError

from backend.cli.main import app
from backend.curation.sets import SetRow, freeze
from backend.datasets.base import Source, SourceRow
from backend.datasets.registry import parse_spec
from backend.demo.coding import encode_mp4
from backend.domain.filtering import Policy
from backend.domain.pairs import MediaKind, Order, OrderPolicy, Pair, Preference, shown_orders
from backend.domain.prompts import answer_text
from backend.errors import UsageError
from backend.export.exporter import export_set
from backend.export.formats.base import Format
from backend.inference.imports import import_predictions
from backend.inference.launch import default_order
from backend.inference.spec import RunSpec, instructions
from backend.ingest.importer import import_dataset
from backend.media.paths import media_kind
from backend.options import Option, options_of
from backend.store.database import Database
from backend.store.datasets import Datasets
from backend.store.pairs import PairReading
from backend.store.runs import Runs
from backend.store.schema import metadata
from dashboard.option_fields import to_widget, wanted

SPEC = RunSpec(model="m", engine="import", instruction=instructions(None, use_cot=True))
SEEDS = range(6)
GREEN, RED = (40, 180, 60), (190, 50, 40)
"""Of the better medium and of the other: whatever its file is called, it can be told."""

Read = Callable[[Path], list[tuple[Sequence[str], str]]]
"""The rows of an export's folder as a program reads them: the media in shown order, and the answer's text."""


def check_words(one: Any) -> None:
    """An extension can be named in a command, and read about in a form."""
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", one.name), "a name stands in commands and in NAME:PATH"
    assert one.label.strip() and one.purpose.strip()
    if hasattr(one, "options"):
        one.options()
        assert set(one.options.model_fields) == set(options_of(one.options)), "each is made by option()"


def check_source(source: Source, folder: Path) -> None:
    """Its example is stored as it was read, and the better medium is the better one in every shown order."""
    check_words(source)
    assert source.file.strip() and source.preference.strip() and source.media
    assert (default_order(source.name) is OrderPolicy.SHUFFLED) == source.winner_first
    file = write_example(source, folder / "of" / "data")
    (row,) = source.rows(file)
    assert isinstance(row, SourceRow), row
    assert row.prompt in json.dumps(source.example, ensure_ascii=False)
    assert {Path(row.first).stem, Path(row.second).stem} == {"better", "worse"}
    for path in (row.first, row.second):
        write_medium(source.data_root(file) / path, better=Path(path).stem == "better")
    database = new_database(folder)
    try:
        stored = import_dataset(database, name="d", spec=f"{source.spec}:{file}")
        assert (stored.judgeable, stored.source) == (1, source.name)
        # The same files again, as they were stored.
        assert import_dataset(database, name="d", spec=stored.spec).id == stored.id
        ((_, pair),) = PairReading(database).iter_pairs(stored.id)
        assert (pair.prompt, pair.preference) == (row.prompt, row.preference)
        assert pair.kind in source.media
        for policy in OrderPolicy:
            for seed in SEEDS:
                orders = shown_orders(policy, seed, pair.key)
                for better, kept in ((True, len(orders)), (False, 0)):
                    run = judge(database, folder, stored.id, [(pair, order) for order in orders], better=better)
                    assert Runs(database).counts(run)["accepted"] == kept, (policy, seed, better)
    finally:
        database.close()


def check_format(format: Format, folder: Path, judged: Judged, read: Read) -> None:
    """Its rows are read back by the program that they are for, and by Winnow, and name the better medium."""
    check_words(format)
    frozen = judged.of(format.kinds)
    for split in (0.0, 0.5):
        out = folder / f"{format.name}-{split}"
        manifest = export_set(judged.database, frozen, format=format.name, out=out, split=split)
        assert manifest.rows == frozen.counts["items"]
        rows = read(out)
        assert len(rows) == manifest.rows
        assert all(is_better(out / path) == (n == number_in(text)) for path, n, text in shown(rows))
        assert Counter(number_in(text) for _, text in rows).keys() == {1, 2}
        held = [one["name"] for one in manifest.files if format.holds_rows(one["name"])]
        again = [tuple(format.media(row)) for name in held for row in format.rows(out / name)]
        assert Counter(again) == Counter(tuple(media) for media, _ in rows)
        kinds = {kind for kind in MediaKind if frozen.counts.get(kind.value)}
        parts = ("train", "val") if split else ("train",)
        named = {format.file_name(part, kind, kinds) for part in parts for kind in kinds}
        assert set(held) == named, "training looks for these before they are written"


def shown(rows: Iterable[tuple[Sequence[str], str]]) -> Iterable[tuple[str, int, str]]:
    """Each medium with its number and its row's text."""
    return ((path, number, text) for media, text in rows for number, path in enumerate(media, start=1))


def number_in(text: str) -> int:
    """Which medium an answer names."""
    (number,) = (n for n in (1, 2) if f" {n} is better</answer>" in text)
    return number


@dataclass(frozen=True)
class Judged:
    """A workspace's database with sets of rows, judged right in both orders."""

    database: Database
    sets: dict[tuple[MediaKind, ...], SetRow]

    def of(self, kinds: tuple[MediaKind, ...]) -> SetRow:
        """A set of these media."""
        return self.sets[tuple(kind for kind in MediaKind if kind in kinds)]


def new_judged(folder: Path) -> Judged:
    """Ten image pairs and ten video pairs, whose better side stands first in every second one."""
    database = new_database(folder)
    sets, runs = {}, []
    for kind, ending in ((MediaKind.IMAGE, "png"), (MediaKind.VIDEO, "mp4")):
        rows = []
        for number in range(10):
            paths = [folder / f"{number}-{side}.{ending}" for side in ("x", "y")]
            for place, path in enumerate(paths):
                write_medium(path, better=place == number % 2)
            names = dict(zip(("first", "second"), (path.name for path in paths), strict=True))
            rows.append({"prompt": f"caption {number}", **names, "preference": ("first", "second")[number % 2]})
        file = folder / f"{kind.value}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        stored = import_dataset(database, name=kind.value, spec=f"pairs:{file}")
        pairs = [(pair, order) for _, pair in PairReading(database).iter_pairs(stored.id) for order in Order]
        runs.append(judge(database, folder, stored.id, pairs, better=True))
        sets[(kind,)] = freeze(database, kind.value, [runs[-1]])
    sets[tuple(MediaKind)] = freeze(database, "mixed", runs)
    return Judged(database, sets)


def judge(database: Database, folder: Path, dataset: int, shown: Iterable[tuple[Pair, Order]], *, better: bool) -> int:
    """A run of texts that name the better medium, told by its colour, or the other one."""
    root = Path(database_root(database, dataset))
    lines = []
    for pair, order in shown:
        one = pair.shown(order)
        first = is_better(root / one.first.path) == better
        answer = answer_text(pair.kind, Preference.FIRST if first else Preference.SECOND)
        text = f"<think>\nwhy\n</think>\n<answer>{answer}</answer>"
        lines.append(json.dumps({"index": pair.index, "order": order.value, "text": text}))
    file = folder / "texts.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return import_predictions(database, dataset, SPEC, Policy(), file)


def new_database(folder: Path) -> Database:
    """An empty one."""
    folder.mkdir(parents=True, exist_ok=True)
    database = Database(folder / "w.db")
    metadata.create_all(database.engine)
    return database


def database_root(database: Database, dataset: int) -> str:
    """Where the media of a dataset are."""
    return Datasets(database).by_id(dataset).data_root


def write_example(source: Source, folder: Path) -> Path:
    """A file with the source's example alone."""
    folder.mkdir(parents=True)
    file = folder / f"example{source.ending}"
    if source.ending == ".parquet":
        pq.write_table(pa.Table.from_pylist([dict(source.example)]), file)
    elif source.ending == ".csv":
        with file.open("w", newline="") as stream:
            rows = csv.DictWriter(stream, list(source.example))
            rows.writeheader()
            rows.writerow(source.example)
    else:
        text = json.dumps(source.example)
        file.write_text(f"{text}\n" if source.ending == ".jsonl" else f"[{text}]")
    return file


def write_medium(path: Path, *, better: bool) -> None:
    """A green image or video for the better side, a red one for the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = np.full((8, 64, 64, 3), GREEN if better else RED, dtype=np.uint8)
    if media_kind(path.name) is MediaKind.VIDEO:
        path.write_bytes(encode_mp4(frames))
    else:
        Image.fromarray(frames[0]).save(path)


@cache
def is_better(path: Path) -> bool:
    """Whether a medium is green."""
    if path.suffix == ".mp4":
        with av.open(str(path)) as video:
            pixels = next(video.decode(video=0)).to_ndarray(format="rgb24")
    else:
        pixels = np.asarray(Image.open(path).convert("RGB"))
    red, green, _ = pixels.reshape(-1, 3).mean(axis=0)
    return bool(green > red)


def check_options(
    model: type[BaseModel],
    command: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    *,
    prefix: str = "",
    needed: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Each option can be given to the command and in a form; the model and the form refuse what is out of range.

    Args:
        prefix: Of the options' names there.
        needed: What the model cannot be made without.
    """
    for option in options_of(model, prefix).values():
        assert {option.flag, *option.flags} <= flags_of(command), option.flag
        assert option.help and option.when and option.group
        name = option.name.removeprefix(prefix)
        for value in beyond(option):
            with pytest.raises(ValidationError) as caught:
                model(**{**needed, name: value})
            assert [error["loc"][0] for error in caught.value.errors()] == [name]
            monkeypatch.setattr(st, "session_state", {option.name: value})
            with pytest.raises(UsageError, match="out of range"):
                wanted(option, "")
        monkeypatch.setattr(st, "session_state", {option.name: to_widget(option, another(option))})
        assert wanted(option, "") == another(option)


@cache
def flags_of(command: tuple[str, ...]) -> frozenset[str]:
    """The options of one of Winnow's commands."""
    found: Any = typer.main.get_command(app)
    for name in command:
        found = found.commands[name]
    return frozenset(flag for one in found.params for flag in (*one.opts, *one.secondary_opts))


def beyond(option: Option) -> list[Any]:
    """Numbers just outside of an option's range."""
    cast = int if option.kind == "int" else float
    ends = ((option.lowest, -1, option.above), (option.highest, 1, option.below))
    return [cast(end if open else end + away) for end, away, open in ends if end is not None]


def another(option: Option) -> Any:
    """A value that differs from the default."""
    if option.kind == "bool":
        return not option.default
    if option.kind == "choice":
        return next(one for one in option.choices if one != option.default)
    if option.kind == "lines":
        return ("one", "an,other:+=%")
    if option.kind in ("int", "float"):
        cast = int if option.kind == "int" else float
        usual = option.default or 0
        tried = [usual + 1, usual - 1, usual / 2, (option.lowest or 0) + 1, option.highest or 0, 0.5]
        return next(cast(one) for one in tried if cast(one) != option.default and option.holds(cast(one)))
    return "an,other:+=%"


def check_spec(source: Source, tmp_path: Path) -> None:
    """The options of a source survive in the spec that a dataset stores."""
    for name, option in options_of(source.options).items():
        chosen = replace(source, given=source.options(**{name: another(option)}))
        ((again, path),) = parse_spec(f"{chosen.spec}:{tmp_path / 'f'}")
        assert (again, path) == (chosen, tmp_path / "f")
