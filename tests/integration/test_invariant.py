"""The invariant: every exported row names the medium that is better in its pixels, whatever was done before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.integration.conftest import Winnow

THINK = (
    "<think>\nSemantic consistency: Image 1 ({a}/10); Image 2 ({b}/10)\n"
    "Total score:\nImage 1: {a}\nImage 2: {b}\n</think>\n<answer>Image {n} is better</answer>"
)


def judgment(number: int) -> str:
    return THINK.format(a=9 if number == 1 else 4, b=9 if number == 2 else 4, n=number)


def is_green(path: Path) -> bool:
    with Image.open(path) as image:
        red, green, _ = image.convert("RGB").getpixel((10, 10))
    return green > red


def exported_rows(folder: Path, name: str) -> list[tuple[str, list[str]]]:
    """(response, media in shown order) of every row, whatever the format."""
    if name == "parquet":
        rows: list[dict[str, Any]] = []
        for file in sorted(folder.glob("*.parquet")):
            rows += pq.read_table(file).to_pylist()
        return [(row["response"], [row["first"], row["second"]]) for row in rows]
    if name == "jsonl":
        rows = []
        for file in sorted(folder.glob("*.jsonl")):
            rows += [json.loads(line) for line in file.read_text().splitlines()]
        return [(row["response"], [row["first"], row["second"]]) for row in rows]
    rows = []
    for file in sorted(folder.glob("*.json")):
        data = json.loads(file.read_text())
        if isinstance(data, list) and data and "conversations" in data[0]:
            rows += data
    return [(row["conversations"][-1]["value"], row["images"]) for row in rows]


def resolve(folder: Path, path: str) -> Path:
    return Path(path) if Path(path).is_absolute() else folder / path


@pytest.mark.parametrize("bundle", [False, True])
def test_every_exported_row_names_the_medium_that_is_better_in_its_pixels(
    winnow: Winnow, visible_winners: Path, tmp_path: Path, bundle: bool
) -> None:
    winnow("dataset", "add", f"hpdv3:{visible_winners}", "--name", "d")
    texts = tmp_path / "texts.jsonl"
    with texts.open("w") as file:
        for index in range(12):
            # In dataset order the winner is shown first; swapped, second. Index 0 and 1 answer wrongly.
            right = index > 1
            file.write(json.dumps({"index": index, "text": judgment(1 if right else 2)}) + "\n")
            swapped = {"order": "swapped", "text": judgment(2 if right else 1)}
            file.write(json.dumps({"index": index, **swapped}) + "\n")
    run = winnow("run", "import", "--dataset", "d", "--predictions", texts, "--json").json
    assert run["counts"]["accepted"] == 20
    # Forced accepts of the wrong answer: the judge's answer is what is exported.
    winnow("review", "add", run["id"], "--index", 0, "--order", "swapped", "--ruling", "accept")
    # Relabels: kept where the judge agrees with the new label, dropped where not.
    winnow("review", "add", run["id"], "--index", 1, "--order", "dataset", "--ruling", "relabel", "--to", "second")
    winnow("review", "add", run["id"], "--index", 5, "--order", "swapped", "--ruling", "relabel", "--to", "first")
    winnow("set", "create", "s", "--run", run["id"])
    overruled = {f"{number:02d}" for number in (0, 1)}
    for name in ("lightrft", "sharegpt", "parquet", "jsonl"):
        out = tmp_path / f"out-{name}"
        words = ["export", "s", "--format", name, "--out", out]
        winnow(*words, *(["--bundle"] if bundle else []))
        rows = exported_rows(out, name)
        assert len(rows) == 21
        wrong_by_order = 0
        for response, media in rows:
            number = 1 if "<answer>Image 1 is better</answer>" in response else 2
            assert f"<answer>Image {number} is better</answer>" in response
            named, other = media[number - 1], media[2 - number]
            if is_green(resolve(out, named)):
                assert not is_green(resolve(out, other))
                continue
            wrong_by_order += 1
            if not bundle:
                assert Path(named).name[:2] in overruled
        # Exactly the forced accept and the relabel name the medium that a person chose over the label.
        assert wrong_by_order == 2


def test_inferred_predictions_keep_the_invariant_in_both_orders(
    winnow: Winnow, visible_winners: Path, tmp_path: Path
) -> None:
    winnow("dataset", "add", f"hpdv3:{visible_winners}", "--name", "d")
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"text": judgment(2)}) + "\n")
    run = winnow(
        "run",
        "start",
        "--dataset",
        "d",
        "--model",
        "scripted",
        "--engine",
        "scripted",
        "--scripted-file",
        script,
        "--order",
        "both",
        "--wait",
        "--json",
    ).json
    # "Image 2" is right exactly where the winner was shown second: the swapped half.
    assert run["counts"]["accepted"] == 12
    winnow("set", "create", "s", "--run", run["id"])
    winnow("export", "s", "--format", "lightrft", "--out", tmp_path / "out")
    rows = exported_rows(tmp_path / "out", "lightrft")
    assert len(rows) == 12
    assert all(is_green(Path(media[1])) and not is_green(Path(media[0])) for _, media in rows)


def test_shuffled_order_shows_both_orders_and_is_the_same_again(
    winnow: Winnow, visible_winners: Path, tmp_path: Path
) -> None:
    winnow("dataset", "add", f"hpdv3:{visible_winners}", "--name", "d")
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"text": judgment(1)}) + "\n")
    orders = []
    for _ in range(2):
        run = winnow(
            "run",
            "start",
            "--dataset",
            "d",
            "--model",
            "scripted",
            "--engine",
            "scripted",
            "--scripted-file",
            script,
            "--seed",
            3,
            "--wait",
            "--json",
        ).json
        rows = winnow("run", "predictions", run["id"], "--json").lines
        orders.append({row["key"]: row["order"] for row in rows})
    assert orders[0] == orders[1]
    assert set(orders[0].values()) == {"dataset", "swapped"}
