"""Small real workspaces for tests of the dashboard: real files, judged by the scripted engine's path.

Built without processes, so that it takes a second: the texts come in as an import of predictions does.
"""

from __future__ import annotations

import functools
import json
import random
from pathlib import Path

from PIL import Image, ImageDraw

from backend.demo.coding import encode_mp4
from backend.demo.scenes import DEFECTS, random_caption, render_clip, scene_for
from backend.domain.filtering import Policy
from backend.domain.pairs import MediaKind
from backend.inference.imports import import_predictions
from backend.inference.spec import RunSpec, instructions
from backend.ingest.importer import import_dataset
from backend.workspace import Workspace, open_workspace, settings_for

IMAGE_PAIRS = 24
VIDEO_PAIRS = 6


def build_workspace(
    folder: Path, *, images: int = IMAGE_PAIRS, videos: int = VIDEO_PAIRS, url: str | None = None
) -> Workspace:
    """A workspace with ``images`` image pairs (two runs) and ``videos`` video pairs (one run).

    In run 1 (images, dataset order) every third answer is wrong and every eighth is unreadable; run 2
    judges the same pairs in both orders, two samples each; run 3 judges the videos.

    Args:
        url: The database, instead of the folder's own.
    """
    media = folder / "media"
    write_image_pairs(media / "t2i", images)
    write_video_pairs(media / "t2v", videos)
    settings = settings_for(folder)
    space = open_workspace(settings.model_copy(update={"database_url": url}) if url else settings)
    import_dataset(space.database, name="pictures", spec=f"hpdv3:{media / 't2i' / 'pairs.json'}", data_root=None)
    import_dataset(space.database, name="clips", spec=f"pairs:{media / 't2v' / 'pairs.jsonl'}", data_root=None)
    first = [_row(i, "dataset", 0, _text(i, "image", wrong=i % 3 == 2, broken=i % 8 == 7)) for i in range(images)]
    both = [
        _row(i, order, sample, _text(i, "image", wrong=(i + sample) % 4 == 3, swapped=order == "swapped"))
        for i in range(images)
        for order in ("dataset", "swapped")
        for sample in (0, 1)
    ]
    clips = [_row(i, "dataset", 0, _text(i, "video", wrong=i % 3 == 1)) for i in range(videos)]
    for dataset, rows, name in (("pictures", first, "a"), ("pictures", both, "b"), ("clips", clips, "c")):
        path = folder / f"predictions-{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        spec = RunSpec(model=f"judge-{name}", engine="import", instruction=instructions(None, use_cot=True))
        row = space.datasets.get(dataset)
        run_id = import_predictions(space.database, row.id, spec, Policy(), path)
        assert run_id
    return space


def write_image_pairs(folder: Path, count: int) -> None:
    """Pairs in HPDv3 layout whose better image says WIN and is green; the other says LOSE and is red."""
    folder.mkdir(parents=True)
    rows = []
    for i in range(count):
        for side, colour, word in (("win", (60, 150, 80), "WIN"), ("lose", (180, 70, 60), "LOSE")):
            image = Image.new("RGB", (320, 240 if i % 2 else 320), colour)
            ImageDraw.Draw(image).text((12, 12), f"{word} {i}", fill="white", font_size=32)
            image.save(folder / f"{i:03d}-{side}.jpg", quality=85)
        rows.append(
            {
                "prompt": f"a green sign that says WIN, number {i}",
                "path1": f"{i:03d}-win.jpg",
                "path2": f"{i:03d}-lose.jpg",
                "model1": "painter-a",
                "model2": "painter-b",
            }
        )
    (folder / "pairs.json").write_text(json.dumps(rows), encoding="utf-8")


