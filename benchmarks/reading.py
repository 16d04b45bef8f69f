"""How many judges' texts a core reads in a second, and how many cases are read rightly.

Run: ``python -m benchmarks.reading``, or beside another checkout, by turns, with
``--against ../an-older-checkout``. Seconds are CPU time.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent.parent
CASES = HERE / "tests" / "unit" / "reading"
_DIMENSIONS = (
    "Semantic consistency",
    "Aesthetics",
    "Authenticity",
    "Spatial layout",
    "Fine-grained detail",
    "Lighting",
    "Mood",
    "Sharpness",
    "Colour",
    "Texture",
    "Depth",
    "Motion",
)
_FIRST = "Shows a red kite over two dunes with a soft evening sky, and the string runs down to the left"
_SECOND = "The kite is orange rather than red and there are 3 dunes; the horizon tilts a little"


def block_text(characters: int) -> str:
    """Three lines a dimension, as UnifiedReward-Think writes; about so many characters."""
    lines, scores = ["<think>"], []
    for number, name in enumerate(_DIMENSIONS, start=1):
        first, second = 9 - number % 3, 6 + number % 3
        scores.append((first, second))
        lines.append(
            f"{number}. {name}: \n    Image 1 ({first}/10) - {_FIRST}; \n    Image 2 ({second}/10) - {_SECOND}."
        )
        if sum(map(len, lines)) > characters - 150:
            break
    return _ended(lines, scores)


def prose_text(characters: int) -> str:
    """A sentence or two a dimension; about so many characters."""
    lines, scores = ["<think>"], []
    for name in (*_DIMENSIONS, *(f"Aspect {n}" for n in range(20))):
        scores.append((8, 6))
        lines.append(
            f"**{name}**: In terms of the caption, Image 1 shows a lovely scene with soft light, "
            "whereas Image 2, though sharper than Image 1, misses the second figure. Image 1 gets "
            "8/10 and Image 2 gets 6/10."
        )
        if sum(map(len, lines)) > characters - 150:
            break
    return _ended(lines, scores)


def _ended(lines: list[str], scores: list[tuple[int, int]]) -> str:
    sums = [
        f"Image {side + 1}: {'+'.join(str(pair[side]) for pair in scores)}={sum(pair[side] for pair in scores)}"
        for side in (0, 1)
    ]
    return "\n".join([*lines, "Total score:", *sums, "</think>", "<answer>Image 1 is better</answer>"])


TEXTS = {
    "blocks, 1.7 k": block_text(1_700),
    "prose, 1.7 k": prose_text(1_700),
    "blocks, 3.2 k": block_text(3_200),
    "prose, 3.2 k": prose_text(3_200),
}


def reader() -> Any:
    """``parse_verdict`` of the checkout that this process runs in, wherever it stands there."""
    for name in ("backend.domain.reading", "backend.domain.verdict"):
        try:
            return importlib.import_module(name).parse_verdict
        except ImportError:
            continue
    raise SystemExit("this checkout has no reader of verdicts")


def measure() -> dict[str, Any]:
    """Texts a second, and what is read of the cases, in this process."""
    from backend.domain.pairs import MediaKind

    parse = reader()
    rates = {}
    for name, text in TEXTS.items():
        assert parse(text, MediaKind.IMAGE).answer is not None
        began, count = time.process_time(), 0
        while time.process_time() - began < 0.5:
            parse(text, MediaKind.IMAGE)
            count += 1
        rates[name] = count / (time.process_time() - began)
    right = {}
    for file in sorted(CASES.glob("*.jsonl")):
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        found = [_read(parse, row, MediaKind) for row in rows]
        right[file.stem] = [found.count("right"), found.count("wrong side"), len(rows)]
    return {"rates": rates, "right": right}


def _read(parse: Any, row: dict[str, Any], kinds: Any) -> str:
    verdict = parse(row["text"], kinds(row["medium"]))
    answer = verdict.answer.value if verdict.answer else None
    wanted = [row["answer"], *(None if a == "null" else a for a in row.get("also_right", []))]
    if answer not in wanted:
        return "wrong side" if answer in ("first", "second") else "wrong"
    if row["dims"] is None:
        return "right"
    rows = {score.name.lower(): [score.first, score.second] for score in verdict.dimensions}
    return "right" if rows == row["dims"] else "wrong"


def main() -> None:
    """Measure by turns and print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--against", type=Path)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.child:
        print(json.dumps(measure()))
        return
    places = [HERE] + ([chosen.against.resolve()] if chosen.against else [])
    found: dict[Path, list[dict[str, Any]]] = {place: [] for place in places}
    for _ in range(chosen.rounds):
        for place in places:
            found[place].append(_child(place))
    print("| text | characters | " + " | ".join(f"{_name(p)}, texts/s" for p in places) + " | ratio |")
    print("|---|---|" + "---|" * (len(places) + 1))
    for name, text in TEXTS.items():
        rates = [statistics.median(one["rates"][name] for one in found[place]) for place in places]
        ratio = f"{rates[0] / rates[1]:.2f}" if len(rates) > 1 else ""
        print(f"| {name} | {len(text)} | " + " | ".join(f"{rate:.0f}" for rate in rates) + f" | {ratio} |")
    print("\n| cases | " + " | ".join(f"{_name(p)}: right | wrong side" for p in places) + " |")
    print("|---|" + "---|---|" * len(places))
    for name, (_, _, total) in found[HERE][0]["right"].items():
        cells = [found[place][0]["right"][name] for place in places]
        print(f"| {name} ({total}) | " + " | ".join(f"{right} | {wrong}" for right, wrong, _ in cells) + " |")


def _name(place: Path) -> str:
    return "here" if place == HERE else "there"


def _child(place: Path) -> dict[str, Any]:
    code = (
        f"import sys; sys.path.insert(0, {str(place)!r}); import runpy;"
        f" sys.argv = ['reading', '--child']; runpy.run_path({str(Path(__file__))!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=place, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
