"""A large workspace for measuring the dashboard: many predictions, few media that all pairs share.

    python -m benchmarks.big_workspace FOLDER --pairs 100000 --samples 10

Run 1 judges every pair several times in dataset order, run 3 again, run 4 in swapped order; run 2 is
empty, for a writer. One pair in fifty is of videos, and one prediction in fifty has been ruled on.
Rows are written directly: what is measured is the dashboard, not the judge. Every text is parsed
once, so that scores, flaws and decisions are those that a run would have stored.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter
from sqlalchemy import bindparam, insert, update

from backend.demo.coding import encode_mp4
from backend.demo.scenes import random_caption, render_clip, scene_for
from backend.domain.pairs import MediaKind
from backend.domain.reading import flaw_mask, parse_verdict, reasoning_hash
from backend.store.database import Database
from backend.store.schema import datasets, pairs, predictions, reviews, runs, verdicts
from backend.store.upgrade import upgrade

IMAGES = 48
VIDEOS = 8
CHUNK = 1_000
_TEXTS = 400
_EVERY = 50


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


def make_videos(folder: Path, count: int = VIDEOS) -> None:
    """Clips of two seconds."""
    for number in range(count):
        rng = random.Random(number)
        scene = scene_for(random_caption(rng), MediaKind.VIDEO, None, rng)
        (folder / f"{number:03d}.mp4").write_bytes(encode_mp4(render_clip(scene, rng)))


def _colour(rng: random.Random) -> tuple[int, int, int]:
    return (rng.randrange(256), rng.randrange(256), rng.randrange(256))


_THINGS = (
    "second subject",
    "light",
    "season",
    "left hand",
    "sign",
    "water",
    "shadow under the table",
    "row of boats",
    "background",
    "face",
    "lantern",
    "brushwork",
    "perspective",
    "reflection",
)


def texts(kind: MediaKind) -> list[str]:
    """About 800 characters with scores; one in five wrong sums, one in fifteen without an answer."""
    made = []
    word = kind.value.capitalize()
    middle = "Aesthetics" if kind is MediaKind.IMAGE else "Temporal coherence"
    for number in range(_TEXTS):
        rng = random.Random(number)
        one = [rng.randrange(3, 11) for _ in range(3)]
        two = [rng.randrange(3, 11) for _ in range(3)]
        lines = [
            f"{name}: {word} 1 keeps to what was asked for, in {rng.randrange(2, 9)} places, and its "
            f"{rng.choice(_THINGS)} holds up when looked at closely ({a}/10); {word} 2 leaves out the "
            f"{rng.choice(_THINGS)} and makes little of the {rng.choice(_THINGS)} ({b}/10)"
            for name, a, b in zip(("Semantic consistency", middle, "Authenticity"), one, two, strict=True)
        ]
        lines.append(
            f"Overall {word} 1 is the calmer of the two and {word} 2 the busier; what decides is the "
            f"{rng.choice(_THINGS)}, and only then the {rng.choice(_THINGS)}."
        )
        total = sum(one) + (number % 5 == 4)
        lines += ["Total score:", f"{word} 1: {total}", f"{word} 2: {sum(two)}"]
        better = 1 if sum(one) >= sum(two) else 2
        answer = "" if number % 15 == 14 else f"<answer>{word} {better} is better</answer>"
        made.append("<think>\n" + "\n".join(lines) + "\n</think>\n" + answer)
    return made


def build(folder: Path, pair_count: int, samples: int) -> None:
    """Make the workspace; ``samples`` predictions a pair in all."""
    folder.mkdir(parents=True, exist_ok=True)
    make_images(folder / "media")
    make_videos(folder / "media")
    database = Database(folder / "winnow.db")
    upgrade(database)
    others = samples // 5
    shares = {1: samples - 2 * others, 2: 0, 3: others, 4: others}
    _frame(database, folder / "media", pair_count, shares)
    for start in range(0, pair_count, CHUNK):
        numbers = range(start, min(start + CHUNK, pair_count))
        with database.write() as connection:
            connection.execute(insert(pairs), [_pair(n) for n in numbers])
    judged = {
        (kind, order): [_judged(text, kind, order) for text in texts(kind)]
        for kind in MediaKind
        for order in ("dataset", "swapped")
    }
    last = 0
    for run_id, share in shares.items():
        order = "swapped" if run_id == 4 else "dataset"
        for start in range(0, pair_count if share else 0, CHUNK):
            new_predictions, new_verdicts = [], []
            for pair in range(start, min(start + CHUNK, pair_count)):
                for sample in range(share):
                    last += 1
                    place = {"run_id": run_id, "pair_id": pair + 1, "shown_order": order, "sample": sample}
                    text, verdict = judged[_kind(pair), order][(pair * 7 + sample * 13 + run_id) % _TEXTS]
                    new_predictions.append({"id": last, "text": text, "created_at": 0.0, **place})
                    new_verdicts.append({"prediction_id": last, **place, **verdict})
            with database.write() as connection:
                connection.execute(insert(predictions), new_predictions)
                connection.execute(insert(verdicts), new_verdicts)
    _rule(database, last)
    with database.write() as connection:
        connection.exec_driver_sql("ANALYZE")
    database.close()


def _frame(database: Database, media: Path, pair_count: int, shares: dict[int, int]) -> None:
    with database.write() as connection:
        connection.execute(
            insert(datasets).values(
                id=1,
                name="large",
                source="hpdv3",
                spec="hpdv3:large.json",
                data_root=str(media),
                status="ready",
                fingerprint="0" * 64,
                created_at=time.time(),
                counts={"rows": pair_count, "pairs": pair_count},
            )
        )
        for number, share in shares.items():
            connection.execute(
                insert(runs).values(
                    id=number,
                    dataset_id=1,
                    model=f"judge-{number}",
                    engine="import",
                    spec={},
                    policy={},
                    total=pair_count * share,
                    progress={},
                    created_at=time.time(),
                )
            )


def _rule(database: Database, last: int) -> None:
    """Rulings of three people, some tagged."""

    def some() -> Iterator[dict[str, object]]:
        for number, prediction in enumerate(range(1, last + 1, _EVERY)):
            rng = random.Random(number)
            yield {
                "b_prediction": prediction,
                "ruling": rng.choice(("accept", "accept", "reject", "flag")),
                "reviewer": rng.choice(("Ada", "Bob", "Cid")),
                "tags": {"tags": ["hands"] if number % 40 == 0 else []},
                "reviewed_at": 1e9 + number,
            }

    v = verdicts.c
    with database.write() as connection:
        for ruling in some():
            row = connection.execute(verdicts.select().where(v.prediction_id == ruling["b_prediction"])).one()
            connection.execute(
                insert(reviews).values(
                    prediction_id=row.prediction_id,
                    run_id=row.run_id,
                    ruling=ruling["ruling"],
                    shown_order=row.shown_order,
                    note="",
                    tags=ruling["tags"],
                    reviewer=ruling["reviewer"],
                    created_at=ruling["reviewed_at"],
                    replaced={"effective": row.effective, "ruling": None, "review_id": None},
                )
            )
            decided = {"accept": "accepted", "reject": "rejected"}.get(str(ruling["ruling"]))
            connection.execute(
                update(verdicts).where(v.prediction_id == bindparam("b_prediction")),
                {
                    "b_prediction": row.prediction_id,
                    "ruling": ruling["ruling"],
                    "reviewer": ruling["reviewer"],
                    "reviewed_at": ruling["reviewed_at"],
                    "effective": decided or row.effective,
                },
            )


def _kind(pair: int) -> MediaKind:
    return MediaKind.VIDEO if pair % _EVERY == _EVERY - 1 else MediaKind.IMAGE


def _pair(number: int) -> dict[str, object]:
    kind = _kind(number)
    count, suffix = (IMAGES, "jpg") if kind is MediaKind.IMAGE else (VIDEOS, "mp4")
    return {
        "id": number + 1,
        "dataset_id": 1,
        "idx": number,
        "key": f"{number:032x}",
        "kind": kind.value,
        "prompt": f"a quiet harbour at dawn with {number % 97} red boats, scene {number}",
        "first_path": f"{number % count:03d}.{suffix}",
        "second_path": f"{(number * 5 + 1) % count:03d}.{suffix}",
        "preference": "first",
        "media_ok": True,
        "extra": {"model1": f"painter-{number % 5}", "model2": f"painter-{number % 7}"},
    }


def _judged(text: str, kind: MediaKind, order: str) -> tuple[str, dict[str, object]]:
    verdict = parse_verdict(text, kind)
    preferred = "first" if order == "dataset" else "second"
    decision, reason = (
        ("rejected", "unreadable")
        if verdict.answer is None
        else ("accepted", "agrees")
        if verdict.answer == preferred
        else ("rejected", "disagrees")
    )
    return text, {
        "preferred": preferred,
        "answer": verdict.answer and verdict.answer.value,
        "margin": verdict.margin,
        "flaws": flaw_mask(verdict.flaws),
        "reasoning_hash": reasoning_hash(verdict.reasoning),
        "scores": verdict.to_scores_json(),
        "kind": kind.value,
        "text_length": len(text),
        "decision": decision,
        "reason": reason,
        "effective": decision,
    }


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
