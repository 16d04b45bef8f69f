"""A loop that is killed, doubled, stuck or given up: with real processes and a scripted judge."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from backend.engines.base import EngineOptions
from backend.loop import LoopSpec, LoopState, Step, start
from backend.store.loops import Loops
from backend.workspace import Workspace, open_workspace, settings_for
from tests.integration.conftest import Winnow
from tests.integration.test_bad_input import one_line

PAIRS = 6
WAIT_S = 120
"""A busy machine."""

pytestmark = pytest.mark.timeout(600)

TRAINER = """
import pathlib, shutil, sys
out, model = map(pathlib.Path, sys.argv[1:])
if (pathlib.Path(__file__).parent / "broken").exists():
    sys.exit("out of luck")
shutil.copytree(model, out, dirs_exist_ok=True)
"""

KILLED_AT_ITS_SECOND_NOTE = """
import os, signal, sys
from backend.cli.main import main
from backend.loop.driver import Hold
save, notes = Hold.save, []
def second(*values):
    notes.append(1)
    if len(notes) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    save(*values)
Hold.save = second
sys.exit(main(sys.argv[1:]))
"""


@dataclass
class Bench:
    """A workspace with datasets ``train`` and ``held``, a judge, and a trainer that copies it."""

    folder: Path
    space: Workspace
    drivers: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *, latency: float = 0.0, **values: Any) -> int:
        options = EngineOptions(batch_size=1, scripted_file=str(self.folder / "texts.jsonl"), scripted_latency=latency)
        command = (sys.executable, str(self.folder / "trainer.py"), "{output}", "{model}")
        wanted = {
            "dataset": "train",
            "model": str(self.folder / "judge"),
            "engine": "scripted",
            "options": options,
            "rounds": 1,
            "samples": 1,
            "trainer": "command",
            "balance": False,
            "order": "dataset",  # the texts all answer first, and in the file's order that is right
            "training": {"command": command, "train_batch_size": 1, "device": "cpu"},
            **values,
        }
        return start(self.space, LoopSpec.model_validate(wanted))

    def resume_in_background(self) -> subprocess.Popen[str]:
        driver = subprocess.Popen(
            [sys.executable, "-m", "backend.cli", "loop", "resume", "1", "--workspace", self.folder / "ws"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.drivers.append(driver)
        return driver

    def resume_until_its_second_note(self) -> subprocess.Popen[str]:
        """Goes on with the loop, and is killed where it writes down how far it is a second time."""
        driver = subprocess.Popen(
            [sys.executable, "-c", KILLED_AT_ITS_SECOND_NOTE, "loop", "resume", "1", "--workspace", self.folder / "ws"],
            stdout=subprocess.DEVNULL,
            text=True,
        )
        self.drivers.append(driver)
        return driver

    @property
    def state(self) -> LoopState:
        return LoopState.model_validate(Loops(self.space.database).get(1).state)


def wait_for(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_S
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "judge").mkdir()
    (tmp_path / "judge" / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
    (tmp_path / "judge" / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    (tmp_path / "trainer.py").write_text(TRAINER)
    (tmp_path / "texts.jsonl").write_text(
        json.dumps({"text": "<think>so</think><answer>Image 1 is better</answer>"}) + "\n"
    )
    opened = open_workspace(settings_for(tmp_path / "ws"))
    for name, colour in (("train", 40), ("held", 90)):
        folder = tmp_path / name
        folder.mkdir()
        lines = []
        for number in range(PAIRS):
            for side in ("a", "b"):
                shade = (colour, 20 * number, 200 if side == "a" else 0)
                Image.new("RGB", (32, 32), shade).save(folder / f"{number}{side}.png")
            lines.append(
                json.dumps(
                    {
                        "prompt": f"{name} {number}",
                        "first": f"{number}a.png",
                        "second": f"{number}b.png",
                        "preference": "first",
                    }
                )
            )
        (folder / "pairs.jsonl").write_text("\n".join(lines) + "\n")
        opened.add_dataset(name=name, spec=f"pairs:{folder / 'pairs.jsonl'}")
    made = Bench(tmp_path, opened)
    yield made
    for driver in made.drivers:
        driver.kill()
        driver.communicate()
    opened.close()


def test_a_loop_killed_while_it_judged_still_waits_for_its_review(winnow: Winnow, bench: Bench) -> None:
    bench.start(latency=0.5, pause_for_review=True)
    driver = bench.resume_in_background()
    wait_for(lambda: bench.state.now.get("run"))
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    (listed,) = winnow("loop", "list", "--json").json
    assert (listed["step"], listed["driver"]) == ("infer", None)
    waiting = winnow("loop", "resume", 1)
    assert "waiting for a review" in waiting.out
    assert bench.state.step is Step.REVIEW
    assert winnow("set", "list", "--json").json == []
    assert winnow("loop", "resume", 1, "--json").json["step"] == "done"
    assert len(winnow("run", "list", "--json").json) == 1, "nothing was judged twice"


def test_a_review_in_one_round_does_not_count_for_the_next(winnow: Winnow, bench: Bench) -> None:
    bench.start(rounds=2, pause_for_review=True)
    for number in (1, 2):
        told = winnow("loop", "resume", 1, "--json").json
        assert (told["step"], told["round"]) == ("review", number)
    assert winnow("loop", "resume", 1, "--json").json["step"] == "done"


def test_a_loop_has_one_driver_at_a_time_and_a_killed_one_lets_go(winnow: Winnow, bench: Bench) -> None:
    bench.start()
    driver = bench.resume_in_background()
    wait_for(lambda: bench.state.now.get("run"))
    # It lives, and does nothing for as long as this machine takes to start the others.
    os.kill(driver.pid, signal.SIGSTOP)
    refused = winnow("loop", "resume", 1, code=1)
    one_line(refused, f"loop 1 is going on already, in process {driver.pid} on ")
    assert f"process {driver.pid}" in winnow("loop", "list").out
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert winnow("loop", "resume", 1, "--json").json["step"] == "done"
    assert len(winnow("run", "list", "--json").json) == 1
    assert len(winnow("train", "list", "--json").json) == 1
    assert len(winnow("set", "list", "--json").json) == 1


def test_a_cancelled_loop_stops_its_driver_and_its_run_and_cannot_go_on(winnow: Winnow, bench: Bench) -> None:
    bench.start(latency=20.0)
    driver = bench.resume_in_background()
    wait_for(lambda: bench.state.now.get("run") and bench.space.runs.get(1).status == "running")
    winnow("loop", "cancel", 1)
    assert winnow("run", "show", 1, "--json").json["status"] == "cancelled"
    _, said = driver.communicate(timeout=WAIT_S)
    assert driver.returncode == 1 and "error: loop 1 was cancelled" in said
    one_line(winnow("loop", "resume", 1, code=1), "loop 1 was cancelled")
    (listed,) = winnow("loop", "list", "--json").json
    assert (listed["step"], listed["driver"]) == ("cancelled", None)
    assert listed["made"][0]["run"] == 1, "what it made stays"
    assert "cancelled" in winnow("loop", "show", 1).out
    winnow("loop", "cancel", 1)


def test_balancing_that_leaves_nothing_says_so_and_the_loop_goes_on_without_it(winnow: Winnow, bench: Bench) -> None:
    bench.start(balance=True)
    for _ in range(2):
        stuck = winnow("loop", "resume", 1, code=1)
        one_line(stuck, f"balancing leaves nothing of the {PAIRS} accepted in run 1")
        assert "all of them answer first" in stuck.err and "--no-balance" in stuck.err
    done = winnow("loop", "resume", 1, "--no-balance", "--json").json
    assert done["step"] == "done"
    shown = winnow("set", "show", done["made"][0]["set"], "--json").json
    assert shown["counts"]["items"] == PAIRS
    late = winnow("loop", "resume", 1, "--balance", code=2)
    one_line(late, "--balance: loop 1 has nothing left to freeze")


def test_a_loop_of_which_nothing_is_accepted_goes_on_under_another_policy(winnow: Winnow, bench: Bench) -> None:
    bench.start(policy={"name": "strict", "min_margin": 3})
    stuck = winnow("loop", "resume", 1, code=1)
    one_line(stuck, "nothing is accepted")
    assert "winnow run filter 1 --policy" in stuck.err
    winnow("run", "filter", 1, "--policy", "agreement")
    assert winnow("loop", "resume", 1, "--json").json["step"] == "done"


def test_a_training_that_failed_is_tried_anew_with_other_options_and_keeps_its_folder(
    winnow: Winnow, bench: Bench
) -> None:
    (bench.folder / "broken").touch()
    loop_id = bench.start()
    stuck = winnow("loop", "resume", loop_id, code=1)
    assert "training 1 failed" in stuck.err and "--train NAME=VALUE" in stuck.err
    one_line(winnow("loop", "resume", 1, "--train", "nonsense=1", code=2), "--train nonsense")
    one_line(winnow("loop", "resume", 1, "--train", "model=/x", code=2), "--train model")
    assert bench.state.now["training"] == 1, "a refused change changes nothing"
    (bench.folder / "broken").unlink()
    done = winnow("loop", "resume", 1, "--train", "lora_rank=8", "--json").json
    (made,) = done["made"]
    assert (done["step"], made["training"], made["given_up"]) == ("done", 2, [1])
    first, second = winnow("train", "list", "--json").json
    assert Path(first["output_dir"]).name == "round-1" and Path(first["output_dir"]).is_dir()
    assert Path(second["output_dir"]).name == "round-1-2"
    spec = winnow("train", "show", 2, "--json").json["spec"]
    assert spec["lora"]["rank"] == 8 and spec["train_batch_size"] == 1
    late = winnow("loop", "resume", 1, "--train", "max_epochs=1", code=2)
    one_line(late, "--train: loop 1 has nothing left to train")


def test_options_replaced_after_a_rounds_training_are_those_of_the_next_round(winnow: Winnow, bench: Bench) -> None:
    bench.start(rounds=2, pause_for_review=True)
    winnow("loop", "resume", 1)
    told = winnow("loop", "resume", 1, "--json").json
    assert (told["step"], told["round"]) == ("review", 2)
    winnow("loop", "resume", 1, "--train", "max_epochs=7")
    epochs = [winnow("train", "show", n, "--json").json["spec"]["max_epochs"] for n in (1, 2)]
    assert epochs == [3, 7]


def test_a_loop_killed_before_each_note_makes_nothing_twice(winnow: Winnow, bench: Bench) -> None:
    bench.start(holdout="held")
    killed = 0
    while (driver := bench.resume_until_its_second_note()).wait() == -signal.SIGKILL:
        killed += 1
        assert killed < 12, "it does not get on"
    assert driver.returncode == 0
    assert killed > 5
    state = bench.state
    assert state.step is Step.DONE
    runs = winnow("run", "list", "--json").json
    noted = {state.baseline, state.now["run"], state.now["evaluation"]}
    assert {run["id"] for run in runs} == noted
    assert {run["status"] for run in runs} == {"finished"}
    (training,) = winnow("train", "list", "--json").json
    assert (training["id"], training["status"]) == (state.now["training"], "finished")
    shown = winnow("train", "show", training["id"], "--json").json
    assert [row["run"] for row in shown["evaluations"]] == [state.now["evaluation"]]
    assert len(winnow("set", "list", "--json").json) == 1


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("nonsense=1", "--train nonsense: a training has no such option"),
        ("actor_learning_rate=abc", "--train actor_learning_rate: "),
        ("model=/x", "--train model: that is the loop's own"),
        ("lora_rank=0", "--train lora_rank: "),
    ],
)
def test_a_wrong_option_is_refused_by_the_command_before_anything_is_judged(
    winnow: Winnow, bench: Bench, word: str, said: str
) -> None:
    refused = winnow("loop", "--dataset", "train", "--model", bench.folder / "judge", "--train", word, code=2)
    one_line(refused, said)
    assert winnow("loop", "list", "--json").json == winnow("run", "list", "--json").json == []
