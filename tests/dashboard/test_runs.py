"""The page Runs: list, launch form, one run with its tabs, and what a reviewer may see."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import select, update
from streamlit.testing.v1 import AppTest

from backend.demo.judge import shipped_judge
from backend.domain.filtering import PRESETS
from backend.domain.people import Person, Role
from backend.domain.rules.registry import policy_options, reasons
from backend.engines.base import EngineOptions
from backend.inference.launch import RunRequest
from backend.store.deciding import set_policy
from backend.store.people import People
from backend.store.schema import verdicts
from backend.workspace import Workspace
from dashboard.log_tail import log_tail
from tests.dashboard.conftest import Open


def html(test: AppTest) -> str:
    return "".join(element.proto.body for element in test.get("html"))


def buttons(test: AppTest) -> dict[str, bool]:
    """Labels of the buttons, and whether each can be pressed."""
    return {button.label: not button.disabled for button in test.button}


@pytest.fixture
def as_reviewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workspace, "supervise", lambda _self: None)  # what is queued stays so
    eve = Person("eve", Role.REVIEWER)
    monkeypatch.setattr("dashboard.identity.present_person", lambda: eve)


@pytest.fixture
def texts(demo_space: Workspace) -> Path:
    """A file for the scripted engine, which answers the same to everything."""
    file = demo_space.folder / "texts.jsonl"
    file.write_text(json.dumps({"text": "<answer>Image 1 is better</answer>"}) + "\n")
    return file


def test_an_empty_workspace_says_what_a_run_is(empty_space: Workspace, open_page: Open) -> None:
    test = open_page("runs")
    assert not test.exception
    assert not test.error
    assert test.subheader[0].value == "No runs yet"


def test_every_run_is_a_card_with_its_counts(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("runs")
    assert not test.exception
    assert not test.error
    cards = html(test)
    for run in demo_space.runs.list():
        counts = demo_space.runs.counts(run.id)
        assert f"{counts['done']:,} of {counts['total']:,}" in cards
    assert buttons(test)["New run"]


def test_names_that_others_chose_are_text_on_the_card(demo_space: Workspace, open_page: Open) -> None:
    hostile = "<img src=x onerror=alert(1)>\u202e"
    _stored(demo_space, hostile)
    cards = html(open_page("runs"))
    assert "&lt;img src=x" in cards
    assert "<img" not in cards
    assert "\u202e" not in cards


def _stored(space: Workspace, model: str) -> None:
    run = space.runs.get(1)
    with space.database.write() as connection:
        space.runs.add(
            connection,
            dataset_id=run.dataset_id,
            model=model,
            engine="import",
            spec=run.spec,
            policy=run.policy,
            total=0,
            job_id=None,
        )


@pytest.mark.parametrize("tab", ["summary", "analysis", "policy", "log", "settings"])
@pytest.mark.parametrize("run", ["1", "2", "3"])
def test_each_tab_of_each_run_opens_by_its_url(demo_space: Workspace, open_page: Open, run: str, tab: str) -> None:
    test = open_page("runs", run=run, tab=tab)
    assert not test.exception
    assert not test.error
    assert test.session_state["tab"] == tab
    assert test.header[0].value == f"Run {run}"


def test_a_run_of_before_pixels_were_kept_says_that_its_judges_processor_chose_them(
    demo_space: Workspace, open_page: Open
) -> None:
    def pixels(run: int) -> str:
        frame = open_page("runs", run=str(run), tab="settings").dataframe[0].value
        return str(frame.set_index("option").loc["max_pixels", "value"])

    assert pixels(1) == "282240"
    run = demo_space.runs.get(1)
    old = {**run.spec, "options": {**run.spec["options"], "max_pixels": None}}
    added = []
    with demo_space.database.write() as connection:
        for model in (str(shipped_judge()), "a-name-on-a-server"):
            added.append(
                demo_space.runs.add(
                    connection,
                    dataset_id=run.dataset_id,
                    model=model,
                    engine="transformers",
                    spec=old,
                    policy=run.policy,
                    total=0,
                    job_id=None,
                )
            )
    assert pixels(added[0]) == "as many as the model's processor allows (7,500)"
    assert pixels(added[1]) == "as many as the model's processor allows"


def test_a_run_that_is_not_there_is_one_line_and_a_way_on(demo_space: Workspace, open_page: Open) -> None:
    for asked in ("99", "abc"):
        test = open_page("runs", run=asked)
        (error,) = test.error
        assert f"there is no run {asked}" in error.value
        assert "All runs" in buttons(test)


def test_analysis_names_accuracy_with_its_interval(demo_space: Workspace, open_page: Open) -> None:
    said = " ".join(element.value for element in open_page("runs", run="1", tab="analysis").markdown)
    assert "Right in 66.7 % (45–83)" in said
    assert "Flaws in" in said


def test_what_if_shows_the_change_and_applies_it(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("runs", run="1", tab="policy")
    assert not buttons(test)["Apply to the run"]  # it is in force already
    test.selectbox(key="whatif_1_name").select("clean").run()
    said = " ".join(element.value for element in test.markdown)
    before = demo_space.runs.counts(1)["accepted"]
    test.button(key="apply_1").click().run()
    assert not test.error
    after = demo_space.runs.counts(1)["accepted"]
    assert f"**{after:,} of 24 would be accepted**" in said
    assert after < before
    assert demo_space.runs.get(1).policy["name"] == "clean"


def test_texts_are_read_again_from_the_policys_page(demo_space: Workspace, open_page: Open) -> None:
    def answers() -> list[object]:
        with demo_space.database.read() as connection:
            query = select(verdicts.c.answer).where(verdicts.c.run_id == 1)
            return list(connection.execute(query.order_by(verdicts.c.prediction_id)).scalars())

    fresh = answers()
    with demo_space.database.write() as connection:
        connection.execute(update(verdicts).where(verdicts.c.run_id == 1).values(answer=None))
    test = open_page("runs", run="1", tab="policy")
    test.button(key="reparse_1").click().run()
    assert not test.error
    assert answers() != fresh  # it says what would change, and waits
    assert any("would change" in words.value for words in test.markdown)
    test.button(key="reread_yes_1").click().run()
    assert not test.error
    assert answers() == fresh


def test_the_form_shows_the_command_and_starts_the_run(
    demo_space: Workspace, open_page: Open, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workspace, "supervise", lambda _self: None)
    test = open_page("runs", new="1")
    assert "Start run" not in buttons(test)  # no model yet
    test = open_page("runs", new="1", **{"from": "1"})
    test.button(key="preset_Defaults").click()
    test.selectbox(key="launch_engine").select("scripted").run()
    assert not buttons(test)["Start run"]  # no texts yet: preflight says so
    test.text_input(key="launch_scripted_file").input(str(texts)).run()
    test.number_input(key="launch_limit").set_value(5).run()
    (command,) = test.code
    assert "--model judge-a --engine scripted --limit 5" in command.value
    assert f"--scripted-file {texts}" in command.value
    test.button(key="launch_start").click().run()
    assert not test.error
    run = demo_space.runs.get(4)
    assert (run.status, run.total, run.spec["order"]) == ("queued", 5, "shuffled")
    assert "4" in test.query_params["run"]
    assert "Cancel" in buttons(test)


def test_a_preset_fills_the_form_and_defaults_empty_it(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("runs", new="1", **{"from": "1"})
    test.button(key="preset_Consensus of 4").click().run()
    assert "--samples 4" in test.code[0].value
    assert "--policy consensus" in test.code[0].value
    test.button(key="preset_Both orders").click().run()
    assert "--order both --policy order-consistent" in test.code[0].value
    assert "--samples" not in test.code[0].value
    test.button(key="preset_Defaults").click().run()
    assert test.code[0].value.endswith("--dataset pictures --model judge-a")


def test_a_preset_of_ones_own_is_kept_offered_to_its_maker_alone_and_deleted(
    demo_space: Workspace, open_page: Open
) -> None:
    test = open_page("runs", new="1", **{"from": "1"})
    test.number_input(key="launch_samples").set_value(3)
    test.number_input(key="launch_temperature").set_value(0.4)
    test.text_area(key="launch_endpoints").input("http://a:1/v1\nhttp://b:2/v1")
    test.selectbox(key="launch_engine").select("openai")
    test.selectbox(key="launch_policy_name").select("own").run()
    test.number_input(key="launch_policy_min_margin").set_value(4.5)
    test.text_input(key="launch_preset_name").input("  two *servers* ")
    test.button(key="preset_keep").click().run()
    assert not test.error
    expected = test.code[0].value
    assert "--samples 3" in expected

    again = open_page("runs", new="1", **{"from": "1"})
    assert again.code[0].value != expected
    again.button(key="own_preset_two *servers*").click().run()
    assert again.code[0].value == expected
    label = again.button(key="own_preset_two *servers*").label
    assert label == r"two \*servers\*"

    theirs = open_page("runs", as_person="Bob", new="1", **{"from": "1"})
    assert label not in buttons(theirs)
    again.button(key="preset_delete_two *servers*").click().run()
    assert label not in buttons(again)
    assert label not in buttons(open_page("runs", new="1"))


def test_credentials_in_an_endpoint_are_neither_shown_in_a_command_nor_kept(
    demo_space: Workspace, open_page: Open
) -> None:
    test = open_page("runs", new="1", **{"from": "1"})
    test.text_area(key="launch_endpoints").input("http://user:s3cr3t@a:1/v1").run()
    assert "no credentials" in test.error[0].value
    test.text_input(key="launch_preset_name").input("mine")
    test.button(key="preset_keep").click().run()
    assert not any("s3cr3t" in shown.value for shown in (*test.error, *test.code))
    assert not People(demo_space.database).settings("Ada").get("run_presets")


@pytest.mark.parametrize("name", ["", "   ", "consensus of 4", "x\u202ey"])
def test_a_name_that_no_preset_can_have_is_refused(demo_space: Workspace, open_page: Open, name: str) -> None:
    test = open_page("runs", new="1", **{"from": "1"})
    test.text_input(key="launch_preset_name").input(name)
    test.button(key="preset_keep").click().run()
    (error,) = test.error
    assert "Something went wrong" not in error.value
    assert not People(demo_space.database).settings("Ada").get("run_presets")


def test_what_an_older_version_kept_and_means_nothing_now_is_left_at_its_default(
    demo_space: Workspace, open_page: Open
) -> None:
    People(demo_space.database).keep(
        "Ada",
        run_presets={
            "old": {
                "engine": "tensorrt",
                "order": "sideways",
                "policy": {"colour": "red"},
                "options": {"samples": 99_999, "dtype": "int2", "endpoints": 3, "top_p": "much", "gone": 1, "seed": 7},
            },
            "none": 3,
        },
    )
    test = open_page("runs", new="1", **{"from": "1"})
    test.button(key="own_preset_old").click().run()
    assert not test.error
    assert not test.exception
    assert test.code[0].value.endswith("--dataset pictures --model judge-a --seed 7")


def test_a_policy_of_ones_own_is_in_the_command(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("runs", new="1", **{"from": "1"})
    test.selectbox(key="launch_policy_name").select("confident").run()
    test.selectbox(key="launch_policy_name").select("own").run()
    assert test.number_input(key="launch_policy_min_margin").value == 3
    test.number_input(key="launch_policy_min_margin").set_value(4.5).run()
    assert '"min_margin": 4.5' in test.code[0].value


def test_a_policy_of_ones_own_has_a_field_for_each_option_of_each_rule_with_its_range(
    demo_space: Workspace, open_page: Open
) -> None:
    test = open_page("runs", new="1", **{"from": "1"})
    test.selectbox(key="launch_policy_name").select("clean").run()
    test.selectbox(key="launch_policy_name").select("own").run()
    drawn = (test.toggle, test.number_input, test.selectbox, test.multiselect)
    widgets = {one.key: one for some in drawn for one in some}
    for name, option in policy_options().items():
        assert widgets[f"launch_policy_{name}"].label == option.label
        value = widgets[f"launch_policy_{name}"].value
        assert (set(value) if option.kind == "several" else value) == PRESETS["clean"].values[name]
    test.number_input(key="launch_policy_min_sample_agreement").set_value(1.5).run()
    (error,) = test.error
    assert "use a number above 0 and at most 1, or null" in error.value


def test_run_again_fills_the_form_with_what_the_run_was(demo_space: Workspace, open_page: Open, texts: Path) -> None:
    source = demo_space.launcher.start(
        RunRequest(
            dataset="pictures",
            model="replayed",
            engine="scripted",
            samples=3,
            limit=7,
            options=_options(texts),
            policy=PRESETS["one-per-pair"],
        )
    )[0]
    test = open_page("runs", new="1", **{"from": str(source)})
    assert not test.error
    command = test.code[0].value
    assert "--engine scripted --order shuffled --samples 3 --limit 7" in command
    assert "--policy one-per-pair" in command
    assert "--max-new-tokens 99" in command


def test_a_number_out_of_range_is_refused_and_not_replaced(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("runs", new="1", **{"from": "1"})
    field = test.number_input(key="launch_samples")
    # The browser never sends what is out of a field's range, and shows the number all the same.
    assert field.min is None or field.min < -1
    assert field.max is None or field.max > 90_000
    field.set_value(90_000).run()
    assert "samples 90000 is out of range" in test.error[0].value
    assert "launch_start" not in [button.key for button in test.button]


def test_a_fold_stays_open_while_what_is_in_it_is_changed(demo_space: Workspace, open_page: Open) -> None:
    test = open_page("runs", new="1", **{"from": "1"})
    test.session_state["launch_fold_How much"] = True
    test.run()
    test.number_input(key="launch_limit").set_value(12).run()
    (fold,) = [one for one in test.expander if one.label.startswith("How much")]
    assert "limit 12" in fold.label
    assert fold.proto.expanded


def test_a_new_run_starts_from_the_model_that_judged_last_and_not_from_a_replay(
    demo_space: Workspace, open_page: Open, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workspace, "supervise", lambda _self: None)
    for engine, model in (("transformers", str(shipped_judge())), ("scripted", "replayed")):
        demo_space.launcher.start(RunRequest(dataset="pictures", model=model, engine=engine, options=_options(texts)))
    test = open_page("runs", new="1")
    assert not test.error
    assert test.selectbox(key="launch_model").value == str(shipped_judge())
    assert buttons(test)["Start run"]


def _options(texts: Path) -> EngineOptions:
    return EngineOptions(scripted_file=str(texts), max_new_tokens=99)


def test_a_queued_run_can_be_cancelled_and_then_resumed(
    demo_space: Workspace, open_page: Open, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workspace, "supervise", lambda _self: None)
    run_id = demo_space.launcher.start(
        RunRequest(dataset="pictures", model="m", engine="scripted", options=_options(texts))
    )[0]
    test = open_page("runs", run=str(run_id))
    test.button(key="cancel_run").click().run()
    assert demo_space.runs.get(run_id).status == "cancelled"
    test.button(key="resume_run").click().run()
    assert demo_space.runs.get(run_id).status == "queued"


@pytest.mark.usefixtures("as_reviewer")
def test_a_reviewer_sees_runs_without_what_starts_or_changes_them(
    demo_space: Workspace, open_page: Open, texts: Path
) -> None:
    run_id = demo_space.launcher.start(
        RunRequest(dataset="pictures", model="m", engine="scripted", options=_options(texts))
    )[0]
    for query in ({}, {"run": "1", "tab": "policy"}, {"run": str(run_id)}, {"new": "1"}):
        test = open_page("runs", **query)
        assert not test.error
        assert not set(buttons(test)) & {
            "New run",
            "Cancel",
            "Resume",
            "Run again with changes",
            "Apply to the run",
            "Read its texts again",
            "Start run",
        }
    assert demo_space.runs.get(run_id).status == "queued"


def test_a_log_is_text_whatever_is_in_it(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log.write_bytes(b"\x1b[31mred\x1b[0m <b>x</b>\x00\n50%\r75%\r100%\r\n\xff\xfe\n" + "a\u202eb\n".encode())
    text, cut = log_tail(log)
    assert text == "red <b>x</b>\ufffd\n100%\n\ufffd\ufffd\na\ufffdb"
    assert not cut
    log.write_bytes(b"x" * 100_000 + b"\n" + b"line\n" * 1_000)
    text, cut = log_tail(log)
    assert cut
    assert text.split("\n") == ["line"] * 199
    assert log_tail(tmp_path / "none.log") == ("", False)


def test_no_hint_of_an_option_is_a_link(demo_space: Workspace, open_page: Open) -> None:
    hints = [one.value for one in open_page("runs", new="1").caption if "Change:" in one.value]
    assert any("`http://host:8000/v1`" in hint for hint in hints)
    assert not [hint for hint in hints if "http" in re.sub(r"`[^`]*`", "", hint)]


def test_reasons_have_one_name_on_all_pages(demo_space: Workspace, open_page: Open) -> None:
    words = set(reasons().values())
    browse = open_page("browse").multiselect(key="browse_reason")
    assert set(browse.options) == words
    assert "order flips" in words


@pytest.mark.parametrize("query", [{"run": "1", "tab": "policy"}, {"new": "1", "from": "1"}])
def test_a_policy_whose_rules_package_is_gone_is_one_error_and_another_can_be_chosen(
    demo_space: Workspace, open_page: Open, query: dict[str, str]
) -> None:
    with demo_space.database.write() as connection:
        set_policy(connection, 1, {**PRESETS["clean"].to_mapping(), "max_margin": 5})
    test = open_page("runs", **query)
    (error,) = test.error
    assert "a policy has no max" in error.value and "package" in error.value
    key = "launch_policy_name" if "new" in query else "whatif_1_name"
    test.selectbox(key=key).select("consensus").run()
    assert not test.error and not test.exception
