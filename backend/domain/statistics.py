"""How sure one can be of a share that was counted."""

from __future__ import annotations

import math

# scipy.stats takes a second or two to import, which every call of the command would pay: the functions
# that need it import it.


def import_ahead() -> None:
    """Import what the functions here need, for a server: the first who asks does not wait for it."""
    import scipy.stats  # noqa: F401


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Confidence interval of a share.

    The score interval without continuity correction: Wilson (1927), JASA 22, 209-212; recommended
    for small n by Brown, Cai and DasGupta (2001), Statistical Science 16, 101-133.

    Returns:
        ``(low, high)``, both in [0, 1]; ``(0.0, 1.0)`` when nothing was counted.

    Raises:
        ValueError: ``successes`` is not in 0..n, or ``confidence`` not between 0 and 1.
    """
    from scipy.stats import binomtest

    if n == 0 and successes == 0:
        return (0.0, 1.0)
    interval = binomtest(successes, n).proportion_ci(confidence_level=confidence, method="wilson")
    return (float(interval.low), float(interval.high))


def mcnemar(b: int, c: int) -> float:
    """Exact two-sided p-value that two judges of the same pairs are equally good.

    The binomial form of McNemar (1947), Psychometrika 12, 153-157: given b + c discordant pairs,
    b is Binomial(b + c, 1/2) under the null hypothesis.

    Args:
        b: Pairs that only the first judge got right.
        c: Pairs that only the second judge got right.
    """
    from scipy.stats import binomtest

    if b + c == 0:
        return 1.0
    return float(binomtest(b, b + c, 0.5).pvalue)


def sample_size_for(successes: int, n: int, half_width: float, confidence: float = 0.95) -> int:
    """How many more samples narrow the Wilson interval to ± ``half_width``.

    Solves the half width of Wilson's interval, z/(N+z²)·sqrt(N·p(1-p) + z²/4) ≤ h, for N: with
    h² (N+z²)² = z² (N·p(1-p) + z²/4) it is the larger root of a quadratic. ``p`` is the share so
    far, drawn towards one half by Laplace's rule (s+1)/(n+2): 3 of 3 is not taken for certain.

    Returns:
        Samples to add to ``n``; 0 when there are enough.

    Raises:
        ValueError: ``half_width`` is not between 0 and 0.5, or ``successes`` not in 0..n.
    """
    from scipy.stats import norm

    if not 0 < half_width < 0.5:
        raise ValueError("half_width must be between 0 and 0.5")
    if not 0 <= successes <= n:
        raise ValueError("successes must be in 0..n")
    z2 = float(norm.ppf(0.5 + confidence / 2)) ** 2
    h2 = half_width**2
    share = (successes + 1) / (n + 2)
    spread = share * (1 - share)
    # h² N² + (2 h² z² - z² p(1-p)) N + (h² z⁴ - z⁴/4) = 0; its last term is negative, as h < 1/2.
    middle = z2 * (2 * h2 - spread)
    last = z2 * z2 * (h2 - 0.25)
    root = (-middle + math.sqrt(middle * middle - 4 * h2 * last)) / (2 * h2)
    return max(0, math.ceil(root - 1e-9) - n)
