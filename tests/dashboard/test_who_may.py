"""Every operation, for every role, really called; and what each page offers to whom."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

import backend.loop.steering as steering
import dashboard.routes
from backend.curation.queues import NewQueue
from backend.curation.sets import list_sets
from backend.demo.steps import run_demo
from backend.domain.filtering import PRESETS
from backend.domain.operations import LEAST_ROLE, Operation, may, operation_of
from backend.domain.people import Person, Role
from backend.errors import Forbidden, WinnowError
from backend.inference.launch import Launcher, RunRequest
from backend.loop.spec import LoopSpec
from backend.store.queues import QueueRow
from backend.task import HANDLERS
from backend.training.launch import TrainingLauncher
from backend.workspace import Workspace
from dashboard.signing import signer
from tests.dashboard.conftest import Open
from tests.dashboard.review_calls import LATER, SESSION, get_items, ruling
from tests.dashboard.trainings import Trained

Act = Callable[[Workspace, Path], object]
QUEUE = NewQueue(kind="unreviewed", title="q", run_ids=(2,))


def no_demo(space: Workspace, _out: Path) -> None:
    def wait(_run: int) -> None:
        raise AssertionError

    # Pairs that are there under another name stop it before anything is rendered.
    (space.folder / "demo").write_text("no folder")
    run_demo(space.database, space.launcher, space.folder, wait=wait, say=lambda _line: None)


CALLS: dict[Operation, Act] = {
    Operation.MAKE_QUEUE: lambda space, _: space.make_queue(QUEUE),
    Operation.CLOSE_QUEUE: lambda space, _: space.close_queue(a_queue_of(space), True),
    Operation.START_DEMO: no_demo,
    Operation.ADD_DATASET: lambda space, out: space.add_dataset(name="more", spec=f"pairs:{out / 'missing.jsonl'}"),
    Operation.START_RUN: lambda space, _: space.launcher.start(
        RunRequest(dataset="pictures", model="nowhere", engine="scripted")
    ),
    Operation.CANCEL_RUN: lambda space, _: space.launcher.cancel(1),
    Operation.RESUME_RUN: lambda space, _: space.launcher.resume(1),
    Operation.DECIDE_ANEW: lambda space, _: space.launcher.refilter(1, PRESETS["agreement"]),
    Operation.PARSE_AGAIN: lambda space, _: space.launcher.reparse(1),
    Operation.RULE_ON_ALL: lambda space, _: space.rule_on_all([1], "flag", token="t"),
    Operation.UNDO_ACT: lambda space, _: space.undo_act("t"),
    Operation.FREEZE: lambda space, _: space.freeze("more", [1]),
    Operation.EXPORT: lambda space, out: space.export(list_sets(space.database)[0], format="jsonl", out=out / "export"),
    Operation.START_TRAINING: lambda space, out: space.training_launcher.start(
        space.training_launcher.spec(["signs"], model="nowhere", trainer="local", output_dir=str(out / "t"))
    ),
    Operation.STOP_TRAINING: lambda space, _: space.training_launcher.stop(99),
    Operation.RESUME_TRAINING: lambda space, _: space.training_launcher.resume(99),
    Operation.CLEAR_TRAINING: lambda space, _: space.training_launcher.clear(99),
    Operation.EVALUATE: lambda space, _: space.evaluate(99, "pictures"),
    Operation.START_LOOP: lambda space, _: steering.start(space, LoopSpec.model_construct(dataset="nowhere")),
    Operation.GO_ON_WITH_LOOP: lambda space, _: steering.run(space, 99, say=print),
    Operation.CANCEL_LOOP: lambda space, _: steering.cancel(space, 99),
}
ROUTED = {Operation.RULE, Operation.KEEP_SETTINGS}
"""Only the routes do these; see below."""
LOOKS = {
    "acting_as",
    "close",
    "finish_deciding",
    "here",
    "log_tail",
    "plan",
    "preflight",
    "preview_reparse",
    "reconcile",
    "refuse_going",
    "resolve",
    "spec",
    "supervise",
    "view",
}
"""Methods that change nothing that a person decides: they look, or see to what was asked for before."""
OF_TASKS = {"begin", "cancel_task", "resume_task"}
"""Methods that ask for the operation that they are given; see below."""


def a_queue_of(space: Workspace) -> QueueRow:
    from backend.curation.queues import Queues

    return Queues(space.database).make(QUEUE, created_by=space.person.name)


@pytest.mark.usefixtures("nothing_starts")
def test_every_operation_asks_for_the_role_that_the_table_names(sets_space: Workspace, tmp_path: Path) -> None:
    """One workspace for the whole table: what is refused leaves it as it was."""
    assert CALLS.keys() | ROUTED == set(Operation) == LEAST_ROLE.keys()
    for operation, act in CALLS.items():
        for role in Role:
            theirs = sets_space.acting_as(Person("eve", role))
            allowed = may(theirs.person, operation)
            try:
                act(theirs, tmp_path)
                assert allowed, f"{role} may {operation.value}"
            except Forbidden:
                assert not allowed, f"{role} may not {operation.value}"
            except (WinnowError, OSError):
                assert allowed, f"{role} got as far as to {operation.value}"


def test_nobody_but_an_operator_may_what_costs_machines_or_data() -> None:
    reviewers = {one for one in Operation if may(Person("eve", Role.REVIEWER), one)}
    assert reviewers == {Operation.RULE, Operation.MAKE_QUEUE, Operation.CLOSE_QUEUE, Operation.KEEP_SETTINGS}
    assert not [one for one in Operation if may(Person("eve", Role.ONLOOKER), one)]
    assert all(may(Person("ada", Role.OPERATOR), one) for one in Operation)


def test_every_public_method_is_in_the_table_or_only_looks() -> None:
    guarded = set()
    for kind in (Workspace, Launcher, TrainingLauncher):
        for name, member in vars(kind).items():
            if isinstance(member, property):
                continue  # it looks
            act = member
            if name.startswith("_") or not inspect.isfunction(act) or name in LOOKS | OF_TASKS:
                continue
            assert operation_of(act) is not None, f"{kind.__name__}.{name} asks nobody's role"
            guarded.add(operation_of(act))
    for name, act in vars(steering).items():
        if inspect.isfunction(act) and act.__module__ == steering.__name__ and name[0] != "_":
            assert operation_of(act) is not None, f"{name} asks nobody's role"
            guarded.add(operation_of(act))
    assert guarded == CALLS.keys() - {Operation.START_DEMO}


@pytest.mark.usefixtures("nothing_starts")
def test_a_task_is_begun_cancelled_and_resumed_by_those_who_may_do_its_operation(sets_space: Workspace) -> None:
    eve = sets_space.acting_as(Person("eve", Role.REVIEWER))
    begun = sets_space.begin(Operation.FREEZE, "more", {"name": "more", "runs": [1], "balance": None})
    for operation in HANDLERS:
        with pytest.raises(Forbidden):
            eve.begin(operation, "x", {})
    for act in (eve.cancel_task, eve.resume_task):
        with pytest.raises(Forbidden):
            act(begun)
    assert [task.id for task in sets_space.tasks.list()] == [begun]
    assert not sets_space.jobs.get(sets_space.tasks.get(begun).job_id).cancel_requested


def test_every_route_that_stores_something_asks_for_role_and_token(
    client: TestClient, demo_space: Workspace, queue: QueueRow
) -> None:
    item = get_items(client, queue)[0]
    bodies = {
        "/winnow/review/{queue:int}/release": {"before": 1},
        "/winnow/review/rulings": {"rulings": [ruling(queue, item, ruling="flag")]},
        "/winnow/review/settings": {"blind": True},
    }
    writing = {
        route.path
        for route in dashboard.routes.routes
        if isinstance(route, Route) and route.methods and route.methods - {"GET", "HEAD"}
    }
    assert writing == bodies.keys()
    tokens = {role: signer(demo_space.folder, "api").dumps([SESSION, "eve", role.value, LATER]) for role in Role}
    for path, body in bodies.items():
        call = path.replace("{queue:int}", str(queue.id))

        def status(said: str, call: str = call, body: object = body) -> int:
            return client.post(call, json=body, headers={"Authorization": said}).status_code

        for role, token in tokens.items():
            wanted = 200 if may(Person("eve", role), Operation.RULE) else 403
            assert status(f"Bearer {token}") == wanted, call
            assert status(f"Bearer {token}x") == 403, call
        assert status("") == 403, call


OFFERED: dict[Operation, tuple[str, dict[str, str], str]] = {
    Operation.START_RUN: ("runs", {}, "New run"),
    Operation.PARSE_AGAIN: ("runs", {"run": "1", "tab": "policy"}, "Read its texts again"),
    Operation.FREEZE: ("curate", {"runs": "1"}, "Freeze"),
    Operation.EXPORT: ("curate", {"set": "signs@1"}, "Export"),
    Operation.START_TRAINING: ("training", {"training": "1"}, "Train again with changes"),
    Operation.RESUME_TRAINING: ("training", {"training": "1"}, "Resume"),
    Operation.CLEAR_TRAINING: ("training", {"training": "1"}, "Delete this folder"),
    Operation.EVALUATE: ("training", {"training": "1", "tab": "checkpoints"}, "Evaluate"),
    Operation.RULE_ON_ALL: ("browse", {}, "Accept all 126"),
    Operation.MAKE_QUEUE: ("review", {}, "Make queue"),
    Operation.CLOSE_QUEUE: ("review", {}, "Close"),
}


def test_pages_offer_each_role_what_it_may_and_nothing_else(
    trained: Trained, sets_space: Workspace, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained("failed")
    a_queue_of(sets_space.acting_as(Person("eve", Role.OPERATOR)))
    for role in Role:
        eve = Person("eve", role)
        monkeypatch.setattr("dashboard.identity.present_person", lambda eve=eve: eve)
        drawn = {}
        for operation, (name, query, label) in OFFERED.items():
            place = (name, *sorted(query.items()))
            if place not in drawn:
                drawn[place] = open_page(name, as_person="eve", **query)
                assert not drawn[place].exception
            labels = {button.label for button in drawn[place].button}
            assert (label in labels) is may(eve, operation), f"{role}: {operation.value}: {labels}"
