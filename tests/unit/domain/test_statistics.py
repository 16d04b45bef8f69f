"""Intervals and tests, against published numbers and against themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.statistics import mcnemar, sample_size_for, wilson_interval


def test_wilson_gives_the_published_interval() -> None:
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I: 81 of 263 and 0 of 20.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_nothing_counted_says_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert mcnemar(0, 0) == 1.0


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_share(counted: tuple[int, int]) -> None:
    successes, n = counted
    low, high = wilson_interval(successes, n)
    assert 0 <= low <= successes / n + 1e-12
    assert successes / n - 1e-12 <= high <= 1


def test_mcnemar_is_the_exact_binomial_test() -> None:
    assert mcnemar(1, 7) == pytest.approx(18 / 256)
    assert mcnemar(7, 1) == mcnemar(1, 7)
    assert mcnemar(5, 5) == 1.0


@given(st.integers(0, 200), st.sampled_from([0.02, 0.05, 0.1]))
def test_the_samples_asked_for_reach_the_width_and_no_fewer_do(successes: int, half_width: float) -> None:
    n = 200
    more = sample_size_for(successes, n, half_width)
    share = (successes + 1) / (n + 2)

    def width(total: int) -> float:
        z2 = 1.959963984540054**2
        return (z2 / (total + z2) ** 2 * (total * share * (1 - share) + z2 / 4)) ** 0.5

    assert width(n + more) <= half_width + 1e-9
    if more:
        assert width(n + more - 1) > half_width - 1e-9


def test_numbers_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="half_width"):
        sample_size_for(1, 2, 0)
    with pytest.raises(ValueError, match="successes"):
        sample_size_for(3, 2, 0.1)
