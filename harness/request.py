"""What a user asks for, whether on the command line or of pytest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Request"]


@final
@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for; what is left out is found by `Session`.

    Attributes
    ----------
    repo
        Butler repository, APDB URL or folder; None is the embedded repository.
    reruns
        Names of reruns in the repository, or ``NAME=REPO`` for one that lies elsewhere; none is the newest.
    reference
        The rerun to compare with, named likewise; None is the rerun the baseline was accepted from, where the
        repository has it.
    baselines
        Folder of baseline files; None is ``baselines`` in the current folder (the harness's own for the embedded
        repository).
    dataset
        Which of them; None is the one the rerun names, or the only one.
    measurements
        Folder of the measurement store; None is one in the user's cache folder.
    good_flags
        Name of the flag list that "good source" means; None is what the baseline says.
    psf_size, sample_visits, sample_seed
        Which size of a PSF is meant, of how many visits images are read, and of which; None is what the baseline says.
    self_test
        Whether a comparison of a rerun with itself is meant.
    tolerate_inconclusive
        Whether what the data cannot decide is let through.
    baseline_optional
        Whether to go on without a baseline where there are several and nothing says which one is meant.
    """

    repo: str | None = None
    reruns: tuple[str, ...] = ()
    reference: str | None = None
    baselines: Path | None = None
    dataset: str | None = None
    measurements: Path | None = None
    good_flags: str | None = None
    psf_size: str | None = None
    sample_visits: int | None = None
    sample_seed: int | None = None
    self_test: bool = False
    tolerate_inconclusive: bool = False
    baseline_optional: bool = False

    def as_options(self) -> list[str]:
        """Return the request as options of the pytest plugin."""
        named = {
            "repo": self.repo,
            "reference": self.reference,
            "baselines": self.baselines and self.baselines.resolve(),
            "dataset": self.dataset,
            "measurements": self.measurements and self.measurements.resolve(),
            "good-flags": self.good_flags,
            "psf-size": self.psf_size,
            "sample-visits": self.sample_visits,
            "sample-seed": self.sample_seed,
            "inconclusive": "warn" if self.tolerate_inconclusive else None,
        }
        options = [f"--{name}={value}" for name, value in named.items() if value is not None]
        options += [f"--rerun={rerun}" for rerun in self.reruns]
        return [*options, "--self-test"] if self.self_test else options
