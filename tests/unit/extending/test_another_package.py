"""A rule and a kind of queue of another package: one file and one line each, and they are everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.extending import install, winnow
from tests.workspaces import build_workspace


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extended") / "ws"
    build_workspace(folder, images=8, videos=1).close()
    return folder


def test_a_rule_is_an_option_of_the_command_and_a_reason_of_decisions(package: Path, workspace: Path) -> None:
    told = winnow(workspace, "run", "start", "--help", package=package)
    assert "--max-margin" in told.stdout
    assert "'broken' cannot be loaded" in told.stderr
    done = winnow(workspace, "run", "filter", 1, "--policy", "agreement", "--max-margin", 5, "--json", package=package)
    run = json.loads(done.stdout)
    assert run["policy"]["max_margin"] == 5
    assert run["policy"]["name"] == "custom"
    easy = run["counts"]["rejected_by_reason"]["too_easy"]
    assert easy
    found = winnow(workspace, "run", "predictions", 1, "--reason", "too_easy", "--json", package=package)
    margins = [json.loads(line)["margin"] for line in found.stdout.splitlines()]
    assert len(margins) == easy and min(margins) > 5
    wrong = winnow(workspace, "run", "filter", 1, "--policy", "clean", "--max-margin", -1, package=package)
    assert (wrong.returncode, "--max-margin" in wrong.stderr) == (2, True)


def test_a_policy_with_a_rule_whose_package_is_gone_is_one_clear_error(package: Path, workspace: Path) -> None:
    policy = json.dumps({"max_margin": 5})
    assert winnow(workspace, "run", "filter", 1, "--policy", policy, package=package).returncode == 0
    for words in (("run", "reparse", 1, "--yes"), ("run", "filter", 1, "--policy", policy)):
        gone = winnow(workspace, *words)
        assert gone.returncode == 1
        assert "a policy has no max_margin" in gone.stderr
        assert "package" in gone.stderr
    assert winnow(workspace, "run", "show", 1).returncode == 0


def test_a_policy_that_does_not_use_the_rule_is_stored_as_ever(package: Path, workspace: Path) -> None:
    run = json.loads(winnow(workspace, "run", "filter", 2, "--policy", "clean", "--json", package=package).stdout)
    assert "max_margin" not in run["policy"]


def test_a_kind_of_queue_is_a_command_that_makes_what_it_says(package: Path, workspace: Path) -> None:
    assert "least sure first" in winnow(workspace, "review", "queue", "--help", package=package).stdout
    words = ("review", "queue", "least_sure", "--run", 2, "--margin", 8, "--json")
    queue = json.loads(winnow(workspace, *words, package=package).stdout)
    assert (queue["kind"], queue["margin"]) == ("least_sure", 8.0)
    assert queue["items"]
    assert winnow(workspace, *words).returncode == 2
