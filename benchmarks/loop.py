"""Whether the loop helps a weak judge, and what inverted labels do to the same training.

    python -m benchmarks.loop --weaken 0.32 --engine vllm             # the shipped judge, with noise
    python -m benchmarks.loop --judge FOLDER --out docs/loop          # an early checkpoint
    python -m benchmarks.loop --make-judge 2750 --work winnow-judge   # trains one that far first

Rounds of rejection sampling on rendered pairs, by ``winnow loop``'s own code: several samples of each
pair, filter, freeze, train, measure on held-out pairs whose labels are all right. Beside each
round the same training, from the same judge on the same rows, with the media of every second row
exchanged: what the common converters make of their files. Prints a table, and writes
``loop.json`` with every figure and ``loop.plotly.json`` with the picture.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from backend.demo.dataset import write_demo
from backend.demo.judge import shipped_judge
from backend.domain.filtering import PRESETS
from backend.domain.jobs import OPEN
from backend.engines.base import EngineOptions
from backend.inference.compare import Comparison, compare
from backend.inference.launch import RunRequest
from backend.loop import LoopSpec, LoopState, run, start
from backend.store.loops import Loops
from backend.training.data import data_files
from backend.training.folder import claim
from backend.training.spec import TrainingSpec
from backend.workspace import Workspace, open_workspace, settings_for

TRAIN, HELD_OUT = "loop-train", "loop-held-out"
TRAIN_SEED, HELD_OUT_SEED = 31_001, 77_003


@dataclass(frozen=True, kw_only=True)
class Row:
    """One judge on the held-out pairs; unreadable answers are not right."""

    judge: str
    right: int
    n: int
    low: float
    high: float
    p_value: float | None
    trained_rows: int | None = None
    accepted: str | None = None


def main(arguments: list[str] | None = None) -> list[Row]:
    """Everything; returns the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--judge", type=Path, help="a weak judge, such as an early checkpoint")
    parser.add_argument("--make-judge", type=int, metavar="STEPS", help="train the demo judge so far")
    parser.add_argument(
        "--weaken",
        type=float,
        metavar="SHARE",
        help="add noise of so many standard deviations to each matrix of the shipped judge",
    )
    parser.add_argument("--work", type=Path, default=Path("winnow-judge"))
    parser.add_argument("--out", type=Path, default=Path("loop"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--image-pairs", type=int, default=600)
    parser.add_argument("--video-pairs", type=int, default=300)
    parser.add_argument("--held-out", type=int, default=600, help="half of them videos")
    parser.add_argument("--wrong-share", type=float, default=0.0, help="of the recorded labels")
    parser.add_argument("--policy", default="clean")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--engine", default="transformers", help="vllm is ten times as fast")
    parser.add_argument("--workspace", type=Path, help="kept, and gone on with; else a new one")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="winnow-loop-") as temporary:
        if given.weaken:
            folder = given.workspace or Path(temporary)
            judge = weaken(shipped_judge(), folder / "weak-judge", given.weaken)
        else:
            judge = given.judge or make_judge(given.work, given.make_judge)
        space = open_workspace(settings_for(given.workspace or Path(temporary) / "ws"))
        try:
            return measure(space, judge, given)
        finally:
            space.close()


def make_judge(work: Path, steps: int | None) -> Path:
    """The demo judge as it is after so many steps of its training."""
    from backend.demo.judge_training import train_judge

    if steps is None:
        raise SystemExit("give --judge FOLDER or --make-judge STEPS")
    return train_judge(work, stop_after=steps)


def weaken(source: Path, target: Path, noise: float) -> Path:
    """A copy of a judge with normal noise, of ``noise`` times its deviation, on every matrix."""
    import torch
    from safetensors.torch import load_file, save_file

    if (target / "model.safetensors").exists():
        return target
    shutil.copytree(source, target, dirs_exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    weights = load_file(source / "model.safetensors")
    for name, value in weights.items():
        if value.ndim >= 2:
            exact = value.float()
            drawn = torch.randn(value.shape, generator=generator)
            weights[name] = (exact + noise * exact.std() * drawn).to(value.dtype)
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    return target


def measure(space: Workspace, judge: Path, given: argparse.Namespace) -> list[Row]:
    """Run the loop and the inverted trainings; print and write what they came to."""
    began = time.monotonic()
    add_datasets(space, given)
    options = EngineOptions(
        batch_size=given.batch_size, max_new_tokens=256, temperature=given.temperature, device="cpu"
    )
    spec = LoopSpec(
        dataset=TRAIN,
        model=str(judge.resolve()),
        rounds=given.rounds,
        holdout=HELD_OUT,
        engine=given.engine,
        samples=given.samples,
        policy=PRESETS[given.policy].to_mapping(),
        options=options,
        training={
            "max_epochs": given.epochs,
            "actor_learning_rate": given.learning_rate,
            "train_batch_size": 16,
            "micro_train_batch_size": 16,
            "gradient_checkpointing": False,
            "device": "cpu",
        },
    )
    known = Loops(space.database).list()
    loop_id = known[-1].id if known else start(space, spec)
    state = run(space, loop_id, say=print)
    baseline = state.baseline
    assert baseline is not None
    rows = [_row(space, "before", baseline, None)]
    for number, made in enumerate(state.made, start=1):
        training = space.training_launcher.view(made["training"])
        counts = space.runs.counts(made["run"])
        told = {
            "trained_rows": sum(f.rows for f in data_files(Path(training.row.output_dir))),
            "accepted": f"{counts['accepted']}/{counts['done']}",
        }
        rows.append(_row(space, f"round {number}", made["evaluation"], baseline, **told))
        inverted = train_inverted(training.spec)
        found = judge_held_out(space, inverted, given.engine, options)
        rows.append(_row(space, f"round {number}, every second inverted", found, baseline, **told))
    report(rows, given, state, time.monotonic() - began)
    return rows


def add_datasets(space: Workspace, given: argparse.Namespace) -> None:
    """Pairs to train on and, rendered from another seed, pairs to measure on."""
    half = given.held_out // 2
    sizes = {
        TRAIN: (TRAIN_SEED, given.image_pairs, given.video_pairs, given.wrong_share),
        HELD_OUT: (HELD_OUT_SEED, given.held_out - half, half, 0.0),
    }
    for name, (seed, images, videos, wrong) in sizes.items():
        files = write_demo(space.folder / name, seed=seed, image_pairs=images, video_pairs=videos, wrong_share=wrong)
        parts = [f"hpdv3:{files.images}"] if images else []
        parts += [f"rapidata-t2v:{files.videos}"] if videos else []
        space.add_dataset(name=name, spec=",".join(parts))


def train_inverted(spec: TrainingSpec) -> Path:
    """The same training on the same rows, the media of every second one exchanged."""
    source = Path(spec.output_dir)
    folder = source.with_name(source.name + "-inverted")
    if not (folder / "final_checkpoint").is_dir():
        again = spec.model_copy(update={"output_dir": str(folder)})
        claim(folder, "benchmarks.loop", again)
        for file in (source / "data").rglob("*"):
            target = folder / "data" / file.relative_to(source / "data")
            if file.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
        for data in data_files(folder):
            data.path.write_text(invert_every_second(data.path.read_text()))
        subprocess.run([sys.executable, "-m", "backend.training.local", str(folder)], check=True)
    return folder / "final_checkpoint"


def invert_every_second(text: str) -> str:
    """A training file whose every second row shows its media the other way round."""
    rows = json.loads(text)
    for row in rows[1::2]:
        row["images"].reverse()
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"


def judge_held_out(space: Workspace, judge: Path, engine: str, options: EngineOptions) -> int:
    """A greedy run on the held-out pairs; its id."""
    for known in space.runs.list():
        if known.model == str(judge) and known.dataset == HELD_OUT:
            return known.id
    greedy = options.model_copy(update={"temperature": 0.0})
    run_id, _ = space.launcher.start(RunRequest(dataset=HELD_OUT, model=str(judge), engine=engine, options=greedy))
    while space.runs.get(run_id).status in OPEN:
        space.supervise()
        time.sleep(0.3)
    return run_id


def _row(space: Workspace, name: str, run_id: int, baseline: int | None, **told: Any) -> Row:
    if baseline is None:
        # Against any other run: only its own side is looked at.
        others = [r for r in space.runs.list() if r.dataset == HELD_OUT and r.id != run_id]
        found = _compared(space, run_id, others[0].id).accuracy_a
        p_value = None
    else:
        comparison = _compared(space, baseline, run_id)
        found, p_value = comparison.accuracy_b, comparison.p_value
    low, high = found.interval
    return Row(judge=name, right=found.count, n=found.n, low=low, high=high, p_value=p_value, **told)


def _compared(space: Workspace, one: int, other: int) -> Comparison:
    return compare(space.database, space.runs.get(one), space.runs.get(other))


def report(rows: list[Row], given: argparse.Namespace, state: LoopState, seconds: float) -> None:
    """The table, the figures and the picture."""
    print(f"\n{'judge':<34}{'right':>10}{'share':>8}{'95 % interval':>18}{'McNemar p':>12}")
    for row in rows:
        chance = "" if row.p_value is None else f"{row.p_value:.2g}"
        interval = f"{row.low:.3f} to {row.high:.3f}"
        print(f"{row.judge:<34}{row.right:>6}/{row.n:<4}{row.right / row.n:>7.3f}{interval:>18}{chance:>12}")
    given.out.mkdir(parents=True, exist_ok=True)
    # Without paths, which say nothing elsewhere.
    told = {name: v for name, v in vars(given).items() if not isinstance(v, Path)}
    made = [{k: v for k, v in one.items() if k != "checkpoint"} for one in state.made]
    figures = {"options": told, "seconds": round(seconds), "rows": [asdict(row) for row in rows], "made": made}
    (given.out / "loop.json").write_text(json.dumps(figures, indent=2) + "\n")
    (given.out / "loop.plotly.json").write_text(picture(rows).to_json() + "\n")
    print(f"\n{seconds / 60:.0f} minutes; figures in {given.out / 'loop.json'}")


def picture(rows: list[Row]) -> go.Figure:
    """Accuracy by round with intervals, right labels beside inverted ones."""
    figure = go.Figure()
    arms = {
        "labels as shown": [row for row in rows if "inverted" not in row.judge],
        "every second label inverted": [rows[0], *(r for r in rows if "inverted" in r.judge)],
    }
    for name, arm in arms.items():
        shares = [row.right / row.n for row in arm]
        figure.add_scatter(
            x=["before", *(f"round {number}" for number in range(1, len(arm)))],
            y=shares,
            name=name,
            mode="lines+markers",
            error_y={
                "array": [row.high - share for row, share in zip(arm, shares, strict=True)],
                "arrayminus": [share - row.low for row, share in zip(arm, shares, strict=True)],
                "symmetric": False,
                "type": "data",
            },
        )
    figure.update_layout(
        title=f"Accuracy on {rows[0].n} held-out pairs, 95 % intervals", yaxis={"title": "share right", "range": [0, 1]}
    )
    return figure


if __name__ == "__main__":
    main()
