"""A large workspace for measuring the dashboard: many predictions, few images that all pairs share.

    python -m benchmarks.big_workspace FOLDER --pairs 100000 --samples 10

Rows are written directly: what is measured is the dashboard, not the judge. Every text is parsed
once, so that scores, flaws and decisions are those that a run would have stored.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter
from sqlalchemy import insert

from backend.domain.pairs import MediaKind
from backend.domain.verdict import flaw_mask, parse_verdict, reasoning_hash
from backend.store.database import Database
from backend.store.schema import datasets, pairs, predictions, runs, verdicts
from backend.store.upgrade import upgrade

IMAGES = 48
CHUNK = 1_000
_TEXTS = 400


def make_images(folder: Path, count: int = IMAGES, size: int = 768) -> None:
    """Photo-like JPEGs of about 100 kB: soft shapes under grain."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        rng = random.Random(number)
        image = Image.new("RGB", (size, size if number % 3 else size * 3 // 4), _colour(rng))
        draw = ImageDraw.Draw(image)
        for _ in range(40):
            x, y, r = rng.randrange(size), rng.randrange(size), rng.randrange(20, 200)
            draw.ellipse((x - r, y - r, x + r, y + r), fill=_colour(rng))
        image = image.filter(ImageFilter.GaussianBlur(6))
        grain = Image.effect_noise(image.size, 40).convert("RGB")
        Image.blend(image, grain, 0.12).save(folder / f"{number:03d}.jpg", quality=88)


def _colour(rng: random.Random) -> tuple[int, int, int]:
    return (rng.randrange(256), rng.randrange(256), rng.randrange(256))


def texts() -> list[str]:
    """Reasoning with scores, one in five wrong sums, one in fifteen without an answer."""
    made = []
    for number in range(_TEXTS):
        rng = random.Random(number)
        one = [rng.randrange(3, 11) for _ in range(3)]
        two = [rng.randrange(3, 11) for _ in range(3)]
        lines = [
            f"{name}: Image 1 keeps to what was asked for, in {rng.randrange(2, 9)} places ({a}/10); "
            f"Image 2 leaves out the {rng.choice(('second subject', 'light', 'season'))} ({b}/10)"
            for name, a, b in zip(
                ("Semantic consistency", "Aesthetics", "Authenticity"), one, two, strict=True
            )
        ]
        total = sum(one) + (number % 5 == 4)
        lines += ["Total score:", f"Image 1: {total}", f"Image 2: {sum(two)}"]
        better = 1 if sum(one) >= sum(two) else 2
        answer = "" if number % 15 == 14 else f"<answer>Image {better} is better</answer>"
        made.append("<think>\n" + "\n".join(lines) + "\n</think>\n" + answer)
    return made


def build(folder: Path, pair_count: int, samples: int) -> None:
    """Run 1 judges every pair ``samples`` times in dataset order; run 2 is empty, for a writer."""
    folder.mkdir(parents=True, exist_ok=True)
    make_images(folder / "media")
    database = Database(folder / "winnow.db")
    upgrade(database)
    _frame(database, folder / "media", pair_count, samples)
    judged = [_judged(text) for text in texts()]
    for start in range(0, pair_count, CHUNK):
        numbers = range(start, min(start + CHUNK, pair_count))
        with database.write() as connection:
            connection.execute(insert(pairs), [_pair(n) for n in numbers])
            keys = [(n, sample) for n in numbers for sample in range(samples)]
            chosen = [judged[(n * 7 + sample * 13) % _TEXTS] for n, sample in keys]
            first = start * samples + 1
            places = [
                {"run_id": 1, "pair_id": n + 1, "shown_order": "dataset", "sample": sample}
                for n, sample in keys
            ]
            connection.execute(
                insert(predictions),
                [
                    {"id": first + i, "text": text, "created_at": 0.0, **places[i]}
                    for i, (text, _) in enumerate(chosen)
                ],
            )
            connection.execute(
                insert(verdicts),
                [
                    {"prediction_id": first + i, **places[i], **verdict}
                    for i, (_, verdict) in enumerate(chosen)
                ],
            )
    database.close()


def _frame(database: Database, media: Path, pair_count: int, samples: int) -> None:
    with database.write() as connection:
        connection.execute(
            insert(datasets).values(
                id=1, name="large", source="hpdv3", spec="hpdv3:large.json", data_root=str(media),
                status="ready", fingerprint="0" * 64, created_at=time.time(),
                counts={"rows": pair_count, "pairs": pair_count},
            )
        )  # fmt: skip
        for number, total in ((1, pair_count * samples), (2, 0)):
            connection.execute(
                insert(runs).values(
                    id=number, dataset_id=1, model=f"judge-{number}", engine="import", spec={},
                    policy={}, total=total, progress={}, created_at=time.time(),
                )
            )  # fmt: skip


def _pair(number: int) -> dict[str, object]:
    return {
        "id": number + 1, "dataset_id": 1, "idx": number, "key": f"{number:032x}", "kind": "image",
        "prompt": f"a quiet harbour at dawn with {number % 97} red boats, scene {number}",
        "first_path": f"{number % IMAGES:03d}.jpg",
        "second_path": f"{(number * 5 + 1) % IMAGES:03d}.jpg",
        "preference": "first", "media_ok": True, "extra": {},
    }  # fmt: skip


def _judged(text: str) -> tuple[str, dict[str, object]]:
    verdict = parse_verdict(text, MediaKind.IMAGE)
    agrees = verdict.answer == "first"
    decision, reason = (
        ("rejected", "unreadable")
        if verdict.answer is None
        else ("accepted", "agrees") if agrees else ("rejected", "disagrees")
    )  # fmt: skip
    return text, {
        "preferred": "first", "answer": verdict.answer and verdict.answer.value,
        "margin": verdict.margin, "flaws": flaw_mask(verdict.flaws),
        "reasoning_hash": reasoning_hash(verdict.reasoning), "scores": verdict.to_scores_json(),
        "kind": "image", "text_length": len(text), "decision": decision, "reason": reason,
        "effective": decision,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--samples", type=int, default=10)
    options = parser.parse_args()
    begun = time.perf_counter()
    build(options.folder, options.pairs, options.samples)
    size = (options.folder / "winnow.db").stat().st_size / 1e6
    rows = options.pairs * options.samples
    print(f"{rows:,} predictions, {size:,.0f} MB, {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
