"""What another package adds is in the forms."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.curation.kinds.registry import KINDS
from backend.curation.queues import Queues
from backend.domain.rules.registry import RULES
from backend.workspace import Workspace
from tests.dashboard.conftest import Open
from tests.extending import install


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(install(tmp_path / "package")))

    def forget() -> None:
        for registry in (RULES, KINDS):
            for kept in ("_foreign", "usable"):
                registry.__dict__.pop(kept, None)
            for name in ("hard_pairs", "least_sure"):
                registry._loaded.pop(name, None)
        for name in ("hard_pairs", "least_sure"):
            sys.modules.pop(name, None)

    forget()
    yield
    monkeypatch.undo()
    forget()


def test_a_policy_of_ones_own_has_the_rules_field(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("runs", new="1", **{"from": "1"})
    test.selectbox(key="launch_policy_name").select("own").run()
    field = test.number_input(key="launch_policy_max_margin")
    assert field.label == "Margin of at most"
    assert "max_margin" not in test.code[0].value
    field.set_value(4.0).run()
    assert '"max_margin": 4.0' in test.code[0].value
    test.number_input(key="launch_policy_max_margin").set_value(-1.0).run()
    assert any("use a number at least 0, or null" in error.value for error in test.error)


def test_what_the_rule_would_reject_is_seen_before_it_is_applied(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("runs", run="1", tab="policy")
    test.selectbox(key="whatif_1_name").select("own").run()
    test.number_input(key="whatif_1_max_margin").set_value(5.0).run()
    test.button(key="apply_1").click().run()
    assert not test.exception
    assert demo_space.runs.get(1).policy["max_margin"] == 5
    assert demo_space.runs.counts(1)["rejected_by_reason"]["too_easy"]
    assert "too easy" in open_page("browse").multiselect(key="browse_reason").options


def test_a_queue_of_the_kind_is_made_from_the_page(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("review")
    test.selectbox(key="queue_kind").select("least_sure").run()
    test.number_input(key="queue_least_sure_margin").set_value(9.0).run()
    next(one for one in test.button if one.label == "Make queue").click().run()
    assert not test.exception and not test.error
    [made] = Queues(demo_space.database).newest()
    assert (made.kind, made.spec["margin"], made.title) == ("least_sure", 9.0, "Accepted, narrow margin of all runs")
