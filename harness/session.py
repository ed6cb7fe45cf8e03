"""What was asked for, resolved: repository, reruns, reference, baseline, settings and measurement store.

The command line and the pytest plugin both start here, so that the same words mean the same thing in both.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, final

from harness.errors import HarnessError, SelfComparisonError, UsageError
from harness.model import VerdictState
from harness.rerun.protocol import RerunRef
from harness.rerun.shown import shown_repo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Executor

    import pyarrow as pa

    from harness.baseline.model import Baseline
    from harness.measure.measurements import Measurements
    from harness.measure.run import Progress
    from harness.measure.store import Manifest, MeasurementStore
    from harness.metrics.settings import Settings
    from harness.model import Metric
    from harness.request import Request
    from harness.rerun.protocol import Rerun
    from harness.selection import Selection
    from harness.verification import Verification

__all__ = ["Session"]

#: Settings that a request may override.
_CHOSEN = ("good_flags", "psf_size", "sample_visits", "sample_seed")


@final
class Session:
    """A `Request`, resolved step by step; each step raises a `harness.errors.UsageError` that says what is there.

    Parameters
    ----------
    request
        What was asked for.
    tell
        Called with a line about work that takes a while; None works in silence.
    """

    def __init__(self, request: Request, tell: Callable[[str], None] | None = None) -> None:
        self.request = request
        self._tell = tell
        self._opened: dict[RerunRef, Rerun] = {}
        self._measured: dict[RerunRef, Measurements] = {}

    @cached_property
    def repo(self) -> str:
        """The repository that reruns are looked up in."""
        if self.request.repo is not None:
            return _absolute(self.request.repo)
        from harness.embedded import EMBEDDED_DATASET, embedded_dataset, embedded_repository

        named = [name for name in (*self.request.reruns, self.request.reference) if name is not None]
        dataset = embedded_dataset(named) if named else self.request.dataset
        return str(embedded_repository(progress=self._tell, dataset=dataset or EMBEDDED_DATASET))

    @property
    def is_embedded(self) -> bool:
        """Whether the reruns are those of the embedded repository."""
        return self.request.repo is None

    @cached_property
    def refs(self) -> tuple[RerunRef, ...]:
        """The reruns to measure and judge."""
        if self.request.reruns:
            refs = tuple(dict.fromkeys(self._ref(text) for text in self.request.reruns))
            if len({ref.name for ref in refs}) < len(refs):
                raise UsageError("two reruns bear the same name, and verdicts go by name; ask for one at a time")
            return refs
        if self.is_embedded:
            from harness.embedded import newest_embedded

            return (RerunRef(self.repo, newest_embedded(self.request.dataset)),)
        from harness.rerun import list_reruns

        names = list_reruns(self.repo)
        if not names:
            raise UsageError(f"{self.repo} holds no rerun; name one with --rerun")
        return (RerunRef(self.repo, names[-1]),)

    @cached_property
    def reference(self) -> RerunRef | None:
        """The rerun that the others are compared with, or None when there is only the baseline's number."""
        if self.request.reference is not None:
            reference = self._ref(self.request.reference)
            if reference in self.refs and not self.request.self_test:
                raise SelfComparisonError(
                    f"{reference.name} would be compared with itself; name two different reruns "
                    "(--self-test if that is what you want to see)"
                )
            return reference
        accepted = None if self.baseline is None else self.baseline.accepted_rerun
        if accepted is None or accepted in {ref.name for ref in self.refs}:
            return None
        reference = RerunRef(self.repo, accepted)
        if self._is_measured(reference):
            return reference
        try:
            self.open(reference)
        except HarnessError:
            return None  # judging needs measurements, not the repository they came from
        return reference

    def _is_measured(self, ref: RerunRef) -> bool:
        return self.manifest(ref) is not None

    def manifest(self, ref: RerunRef) -> Manifest | None:
        """Return what the measurement of a rerun consists of, or None when it has not been measured."""
        from harness.measure.run import OWN

        return self.store.read_manifest(self.store.folder(ref, OWN), asdict(self.settings))

    @cached_property
    def baseline_folder(self) -> Path:
        """Folder of baseline files."""
        if self.request.baselines is not None:
            return self.request.baselines
        here = Path("baselines")
        if self.is_embedded and not here.is_dir():
            from harness.shipped import shipped

            return shipped("baselines")
        return here

    @cached_property
    def dataset(self) -> str | None:
        """Name of the dataset, which names the baseline file; None when nothing says which it is."""
        if self.request.dataset is not None:
            return self.request.dataset
        if self.is_embedded:
            from harness.embedded import embedded_dataset

            return embedded_dataset([ref.name for ref in self.refs])
        named = {name for ref in self.refs if (name := getattr(self.open(ref), "dataset", ""))}
        if len(named) > 1:
            raise UsageError(f"the reruns name several datasets ({', '.join(sorted(named))}); say which with --dataset")
        if named:
            return named.pop()
        files = sorted(self.baseline_folder.glob("*.json"))
        if len(files) > 1 and self.request.baseline_optional:
            return None
        if len(files) > 1:
            names = ", ".join(path.stem for path in files)
            raise UsageError(f"{self.baseline_folder} holds several baselines; say which with --dataset: {names}")
        return files[0].stem if files else None

    @property
    def baseline_path(self) -> Path:
        """The dataset's baseline file, which need not exist yet.

        Raises
        ------
        harness.errors.UsageError
            When nothing says which dataset this is.
        """
        if self.dataset is None:
            raise UsageError(
                f"there is no baseline in {self.baseline_folder} yet; name the new one with --dataset NAME"
            )
        return self.baseline_folder / f"{self.dataset}.json"

    @cached_property
    def baseline(self) -> Baseline | None:
        """The dataset's baseline, or None when there is none yet."""
        from harness.baseline.files import read_baseline

        if self.dataset is None or not self.baseline_path.exists():
            return None
        return read_baseline(self.baseline_path)

    @cached_property
    def settings(self) -> Settings:
        """What the definitions depend on: the baseline's settings, unless the request overrides them."""
        from harness.metrics.settings import Settings

        settings = Settings() if self.baseline is None else Settings(**self.baseline.settings.model_dump())
        asked = {name: getattr(self.request, name) for name in _CHOSEN}
        return replace(settings, **{name: value for name, value in asked.items() if value is not None})

    @cached_property
    def store(self) -> MeasurementStore:
        """The measurement store."""
        from harness.measure.store import MeasurementStore

        if self.request.measurements is not None:
            return MeasurementStore(self.request.measurements)
        from harness.embedded import cache_folder

        return MeasurementStore(cache_folder() / "measurements")

    def resolve(self) -> None:
        """Find out what is judged against what, by which definitions.

        Raises
        ------
        harness.errors.HarnessError
            When the request names something that does not exist, or contradicts itself.
        """
        _ = self.settings, self.refs, self.reference
        if self.request.dataset is not None and self.baseline is None and any(self.baseline_folder.glob("*.json")):
            from harness.baseline.files import find_baseline

            find_baseline(self.baseline_folder, self.request.dataset)  # misspelt: raises what there is

    def open(self, ref: RerunRef) -> Rerun:
        """Open a rerun, once."""
        if ref not in self._opened:
            from harness.rerun import open_ref

            self._opened[ref] = open_ref(ref)
        return self._opened[ref]

    def measure(self, *, executor: Executor | None = None, progress: Progress | None = None) -> list[Manifest]:
        """Measure what is missing of all reruns, the reference, and each rerun against the reference.

        Raises
        ------
        harness.errors.HarnessError
            When something cannot be read or written; what could be measured is stored.
        """
        from harness.measure.run import measure, measure_pair

        refs = self.refs if self.reference is None else (self.reference, *self.refs)
        manifests = [
            measure(self.open(ref), self.settings, self.store, executor=executor, progress=progress) for ref in refs
        ]
        if self.reference is not None:
            reference = self.open(self.reference)
            for ref, manifest in zip(self.refs, manifests[1:], strict=True):
                self.refuse_self_comparison(replace(manifest, content=""), manifests[0])  # content: see `verification`
                measure_pair(self.open(ref), reference, self.settings, self.store, executor=executor, progress=progress)
        return manifests if self.reference is None else manifests[1:]

    def refuse_self_comparison(self, manifest: Manifest, other: Manifest) -> None:
        """Raise `harness.errors.SelfComparisonError` when two measurements are of the same data."""
        if self.request.self_test:
            return
        from harness.diagnose.churn import refuse_self_comparison

        refuse_self_comparison(manifest, other)

    @cached_property
    def catalogue(self) -> Mapping[str, Metric]:
        """Definitions of all metrics, under the settings of this session."""
        from harness.measure.catalogue import all_metrics

        return all_metrics(self.settings)

    @cached_property
    def selection(self) -> Selection:
        """What of all that can be measured is judged."""
        from harness.selection import Selection

        return Selection(self)

    def tables(self, ref: RerunRef, name: str) -> list[pa.Table]:
        """Return the further tables that were kept with a rerun's measurements, those against the reference included.

        Parameters
        ----------
        ref
            The rerun.
        name
            Name of the tables, such as ``curves``.
        """
        return [
            table
            for folder, manifest in self._manifests(ref)
            for table in self.store.read_tables(folder, manifest.shards, name)
        ]

    def measurements(self, ref: RerunRef) -> Measurements:
        """Return the stored measurements of a rerun, those against the reference included.

        A rerun that has not been measured has every metric, and each says that it is not measured.
        """
        if ref not in self._measured:
            self._measured[ref] = self._load(ref)
        return self._measured[ref]

    def _load(self, ref: RerunRef) -> Measurements:
        import pyarrow as pa

        from harness.measure.catalogue import all_ratios
        from harness.measure.measurements import Measurements
        from harness.measure.run import OWN
        from harness.metrics.rows import rows_schema

        found = list(self._manifests(ref))
        if not found or found[0][1].suite != OWN:
            return Measurements(ref.name, None, rows_schema().empty_table(), self.catalogue, all_ratios())
        rows = pa.concat_tables([self.store.read_shards(folder, manifest.shards) for folder, manifest in found])
        return Measurements(ref.name, found[0][1], rows, self.catalogue, all_ratios())

    def _manifests(self, ref: RerunRef) -> Iterator[tuple[Path, Manifest]]:
        """Yield what was measured of a rerun, alone and then against the reference, and the folders it is in."""
        from harness.measure.run import OWN, pair_suite

        suites = [OWN]
        if self.reference is not None and ref in self.refs:
            suites.append(pair_suite(self.reference))
        for suite in suites:
            folder = self.store.folder(ref, suite)
            manifest = self.store.read_manifest(folder, asdict(self.settings))
            if manifest is not None:
                yield folder, manifest

    def verification(self, rerun: str) -> Verification:
        """Return what judges the expectations of a rerun.

        Raises
        ------
        harness.errors.SelfComparisonError
            When the rerun and what it is compared with hold the same data.
        """
        from harness.diagnose.story import Story
        from harness.verification import Verification

        ref = next(ref for ref in self.refs if ref.name == rerun)
        measured = self.measurements(ref)
        reference = None if self.reference is None else self.measurements(self.reference)
        if measured.manifest is not None:
            if reference is None:
                self._refuse_own_baseline(measured.manifest)
            elif reference.manifest is not None:
                known = measured.manifest
                if measured["columns.numChanged"].value > 0:  # of all columns, where content covers those that identify
                    known = replace(known, content="")
                self.refuse_self_comparison(known, reference.manifest)
        story = None if reference is None else Story(measured, reference, self.settings, lambda: self._regions(ref))
        return Verification(
            measured, reference, self.baseline, self.dataset or "", story=story, command=self.command(ref)
        )

    def _regions(self, ref: RerunRef) -> pa.Table | None:
        """Return detector sizes, where the repository is at hand: a verdict does not need it, its story does."""
        try:
            return self.open(ref).regions()
        except HarnessError:
            return None

    def _refuse_own_baseline(self, manifest: Manifest) -> None:
        """Refuse to hold a rerun against the numbers that were accepted from it."""
        if self.baseline is None or self.request.self_test:
            return
        if manifest.datasets_digest in {acceptance.inputs for acceptance in self.baseline.acceptances.values()}:
            raise SelfComparisonError(
                f"{manifest.rerun} would be compared with itself: baseline {self.dataset} was accepted from it; "
                "name another rerun, or a --reference (--self-test if that is what you want to see)"
            )

    @property
    def tolerated(self) -> frozenset[VerdictState]:
        """States of a verdict that let a check pass."""
        passing = {VerdictState.PASS, VerdictState.ACKNOWLEDGED}
        return frozenset(passing | {VerdictState.INCONCLUSIVE} if self.request.tolerate_inconclusive else passing)

    def describe(self) -> str:
        """Say in one line what is judged against what."""
        reruns = ", ".join(ref.name for ref in self.refs)
        where = shown_repo("" if self.is_embedded else self.repo)
        against = [] if self.reference is None else [self.reference.name]
        if self.baseline is not None:
            against.append(f"baseline {self.dataset}")
        return f"{reruns} of {where} against {' and '.join(against) or 'nothing (no reference, no baseline)'}"

    def command(self, ref: RerunRef) -> str:
        """Return the command that shows more of what is the matter with a rerun, or gives it something to meet."""
        other = "" if self.reference is None else f" {self.reference.name}"
        repo = "" if self.is_embedded else f" --repo {shown_repo(self.repo)}"
        if self.reference is None and self.baseline is None:
            dataset = "" if self.is_embedded else f" --dataset {self.dataset or 'NAME'}"
            return f"rerun-harness accept {ref.name}{repo}{dataset} --rtol 0.02 --reason 'first baseline'"
        return f"rerun-harness diff {ref.name}{other}{repo}"

    def _ref(self, text: str) -> RerunRef:
        name, elsewhere, repo = text.partition("=")
        if not name or (elsewhere and not repo):
            raise UsageError(f"rerun {text!r} is not a name, nor NAME=REPOSITORY")
        return RerunRef(_absolute(repo) if elsewhere else self.repo, name)


def _absolute(repo: str) -> str:
    """Make a local path absolute, so that the same repository has the same name from any folder."""
    scheme, is_url, path = repo.partition(":///")
    if scheme == "sqlite" and is_url and not path.startswith(("/", "file%3A", "file:")):
        return f"sqlite:///{Path(path).resolve()}"
    return repo if "://" in repo else str(Path(repo).expanduser().resolve())
