"""What a publication says of a dataset, kept beside what is accepted: no check is judged by it.

Somebody who enters a table by hand writes this section by hand; ``rerun-harness check`` says whether its numbers fit
together.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotations at run time
from typing import Annotated, final

from pydantic import Field

from harness.baseline.strict import Strict, Text

__all__ = ["Published"]


@final
class Published(Strict):
    """Figures of a publication.

    Attributes
    ----------
    source
        Where they were published.
    reruns
        By the name of a rerun, the value of each metric, in its unit.
    """

    source: Text
    reruns: Annotated[Mapping[Text, Annotated[Mapping[Text, float], Field(min_length=1)]], Field(min_length=1)]
