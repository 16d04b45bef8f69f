"""The steps of a loop's rounds, each of which leaves the loop one further."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from backend.curation.sets import Balance
from backend.domain.jobs import OPEN, JobStatus
from backend.errors import ReviewError, RunError, TrainingError, UsageError
from backend.hints import Action, Do, Field, Hint
from backend.loop.checks import check_training, training_spec, with_values
from backend.loop.driver import Hold
from backend.loop.serving import JudgeServer, check_serving
from backend.loop.spec import LoopSpec, LoopState, Step
from backend.store.loops import LoopRow
from backend.store.runs import RunRow
from backend.store.sets import SetRow
from backend.store.trainings import TrainingRow
from backend.training.judging import judge_of
from backend.training.spec import TrainingSpec
from backend.workspace import Workspace

_POLL_S = 0.3

_Job = TypeVar("_Job", RunRow, TrainingRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Options of a loop to replace; what is empty or ``None`` stays as it is.

    Attributes:
        training: By name, as in :class:`LoopSpec`; ``None`` goes back to the default.
    """

    training: Mapping[str, Any] = field(default_factory=dict)
    balance: bool | None = None
    output_dir: str | None = None
    serve: tuple[str, ...] | None = None


class Rounds:
    """One loop, and going on with it."""

    def __init__(self, space: Workspace, row: LoopRow, hold: Hold, say: Callable[[str], None]) -> None:
        self._space, self._id, self._hold, self._say = space, row.id, hold, say
        self.spec = LoopSpec.model_validate(row.spec)
        self.state = LoopState.model_validate(row.state)
        self._server = JudgeServer(space.folder, row.id, hold, say)

    def close(self) -> None:
        """Stop the judge's server, if one was started."""
        if self.spec.serve:
            self._server.stop()

    def advance(self) -> None:
        """Do the next step to its end."""
        steps: dict[Step, Callable[[], Step]] = {
            Step.BASELINE: self._baseline,
            Step.INFER: self._infer,
            Step.REVIEW: lambda: Step.FREEZE,
            Step.FREEZE: self._freeze,
            Step.TRAIN: self._train,
            Step.EVALUATE: self._evaluate,
        }
        self.state.step = steps[self.state.step]()
        self._save()

    def change(self, changes: Changes) -> None:
        """Replace options that no step has used yet.

        A training that ended without a judge is given up for one with the new options, in a folder
        of its own; what it left stays.

        Raises:
            UsageError: They come too late, or make no sense.
            TrainingError: The present training is still going, or the next one could not start.
        """
        update: dict[str, Any] = {}
        if changes.balance is not None:
            self._refuse_late("balance", Step.FREEZE, "freeze")
            update["balance"] = changes.balance
        if changes.training:
            self._refuse_late("train", Step.TRAIN, "train")
            update["training"] = with_values(self.spec.training, changes.training)
        if changes.output_dir is not None:
            self._refuse_late("output_dir", Step.TRAIN, "train")
            update["output_dir"] = changes.output_dir
        if changes.serve is not None:
            self._refuse_late("serve", Step.EVALUATE, "judge")
            update["serve"] = changes.serve
        if not update:
            return
        another = bool(changes.training) or changes.output_dir is not None
        if another:
            self._give_up_training()
        self.spec = self.spec.model_copy(update=update)
        check_serving(self.spec)
        if another:
            number = self.state.round + self._is_past(Step.TRAIN)
            judge, folder = self._judge(number), self._folder(number)
            check_training(self._space, self.spec, model=judge, folder=folder)
        self._save()

    def _is_past(self, step: Step) -> bool:
        steps = list(Step)
        return steps.index(self.state.step) > steps.index(step)

    def _refuse_late(self, option: str, used_in: Step, verb: str) -> None:
        if self._is_past(used_in) and self.state.round == self.spec.rounds:
            raise UsageError(
                f"loop {self._id} has nothing left to {verb}", about=Field(option), hint="start another loop with it"
            )

    def _give_up_training(self) -> None:
        """Make way for another training of this round, where one was started.

        Raises:
            TrainingError: It is still going.
        """
        if self.state.step is not Step.TRAIN:
            return
        training = self.state.now.pop("training", None)
        if training is None:
            return
        row = self._space.trainings.get(training)
        if row.status in OPEN:
            raise TrainingError(
                f"training {training} is {row.status} with the options it was started with",
                hint=Hint("{STOP_TRAINING}, then resume the loop with other options", on=training),
            )
        self.state.now.setdefault("given_up", []).append(training)

    def _save(self) -> None:
        self._hold.save(self.spec, self.state)

    def _baseline(self) -> Step:
        holdout = self.spec.holdout
        if holdout is None:
            return Step.INFER
        self._serve(self.spec.model, self.state.baseline)
        if self.state.baseline is None:
            self._space.launcher.start(self.spec.baseline_request(holdout, self.state.round), noted=self._note_baseline)
        assert self.state.baseline is not None
        self._finish_run(self.state.baseline)
        self._say(f"before: run {self.state.baseline} on {holdout}")
        return Step.INFER

    def _infer(self) -> Step:
        now, number = self.state.now, self.state.round
        judge = self._judge(number)
        self._serve(judge, now.get("run"))
        if "run" not in now:
            self._space.launcher.start(self.spec.round_request(judge, number), noted=self._noting("run"))
        counts = self._finish_run(now["run"])
        self._say(f"round {self.state.round}: run {now['run']}, {counts['accepted']} of {counts['done']} accepted")
        return Step.REVIEW if self.spec.pause_for_review else Step.FREEZE

    def _freeze(self) -> Step:
        frozen = self._frozen(self.state.now["run"])
        self.state.now["set"] = f"{frozen.name}@{frozen.version}"
        left_out = frozen.counts.get("left_out", 0)
        balanced = f" ({left_out} left out to balance the answers)" if left_out else ""
        self._say(f"round {self.state.round}: set {self.state.now['set']}, {frozen.counts['items']} rows{balanced}")
        return Step.TRAIN

    def _frozen(self, run_id: int) -> SetRow:
        """The round's set.

        Raises:
            ReviewError: There is nothing to freeze; says whether nothing was accepted, or balancing
                left it all out.
        """
        name = f"loop-{self._id}-round-{self.state.round}"
        balance = Balance(self.spec.seed) if self.spec.balance else None
        try:
            return self._space.freeze(name, [run_id], balance=balance, progress=lambda _items: self._hold.beat())
        except ReviewError as error:
            accepted = self._space.runs.counts(run_id)["effective_accepted"]
            with self._space.database.read() as snapshot:
                one = next(self._space.sets.accepted(snapshot, run_id), None)
            if balance is None or one is None:
                raise ReviewError(
                    error.message,
                    hint=Hint(
                        "{anew} or rulings may accept more; then {RESUME_LOOP}",
                        on=self._id,
                        anew=Do(Action.FILTER_RUN, run_id, (Field("policy", "…"),)),
                    ),
                ) from error
            raise ReviewError(
                f"balancing leaves nothing of the {accepted} accepted in run {run_id}: all of them answer {one.answer}",
                hint=Hint(
                    "{resume} trains on them as they are; or let rulings accept some of the other answer",
                    resume=Do(Action.RESUME_LOOP, self._id, (Field("balance", False),)),
                ),
            ) from error

    def _train(self) -> Step:
        space, now = self._space, self.state.now
        # It would hold the memory that the training needs.
        self.close()
        if "training" not in now:
            self._start_training()
        training = now["training"]
        row = space.trainings.get(training)
        if row.status not in OPEN and row.status != JobStatus.FINISHED:
            self._hold.check()
            space.training_launcher.resume(training)
        row = self._ended(lambda: space.trainings.get(training))
        if row.status != JobStatus.FINISHED:
            raise TrainingError(
                f"training {training} {row.status}{': ' + row.error if row.error else ''}", hint=self._way_on(row.hint)
            )
        now["checkpoint"] = str(judge_of(space.training_launcher.view(training)))
        loss = row.progress.get("loss")
        told = "" if loss is None else f", loss {loss}"
        self._say(f"round {self.state.round}: training {training}{told}")
        return Step.EVALUATE

    def _start_training(self) -> None:
        try:
            self._space.training_launcher.start(
                self._training(),
                on_warning=lambda check: self._say(f"{check.name}: {check.message}"),
                noted=self._noting("training"),
            )
        except TrainingError as error:
            raise TrainingError(error.message, hint=self._way_on(error.hint)) from error

    def _way_on(self, hint: Hint | str | None) -> Hint:
        """What a training's own hint cannot know: how to give the loop another option."""
        again = Hint("{RESUME_LOOP} tries again, with {train:NAME=VALUE} otherwise", on=self._id)
        return Hint("{hint}; {again}", hint=hint, again=again) if hint else again

    def _training(self) -> TrainingSpec:
        judge, folder = self._judge(self.state.round), self._folder(self.state.round)
        found = self._space.training_launcher.spec(
            [self.state.now["set"]], trainer=self.spec.trainer, model=judge, output_dir=str(folder)
        )
        return training_spec(self.spec, model=found.model, folder=folder, sets=found.sets)

    def _evaluate(self) -> Step:
        now = self.state.now
        if self.spec.holdout is not None:
            self._serve(now["checkpoint"], now.get("evaluation"))
            if "evaluation" not in now:
                self._space.evaluate(
                    now["training"],
                    self.spec.holdout,
                    engine=self.spec.engine,
                    options=self.spec.greedy,
                    noted=self._noting("evaluation"),
                )
            self._finish_run(now["evaluation"])
            self._say(f"round {self.state.round}: run {now['evaluation']} on {self.spec.holdout}")
        if self.state.round == self.spec.rounds:
            return Step.DONE
        self.state.round += 1
        return Step.INFER

    def _serve(self, model: str, run_id: int | None) -> None:
        """Have a judge served before it is asked, unless the run that asks it is over."""
        if run_id is None or self._space.runs.get(run_id).status != JobStatus.FINISHED:
            self._server.serve(self.spec, model)

    def _judge(self, number: int) -> str:
        """The judge of a round: the last round's checkpoint."""
        if number == 1:
            return self.spec.model
        return str(self.state.made[number - 2]["checkpoint"])

    def _folder(self, number: int) -> Path:
        """Where a round trains; a training that was given up keeps its own."""
        base = Path(self.spec.output_dir or self._space.folder / "loops" / f"loop-{self._id}")
        made = self.state.now if number == self.state.round else {}
        given_up = len(made.get("given_up", ()))
        return (base / f"round-{number}{f'-{given_up + 1}' if given_up else ''}").resolve()

    def _noting(self, name: str) -> Callable[[Connection, int], None]:
        """Writes down what this round starts together with its start: a kill leaves both or neither,
        and a loop that was lost meanwhile starts nothing."""

        def note(connection: Connection, started: int) -> None:
            self.state.now[name] = started
            self._hold.save(self.spec, self.state, connection)

        return note

    def _note_baseline(self, connection: Connection, started: int) -> None:
        self.state.baseline = started
        self._hold.save(self.spec, self.state, connection)

    def _finish_run(self, run_id: int) -> dict[str, Any]:
        """Wait for a run, resuming one that was cut off."""
        space = self._space
        status = space.runs.get(run_id).status
        if status not in OPEN and status != JobStatus.FINISHED:
            self._hold.check()
            space.launcher.resume(run_id)
        row = self._ended(lambda: space.runs.get(run_id))
        if row.status != JobStatus.FINISHED:
            raise RunError(
                f"run {run_id} {row.status}{': ' + row.error if row.error else ''}",
                hint=row.hint or Hint("{RESUME_LOOP} goes on", on=self._id),
            )
        return space.runs.counts(run_id)

    def _ended(self, look: Callable[[], _Job]) -> _Job:
        """Wait until a run or a training has ended.

        Raises:
            RunError: The loop was cancelled, or is somebody else's by now.
        """
        wait = self._space.patience
        while (row := wait.call(look)).status in OPEN:
            wait.call(self._hold.beat)
            self._server.check()
            self._space.supervise()
            time.sleep(_POLL_S)
        # A cancelled loop's job was cancelled too: the loop's end is the news.
        self._hold.check()
        return row
