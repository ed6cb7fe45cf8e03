"""The pytest plugin: reruns, a reference and expectations for anyone's own checks.

Loaded by its entry point.  Tests ask for ``rerun``, ``reference`` and ``expect``, and for a metric group by its name::

    def test_dia_source_counts_are_unchanged(rerun, dia_count, expect):
        expect(rerun[dia_count]).unchanged()

Each such test runs once per rerun and metric.  Nothing is measured here: checks read the measurement store, so ``-k``,
``--lf`` and any number of workers see the same numbers.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import pytest

from harness.errors import HarnessError, UsageError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from harness.judge.quantity import Quantity
    from harness.measure.measurements import Measurements
    from harness.model import Verdict
    from harness.session import Session
    from harness.verification import Verification

_SESSION: pytest.StashKey[Session] = pytest.StashKey()
_VERDICTS: pytest.StashKey[list[Verdict]] = pytest.StashKey()

#: The attribute of a test report that takes verdicts from a worker to the process that collects them.
_CARRIED = "harness_verdicts"

#: The value of an argument that has none: no metric of the group, or no amplifier, is to be judged.
_NOTHING = object()

_OPTIONS = {
    "repo": "Butler repository, APDB URL or folder with a rerun.toml (default: the embedded repository)",
    "reference": "rerun to compare with (default: the one the baseline was accepted from)",
    "baselines": "folder of baseline files (default: baselines)",
    "dataset": "name of the baseline in it (default: the one the rerun names, or the only one)",
    "measurements": "folder of the measurement store (default: in the user's cache folder)",
    "good-flags": "flag list that 'good source' means (default: the baseline's)",
    "psf-size": "size of a PSF that is meant: determinant, trace or nea (default: the baseline's)",
    "sample-visits": "of how many visits images are read; 0 is all (default: the baseline's)",
    "sample-seed": "which sample of visits that is (default: the baseline's)",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options, each with a twin in the ini file (``--repo`` is ``harness_repo``)."""
    group = parser.getgroup("rerun-harness", "verification of reruns")
    for name, text in _OPTIONS.items():
        group.addoption(f"--{name}", dest=_dest(name), metavar=name.upper(), help=text)
        parser.addini(_dest(name), text)
    group.addoption(
        "--rerun",
        dest="harness_rerun",
        action="append",
        metavar="NAME",
        help="rerun to judge, or NAME=REPO; may be repeated (default: the newest)",
    )
    parser.addini("harness_rerun", "reruns to judge", type="args")
    group.addoption(
        "--inconclusive",
        dest="harness_inconclusive",
        choices=["fail", "warn"],
        help="what becomes of a check that the data cannot decide (default: fail)",
    )
    parser.addini("harness_inconclusive", "fail or warn", default="fail")
    group.addoption(
        "--self-test",
        dest="harness_self_test",
        action="store_true",
        help="allow a rerun to be compared with itself",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a request that cannot be met before anything runs; without a request, open nothing."""
    if any(_given(config, name) for name in (*_OPTIONS, "rerun")):
        try:
            _session(config).resolve()
        except HarnessError as fault:
            raise pytest.UsageError(str(fault)) from None


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize ``rerun`` over the reruns asked for, and each metric group over the metrics in it."""
    if "rerun" not in metafunc.fixturenames or _parametrized(metafunc, "rerun"):
        return
    try:
        session = _session(metafunc.config)
        names = [ref.name for ref in session.refs]
        metafunc.parametrize("rerun", list(session.refs), ids=names, indirect=True, scope="session")
        for group in sorted(session.selection.groups & set(metafunc.fixturenames)):
            metafunc.parametrize(group, session.selection.metrics_of(group) or [_NOTHING])
        if "amplifier" in metafunc.fixturenames:
            places = session.selection.amplifiers
            ids = ["-".join(map(str, place.values())) or "unmeasured" for place in places]
            metafunc.parametrize("amplifier", places or [_NOTHING], ids=ids or None)
    except HarnessError as fault:
        raise pytest.UsageError(str(fault)) from None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out checks that have nothing to judge: no rerun holds their input, and no baseline expects it."""
    session = config.stash.get(_SESSION, None)
    if session is None:
        return
    idle = [item for item in items if _NOTHING in getattr(getattr(item, "callspec", None), "params", {}).values()]
    if idle:
        config.hook.pytest_deselected(items=idle)
        left_out = set(idle)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def rerun(request: pytest.FixtureRequest) -> Measurements:
    """Return the measurements of the rerun under test: ``rerun["dia.numSources"]`` is a quantity to expect of."""
    with _told_without_traceback():
        return _session(request.config).measurements(request.param)


@pytest.fixture(scope="session")
def reference(pytestconfig: pytest.Config) -> Measurements:
    """Return the measurements of the rerun that others are compared with.

    Without ``--reference``, and without a baseline whose rerun is in the repository, the test that asks for it fails.
    """
    session = _session(pytestconfig)
    if session.reference is None:
        pytest.fail("this check needs a reference rerun: name one with --reference", pytrace=False)
    with _told_without_traceback():
        return session.measurements(session.reference)


@pytest.fixture(scope="session")
def _verifications() -> dict[str, Verification]:
    return {}


@pytest.fixture
def expect(request: pytest.FixtureRequest, _verifications: dict[str, Verification]) -> _Expect:
    """Return the function that turns a quantity into something to expect of: ``expect(q).unchanged()``."""
    return _Expect(request.node, _session(request.config), _verifications)


@final
class _Expect:
    """``expect``: collects the verdicts of one test and fails it on the first that does not hold."""

    def __init__(self, item: pytest.Item, session: Session, verifications: dict[str, Verification]) -> None:
        self._item = item
        self._session = session
        self._verifications = verifications

    def __call__(self, quantity: Quantity) -> _Expectation:
        if quantity.rerun not in self._verifications:
            with _told_without_traceback():
                self._verifications[quantity.rerun] = self._session.verification(quantity.rerun)
        return _Expectation(self, self._verifications[quantity.rerun], quantity)

    def settle(self, verdict: Verdict) -> None:
        from harness.report.junit import junit_properties

        self._item.stash.setdefault(_VERDICTS, []).append(verdict)
        self._item.user_properties += junit_properties(verdict)
        if verdict.state in self._session.tolerated:
            return
        lines = (f"  {line}" for line in (*verdict.details, *verdict.context))
        pytest.fail("\n".join([verdict.sentence, *lines]), pytrace=False)


@final
class _Expectation:
    """What may be expected of one quantity; each method judges and fails the test unless it was shown to hold."""

    def __init__(self, expect: _Expect, verification: Verification, quantity: Quantity) -> None:
        self._expect = expect
        self._verification = verification
        self._quantity = quantity

    def unchanged(self, *, rtol: float | None = None, atol: float | None = None) -> None:
        """Expect no change against the reference, or the baseline, beyond the tolerance that the baseline states.

        Parameters
        ----------
        rtol, atol
            Tolerance (relative, and in the metric's unit) for a metric that no baseline holds.
        """
        self._expect.settle(self._verification.unchanged(self._quantity, rtol=rtol, atol=atol))

    def below(self, other: Quantity | float, *, for_at_least: float | None = None) -> None:
        """Expect less than another quantity or a number; with ``for_at_least``, in that share of visits."""
        self._expect.settle(self._verification.below(self._quantity, other, for_at_least=for_at_least))

    def above(self, other: Quantity | float, *, for_at_least: float | None = None) -> None:
        """Expect more than another quantity or a number; with ``for_at_least``, in that share of visits."""
        self._expect.settle(self._verification.above(self._quantity, other, for_at_least=for_at_least))

    def agrees_with(self, other: Quantity, *, rtol: float, predicted: float = 0.0) -> None:
        """Expect the ratio to another estimate to be ``1 + predicted``, within ``rtol``."""
        self._expect.settle(self._verification.agrees_with(self._quantity, other, rtol=rtol, predicted=predicted))

    def within(self, low: float, high: float) -> None:
        """Expect the value itself in a closed interval."""
        self._expect.settle(self._verification.within(self._quantity, low, high))

    def sound(self) -> None:
        """Expect a count of defects to be zero, unless the baseline accepts some."""
        self._expect.settle(self._verification.sound(self._quantity))

    def in_order(self) -> None:
        """Expect the amplifiers of each detector in the order of the reference, or of the baseline."""
        self._expect.settle(self._verification.in_order(self._quantity))

    def as_baselined(self) -> None:
        """Expect whatever the baseline's entry for this metric says."""
        self._expect.settle(self._verification.as_baselined(self._quantity))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the report carry the verdicts, so that they reach the process that collects them."""
    report = yield
    if report.when == "call":
        # Only plain types survive the way from a worker process.
        report.__dict__[_CARRIED] = [
            asdict(verdict) | {"state": str(verdict.state)} for verdict in item.stash.get(_VERDICTS, [])
        ]
    return report


def verdicts_of(report: pytest.TestReport) -> list[Verdict]:
    """Return the verdicts that a test's report carries, from whichever process."""
    from harness.model import Interval, Verdict, VerdictState

    def revive(plain: Mapping[str, Any]) -> Verdict:
        intervals = {
            name: None if plain[name] is None else Interval(**plain[name]) for name in ("interval", "acceptable")
        }
        lines = {name: tuple(plain[name]) for name in ("details", "context")}
        return Verdict(**{**plain, **intervals, **lines, "state": VerdictState(plain["state"])})

    return [revive(plain) for plain in getattr(report, _CARRIED, ())]


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is judged against what, once something has been resolved."""
    session = config.stash.get(_SESSION, None)
    return [] if session is None else [f"rerun-harness: {session.describe()}"]


def _parametrized(metafunc: pytest.Metafunc, name: str) -> bool:
    """Return whether a test gives an argument its own values; then it is none of ours."""
    marks = metafunc.definition.iter_markers("parametrize")
    return any(name in str(mark.args[0] if mark.args else mark.kwargs.get("argnames", "")) for mark in marks)


@contextmanager
def _told_without_traceback() -> Generator[None]:
    """Turn an error of the user's making into its one sentence."""
    try:
        yield
    except HarnessError as fault:
        pytest.fail(str(fault), pytrace=False)


def _session(config: pytest.Config) -> Session:
    if _SESSION not in config.stash:
        from harness.request import Request
        from harness.session import Session

        given = partial(_given, config)

        def folder(name: str) -> Path | None:
            typed, written = config.getoption(_dest(name)), config.getini(_dest(name))
            if typed:
                return Path(typed)
            return config.rootpath / written if written else None

        config.stash[_SESSION] = Session(
            Request(
                repo=given("repo"),
                reruns=tuple(given("rerun") or ()),
                reference=given("reference"),
                baselines=folder("baselines"),
                dataset=given("dataset"),
                measurements=folder("measurements"),
                good_flags=given("good-flags"),
                psf_size=given("psf-size"),
                sample_visits=_whole(config, "sample-visits"),
                sample_seed=_whole(config, "sample-seed"),
                self_test=config.getoption("harness_self_test"),
                tolerate_inconclusive=given("inconclusive") == "warn",
            )
        )
    return config.stash[_SESSION]


def _given(config: pytest.Config, name: str) -> Any:
    """Return an option, else its twin in the ini file, else None."""
    return config.getoption(_dest(name)) or config.getini(_dest(name)) or None


def _whole(config: pytest.Config, name: str) -> int | None:
    """Return an option that is a whole number; None when it was not given."""
    text = _given(config, name)
    if text is not None and not text.isdecimal():
        raise UsageError(f"--{name} must be a whole number (got {text!r})")
    return None if text is None else int(text)


def _dest(name: str) -> str:
    return "harness_" + name.replace("-", "_")
