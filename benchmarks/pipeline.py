"""How much of an engine's rate reaches the store.

    python -m benchmarks.pipeline                          # scripted engine, fixed latency, real JPEGs
    python -m benchmarks.pipeline --pairs 1000 100000 --latency 0 --edge 64   # memory against length
    .venv-vllm/bin/python -m benchmarks.pipeline --engine vllm   # the demo judge on real vLLM

The scripted table compares with the ideal rate, ``in flight / latency``. The table of a real engine
compares, by turns in one run, the engine alone with everything decoded and queued, Winnow's pipeline,
and a synchronous loop over batches of eight, which is what common scripts do; it gives medians.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from backend.demo.dataset import write_demo
from backend.demo.judge import shipped_judge
from backend.domain.filtering import PRESETS
from backend.domain.pairs import MediaKind, OrderPolicy
from backend.domain.prompts import default_instruction, fill_instruction, judge_messages
from backend.engines.base import Engine, EngineOptions, Request
from backend.engines.registry import load_engine
from backend.inference.pipeline import Pipeline
from backend.inference.spec import RunSpec, instructions
from backend.ingest.importer import import_dataset
from backend.media.images import read_image
from backend.store.database import Database
from backend.store.datasets import Datasets
from backend.store.runs import Runs
from backend.store.upgrade import upgrade

DISTINCT = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--engine", default="scripted", choices=("scripted", "vllm", "transformers"))
    parser.add_argument("--pairs", type=int, nargs="+", default=[512])
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--latency", type=float, default=2.0, help="seconds an answer takes (scripted)")
    parser.add_argument("--edge", type=int, default=1024, help="pixels of the JPEGs (scripted)")
    parser.add_argument("--rounds", type=int, default=3, help="of a real engine")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="winnow-pipeline-") as folder:
        if given.engine == "scripted":
            _scripted(Path(folder), given)
        else:
            _real(Path(folder), given)


def _scripted(folder: Path, given: argparse.Namespace) -> None:
    print(f"{'pairs':>8} {'seconds':>9} {'pairs/s':>9} {'of ideal':>9} {'peak RSS MB':>12}")
    script = folder / "script.jsonl"
    script.write_text(json.dumps({"text": "<think>x</think><answer>Image 1 is better</answer>"}) + "\n")
    noise = np.random.default_rng(0)
    for number in range(DISTINCT):
        coarse = noise.integers(0, 255, (given.edge // 8, given.edge // 8, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((given.edge, given.edge), Image.Resampling.BICUBIC)
        image.save(folder / f"{number}.jpg", quality=90)
    for pairs in given.pairs:
        rows = folder / f"rows-{pairs}.jsonl"
        with rows.open("w") as file:
            for number in range(pairs):
                row = {"prompt": f"caption {number}", "path1": f"{number % DISTINCT}.jpg"}
                file.write(json.dumps({**row, "path2": f"{(number + 1) % DISTINCT}.jpg"}) + "\n")
        options = EngineOptions(batch_size=given.in_flight, scripted_latency=given.latency, scripted_file=str(script))
        engine = load_engine("scripted", "scripted", options)
        seconds = _pipeline(folder / f"{pairs}.db", f"hpdv3:{rows}", engine, "scripted", options)
        engine.close()
        # The last answers of the run have nobody behind them; the ideal counts whole waves.
        waves = -(-pairs // given.in_flight)
        ideal = waves * given.latency
        share = f"{ideal / seconds:9.3f}" if given.latency else f"{'-':>9}"
        print(f"{pairs:>8} {seconds:>9.2f} {pairs / seconds:>9.1f} {share} {_peak_mb():>12.0f}")


def _real(folder: Path, given: argparse.Namespace) -> None:
    pairs = given.pairs[0]
    files = write_demo(folder, image_pairs=pairs, video_pairs=1, seed=11)
    options = EngineOptions(batch_size=given.in_flight, max_new_tokens=256)
    engine = load_engine(given.engine, str(shipped_judge()), options)
    requests = list(_decoded(files.images))
    list(engine.generate(iter(requests[: given.in_flight])))  # warm up

    def batches_of_eight() -> None:
        rest = iter(_decoded(files.images, lazily=True))
        while batch := list(islice(rest, 8)):
            list(engine.generate(iter(batch)))

    alone, ours, synchronous = [], [], []
    for number in range(given.rounds):  # by turns: two cores do not keep one speed for minutes
        alone.append(_time(lambda: list(engine.generate(iter(requests)))))
        database = folder / f"{number}.db"
        ours.append(_pipeline(database, f"hpdv3:{files.images}", engine, given.engine, options))
        synchronous.append(_time(batches_of_eight))
    engine.close()
    print(f"{'what':<28} {'seconds':>8} {'pairs/s':>8} {'of engine':>10}   each round")
    rows = (("engine alone, all decoded", alone), ("Winnow's pipeline", ours), ("loop, batch 8", synchronous))
    for name, seconds in rows:
        shares = [one / two for one, two in zip(alone, seconds, strict=True)]
        middle = median(seconds)
        each = " ".join(f"{share:.3f}" for share in shares)
        print(f"{name:<28} {middle:>8.2f} {pairs / middle:>8.1f} {median(shares):>10.3f}   {each}")


def _decoded(file: Path, *, lazily: bool = False) -> Iterable[Request]:
    rows = json.loads(file.read_text())

    def made() -> Iterator[Request]:
        for number, row in enumerate(rows):
            instruction = fill_instruction(default_instruction(MediaKind.IMAGE), row["prompt"])
            yield Request(
                id=number,
                kind=MediaKind.IMAGE,
                messages=judge_messages(MediaKind.IMAGE, instruction),
                media={
                    "first": read_image(file.parent / row["path1"]),
                    "second": read_image(file.parent / row["path2"]),
                },
                seed=number,
            )

    return made() if lazily else list(made())


def _pipeline(file: Path, source: str, engine: Engine, name: str, options: EngineOptions) -> float:
    database = Database(file)
    upgrade(database)
    dataset = import_dataset(database, name="d", spec=source, check_media=False)
    spec = RunSpec(
        model=name,
        engine=name,
        options=options,
        order=OrderPolicy.DATASET,
        instruction=instructions(None, use_cot=True),
    )
    total = Datasets(database).count(dataset.id)
    policy = PRESETS["agreement"]
    runs = Runs(database)
    with database.write() as connection:
        run_id = runs.add(
            connection,
            dataset_id=dataset.id,
            model=name,
            engine=name,
            spec=spec.model_dump(mode="json"),
            policy=policy.to_mapping(),
            total=total,
            job_id=None,
        )
    pipeline = Pipeline(
        database,
        run_id=run_id,
        dataset_id=dataset.id,
        data_root=Path(dataset.data_root),
        spec=spec,
        policy=policy,
        total=total,
    )
    seconds = _time(lambda: pipeline.run(engine))
    counts = runs.counts(run_id)
    assert counts["done"] == total, counts
    database.close()
    return seconds


def _time(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


def _peak_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    main()
