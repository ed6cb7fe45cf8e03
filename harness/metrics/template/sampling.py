"""A sample of visits that anybody can draw again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["sample_visits"]


def sample_visits(visits: Iterable[int], n: int, seed: int) -> tuple[int, ...]:
    """Return ``n`` of the visits, all when there are no more.

    Each visit has a place in an order that its number and the seed alone decide, and the first ones are taken.  So the
    sample does not depend on the order of the visits, a smaller one is part of a larger one, and a visit that comes or
    goes changes no more than one member.

    Parameters
    ----------
    visits
        Visits to choose from; one that is listed twice counts once.
    n
        How many to choose.
    seed
        Another seed gives another sample.

    Returns
    -------
    sample
        In ascending order.
    """

    def place(visit: int) -> bytes:
        return hashlib.blake2b(f"{seed} {visit}".encode(), digest_size=16).digest()

    return tuple(sorted(sorted(set(visits), key=place)[:n]))
