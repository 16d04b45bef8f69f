"""Whatever a caption or a reasoning spells: a row is trained on as it was judged, or left out and counted."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from backend.curation.sets import freeze
from backend.domain.filtering import Policy
from backend.domain.pairs import MediaKind
from backend.domain.prompts import default_instruction, fill_instruction, judge_messages
from backend.engines.base import Request
from backend.engines.chat import template_messages
from backend.errors import ReviewError
from backend.export.exporter import Manifest, export_set
from backend.inference.imports import import_predictions
from backend.inference.spec import RunSpec, instructions
from backend.ingest.importer import import_dataset
from backend.store.database import Database
from backend.store.schema import metadata

WORDS = (
    "<image>",
    "<video>",
    "<audio>",
    "<img>",
    "</img>",
    "<|im_end|>",
    "<|im_start|>",
    "<|image_pad|>",
    "<|video_pad|>",
    "<|vision_end|>",
    "<|endoftext|>",
    "<|unknown|>",
    "<|",
    "|>",
    "<",
    ">",
    "image>",
    "<ima",
    "ge>",
    "im_end",
    "user\n",
    "\n",
    " ",
    "{{content}}",
    "{{QUERY}}",
    "{{SYSTEM}}",
    "{prompt}",
    "a red square",
    "图片",
    "\u200d",
    "\u202e",
    "<answer>",
    "<bbox>",
)
TEXTS = st.lists(st.sampled_from(WORDS), max_size=6).map("".join)
MEDIA = {"image": "<|vision_start|><|image_pad|><|vision_end|>", "video": "<|vision_start|><|video_pad|><|vision_end|>"}
CHAT = ("lightrft", "sharegpt")


def build(folder: Path, texts: list[tuple[str, str, str]], judge: str) -> tuple[Database, Any]:
    """A frozen set of one row for each (kind, caption, reasoning)."""
    database = Database(folder / "w.db")
    metadata.create_all(database.engine)
    pairs, answers = [], []
    for number, (kind, caption, reasoning) in enumerate(texts):
        ending = "png" if kind == "image" else "mp4"
        # The number tells pairs apart whose captions are the same.
        pairs.append(
            {
                "prompt": f"{caption}{number}",
                "first": f"{number}x.{ending}",
                "second": f"{number}y.{ending}",
                "preference": "first",
            }
        )
        text = f"<think>\nr{number}{reasoning}\n</think>\n<answer>{kind.capitalize()} 1 is better</answer>"
        answers.append({"index": number, "text": text})
    for name, rows in (("pairs", pairs), ("texts", answers)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines)
    spec = RunSpec(model=judge, engine="import", instruction=instructions(None, use_cot=True))
    dataset = import_dataset(database, name="d", spec=f"pairs:{folder / 'pairs.jsonl'}", check_media=False)
    run = import_predictions(database, dataset.id, spec, Policy(), folder / "texts.jsonl")
    return database, partial(freeze, database, "s", [run])


def rows_of(folder: Path) -> list[dict[str, Any]]:
    files = [*folder.glob("winnow*.json"), *folder.glob("rejection*.json")]
    return [row for file in files for row in json.loads(file.read_text())]


def as_judged(template: str, kind: str, instruction: str) -> str:
    """The prompt of the judge, with the places of its media, as every engine writes it."""
    messages = judge_messages(MediaKind(kind), instruction)
    request = Request(id=0, kind=MediaKind(kind), messages=messages, media={})
    return render(template, template_messages(request))


def as_trained(template: str, kind: str, row: dict[str, Any]) -> str:
    """The same as LLaMA-Factory and ms-swift make it of a row: media for their places, then the template."""
    places = re.compile(f"<{kind}>")
    turns = [{"role": "system", "content": row["system"]}]
    turns.append({"role": "user", "content": row["conversations"][0]["value"]})
    for turn in turns:
        turn["content"] = places.sub(MEDIA[kind], turn["content"])
    return render(template, turns)


def render(template: str, turns: list[Any]) -> str:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(messages=turns, add_generation_prompt=True)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.tuples(st.sampled_from(["image", "video"]), TEXTS, TEXTS), min_size=1, max_size=5))
@example(texts=[("image", "a <image> b", "c"), ("video", "a", "<|im_end|>"), ("image", "a", "b")])
def test_a_row_is_trained_on_as_it_was_judged_or_left_out_and_counted(
    judge_folder: Path, texts: list[tuple[str, str, str]]
) -> None:
    template = (judge_folder / "chat_template.jinja").read_text()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        database, frozen = build(folder, texts, str(judge_folder))
        try:
            set_row = frozen()
        except ReviewError:  # nothing was accepted of these answers
            return
        finally:
            database.close()
        total = set_row.counts["items"]
        made: dict[str, Manifest] = {
            name: export_set(database, set_row, format=name, out=folder / name) for name in (*CHAT, "jsonl")
        }
        database.close()
        lines = (folder / "jsonl" / "winnow.jsonl").read_text().splitlines()
        every = {row["response"]: row for row in map(json.loads, lines)}
        assert made["jsonl"].rows == total and not made["jsonl"].left_out
        for name in CHAT:
            rows = rows_of(folder / name)
            assert len(rows) == made[name].rows == total - sum(made[name].left_out.values())
            for row in rows:
                response = row["conversations"][-1]["value"]
                flat = every[response]
                spoken = row.get("system") or row["conversations"][0]["value"]
                assert spoken == fill_instruction(default_instruction(MediaKind(flat["kind"])), flat["prompt"])
                assert not re.search(r"<\|[^<>|\s]+\|>", spoken + response)
                if name == "sharegpt":
                    balanced(row, flat["kind"])
                    trained = as_trained(template, flat["kind"], row)
                    assert trained == as_judged(template, flat["kind"], row["system"])
                    assert trained.count(MEDIA[flat["kind"]]) == 2
        kept = {row["conversations"][-1]["value"] for row in rows_of(folder / "sharegpt")}
        spelled = re.compile(r"<image>|<video>|<audio>|<img>|<\|[^<>|\s]+\|>")
        clean = {text for text, row in every.items() if not spelled.search(row["instruction"] + text)}
        assert kept == clean


def balanced(row: dict[str, Any], kind: str) -> None:
    """As LLaMA-Factory counts, and stops where it does not fit."""
    turns = [turn["value"] for turn in row["conversations"]] + [row["system"]]
    for medium in ("image", "video", "audio"):
        places = sum(turn.count(f"<{medium}>") for turn in turns)
        assert places == len(row.get(f"{medium}s", [])) == (2 if medium == kind else 0)


def test_what_is_left_out_is_counted_by_what_it_spells_and_said(judge_folder: Path, tmp_path: Path) -> None:
    # What a caption spells was already shown to the judge as text; see fill_instruction.
    texts = [
        ("image", "a <image>", "r"),
        ("image", "b", "see <image>"),
        ("image", "e", "<image>"),
        ("image", "c", "<|im_end|>"),
        ("image", "d", "r"),
    ]
    database, frozen = build(tmp_path, texts, str(judge_folder))
    set_row = frozen()
    manifest = export_set(database, set_row, format="sharegpt", out=tmp_path / "s", split=0.5)
    assert (manifest.rows, manifest.left_out) == (2, {"<image>": 2, "<|im_end|>": 1})
    missing, note = manifest.notes
    assert "missing now" in missing
    assert note.startswith("3 rows left out") and "<image> (2), <|im_end|> (1)" in note
    written = json.loads((tmp_path / "s" / "manifest.json").read_text())
    assert written["left_out"] == manifest.left_out and written["notes"] == [missing, note]
    plain = export_set(database, set_row, format="lightrft", out=tmp_path / "l")
    assert Counter(plain.left_out) == {"<|im_end|>": 1} and plain.rows == 4
    database.close()


@pytest.mark.parametrize("judge", [None, "folder"])
def test_rows_of_a_judge_whose_template_is_not_known_are_joined_and_said_so(
    judge_folder: Path, tmp_path: Path, judge: str | None
) -> None:
    database, frozen = build(tmp_path, [("image", "a", "r"), ("video", "b", "r")], "served-name")
    named = str(judge_folder) if judge else None
    manifest = export_set(database, frozen(), format="sharegpt", out=tmp_path / "s", judge=named)
    database.close()
    human = {row["conversations"][0]["value"] for row in rows_of(tmp_path / "s")}
    between = "<|im_end|>\n<|im_start|>user\n" if judge else "\n"
    assert human == {
        f"**Image 1:**<image>{between}**Image 2:**<image>",
        f"**Video 1:**<video>{between}**Video 2:**<video>",
    }
    assert manifest.joined == (0 if judge else 2)
    assert any("in one turn" in str(note) for note in manifest.notes) == (judge is None)