def write_video_pairs(folder: Path, count: int) -> None:
    """Pairs of two-second H.264 clips; the first is always the better one."""
    folder.mkdir(parents=True)
    lines = []
    for i, (caption, *clips) in enumerate(_clips(count)):
        for side, data in zip(("first", "second"), clips, strict=True):
            (folder / f"{i}-{side}.mp4").write_bytes(data)
        lines.append(
            json.dumps(
                {"prompt": caption, "first": f"{i}-first.mp4", "second": f"{i}-second.mp4", "preference": "first"}
            )
        )
    (folder / "pairs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


@functools.cache
def _clips(count: int) -> list[tuple[str, bytes, bytes]]:
    """Caption, better and worse clip. Kept, because hundreds of tests want the same and encoding them
    is most of what a workspace costs."""
    rng = random.Random(7)
    made = []
    for _ in range(count):
        caption = random_caption(rng)
        better, worse = (
            encode_mp4(render_clip(scene_for(caption, MediaKind.VIDEO, defect, rng), rng))
            for defect in (None, rng.choice(DEFECTS[MediaKind.VIDEO]))
        )
        made.append((caption.text, better, worse))
    return made


def _row(index: int, order: str, sample: int, text: str) -> dict[str, object]:
    return {"index": index, "order": order, "sample": sample, "text": text}


def _text(i: int, kind: str, *, wrong: bool = False, broken: bool = False, swapped: bool = False) -> str:
    """A judge's text about a pair whose first side (dataset order) is better."""
    name = "Image" if kind == "image" else "Video"
    middle = "Aesthetics" if kind == "image" else "Temporal coherence"
    good, bad = (9, 8, 8 - i % 2), (6 + i % 2, 7, 5)
    first_wins = (not wrong) != swapped
    one, two = (good, bad) if first_wins else (bad, good)
    better = 1 if first_wins else 2
    total = sum(one) + (1 if i % 5 == 4 else 0)  # every fifth states a total that is no sum
    lines = [
        f"Semantic consistency: {name} 1 shows what the caption asks for ({one[0]}/10); "
        f"{name} 2 follows it less closely ({two[0]}/10)",
        f"{middle}: {name} 1 is well composed ({one[1]}/10); {name} 2 is plain ({two[1]}/10)",
        f"Authenticity: {name} 1 looks real ({one[2]}/10); {name} 2 has artefacts ({two[2]}/10)",
        "Total score:",
        f"{name} 1: {'+'.join(map(str, one))}={total}",
        f"{name} 2: {'+'.join(map(str, two))}={sum(two)}",
        f"Pair {i} was looked at twice.",
    ]
    answer = "" if broken else f"<answer>{name} {better} is better</answer>"
    return "<think>\n" + "\n".join(lines) + "\n</think>\n" + answer


__all__ = ["IMAGE_PAIRS", "VIDEO_PAIRS", "build_workspace", "write_image_pairs", "write_video_pairs"]


HOSTILE = (
    "<img src=x onerror=\"window.pwned='html'\"><script>window.pwned='script'</script>",
    "[click](javascript:window.pwned='link') ![x](https://example.invalid/track.png) **bold** :red[x]",
    "$\\href{javascript:window.pwned='latex'}{x}$ $$\\frac{1}{0}$$",
    "\x1b[31mred\x1b[0m \x07 \u202egnp.exe\u2066 \x00end",
    "`code` | a | b |\n|---|---|\n# heading\n- list\n> quote",
    "%{customdata}<b>bold</b><br>&lt;i&gt;",
)
"""Texts that would do something where they are interpreted."""


def build_hostile_workspace(folder: Path) -> Workspace:
    """Every text that others write is hostile: captions, reasoning, models, generators, notes, tags."""
    media = folder / "media"
    media.mkdir(parents=True)
    rows = []
    for i, text in enumerate((*HOSTILE, "x" * 1_000_000)):
        for side in ("a", "b"):
            Image.new("RGB", (64, 64), (40 * (i % 6), 90, 120)).save(media / f"{i}{side}.png")
        rows.append(
            {
                "prompt": text.replace("\x00", "\\u0000"),
                "path1": f"{i}a.png",
                "path2": f"{i}b.png",
                "model1": text[:200],
                "model2": "plain",
            }
        )
    (media / "pairs.json").write_text(json.dumps(rows), encoding="utf-8")
    space = open_workspace(settings_for(folder))
    import_dataset(space.database, name=HOSTILE[0][:80], spec=f"hpdv3:{media / 'pairs.json'}", data_root=None)
    dataset = space.datasets.list()[0]
    lines = [
        json.dumps(
            {
                "index": i,
                "text": f"<think>{text[:400_000]}\nQuality: Image 1: 8/10, Image 2: 3/10"
                f"</think><answer>Image {1 + i % 2} is better</answer>",
            }
        )
        for i, text in enumerate((*HOSTILE, "y" * 1_000_000))
    ]
    texts = folder / "texts.jsonl"
    texts.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name in (HOSTILE[0], HOSTILE[1]):
        spec = RunSpec(model=name, engine="import", instruction=instructions(None, use_cot=True))
        import_predictions(space.database, dataset.id, spec, Policy(), texts)
    for prediction, text in enumerate(HOSTILE[:3], start=1):
        space.rulings.add(prediction, "accept", note=text, tags=[text[:60]], reviewer=text[:60].replace("\x00", ""))
    return space
