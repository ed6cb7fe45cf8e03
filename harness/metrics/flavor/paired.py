"""Two flavors that have seen the same injections, one by one: what tells them apart is what only one of them found."""

from __future__ import annotations

import math
from bisect import bisect_left

__all__ = ["compare_totals", "injections_needed", "mcnemar"]


def mcnemar(gained: int, lost: int) -> float:
    """Return the probability that equally good flavors differ so much or more (McNemar 1947, exact and two-sided).

    Parameters
    ----------
    gained, lost
        Injections that only the one flavor found, and only the other.
    """
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5)))


def injections_needed(gained: int, lost: int, n: int, *, level: float = 0.01, power: float = 0.9) -> float:
    """Return how many injections would tell two flavors apart that go on to differ as they did.

    Sample size of McNemar's test (Miettinen 1968, Connor 1987), with the continuity correction that the exact test
    needs.

    Parameters
    ----------
    gained, lost
        Injections that only the one flavor found, and only the other.
    n
        Injections that both have seen.
    level, power
        Chance of telling equal flavors apart, and of telling these.

    Returns
    -------
    injections : `float`
        Infinite when the two did not differ.

    Raises
    ------
    ValueError
        When more were gained and lost than there are.
    """
    from scipy.special import ndtri

    if not 0 <= gained + lost <= n:
        raise ValueError(f"of {n} injections, {gained} and {lost} cannot have been gained and lost")
    if gained == lost:
        return math.inf
    moved, net = (gained + lost) / n, abs(gained - lost) / n
    reach = ndtri(1 - level / 2) * math.sqrt(moved) + ndtri(power) * math.sqrt(max(moved - net**2, 0.0))
    return float(math.ceil((reach / net) ** 2 + 1 / net))


def compare_totals(
    found: int, found_other: int, names: tuple[str, str], *, level: float = 0.01, n_injections: int | None = None
) -> str:
    """Say whether two flavors are told apart by nothing but how many injections each found.

    How many of them only one flavor found is unknown.  Two totals allow for any number between their difference, when
    the better one found all that the other did, and their sum, when they have none in common; and McNemar's test finds
    the difference the less significant the larger it is.

    Parameters
    ----------
    found, found_other
        Injections that each flavor found.
    names
        What to call the two.
    level
        Chance of telling equal flavors apart.
    n_injections
        How many injections both have seen, where that is known.

    Returns
    -------
    words : `str`
        One or two sentences.

    Raises
    ------
    ValueError
        When more were found than there are.
    """
    if n_injections is not None and not max(found, found_other) <= n_injections:
        raise ValueError(f"{max(found, found_other)} of {n_injections} injections cannot have been found")

    def chance(shared: int) -> float:
        return mcnemar(found - shared, found_other - shared)

    fewest = 0 if n_injections is None else max(found + found_other - n_injections, 0)
    most = min(found, found_other)
    who = f"{names[0]} ({found} found) and {names[1]} ({found_other} found)"
    at = f"at a level of {100 * level:g} %"
    if chance(fewest) <= level:
        return (
            f"{who} are distinguishable {at}, however many of the injections that they found are the same "
            f"(p = {_probability(chance(fewest))} at most)."
        )
    if chance(most) > level:
        return (
            f"{who} are indistinguishable {at}, even if they found the same injections as far as they can "
            f"(p = {_probability(chance(most))} at least)."
        )
    enough = bisect_left(range(fewest, most), True, key=lambda shared: chance(shared) <= level) + fewest
    apart = 0 if n_injections is None else round(found * found_other / n_injections)
    independent = chance(min(max(apart, fewest), most))
    return (
        f"Whether {who} are distinguishable {at} cannot be told from totals: only if they share at least {enough} "
        f"of the injections that they found ({100 * enough / most:.1f} % of the {most}). Were they independent, "
        f"p = {_probability(independent)}."
    )


def _probability(value: float) -> str:
    return f"{value:.2g}"
