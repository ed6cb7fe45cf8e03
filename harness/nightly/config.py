"""``nightly.toml``: which reruns are looked for, what they are held against, and who is told."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias, final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.errors import UsageError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["NIGHTLY_TOML", "Announce", "NightlyToml", "Source", "read_nightly_toml"]

NIGHTLY_TOML = "nightly.toml"

_EXAMPLE = '[[reruns]] repo = "/repo/main", names = ["u/me/w_*"]'

_Words: TypeAlias = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
_Folder: TypeAlias = Annotated[Path, Field(strict=False)]  # TOML has no word for a path


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


@final
class Source(_Strict):
    """Where reruns appear: one of the tables ``[[reruns]]``.

    Attributes
    ----------
    repo
        Butler repository, APDB URL or folder (`harness.rerun.open_rerun`); empty is the embedded repository.
    names
        Names of reruns, or globs (``*`` matches any text, with ``/``).
    since
        Only what comes after this rerun is looked at, in the order of names; empty is everything.  It bounds what is
        looked up each night, and keeps a first night from measuring years.
    dataset
        Which baseline they belong to; None is the one that each names, or the only one.
    reference
        The rerun that they are compared with; None is the one that the baseline was accepted from.
    """

    repo: str = ""
    names: _Words = ["*"]
    since: str = ""
    dataset: str | None = None
    reference: str | None = None


@final
class Announce(_Strict):
    """Who is told of new failures: a command or a webhook.

    Attributes
    ----------
    command
        Program and arguments; the message is its standard input.
    webhook
        An http or https URL, to which ``{"text": message}`` is posted.
    timeout
        How long either may take, in seconds.
    failures
        How many failures a message tells, the largest first.
    """

    command: Annotated[list[str], Field(min_length=1)] | None = None
    webhook: str | None = None
    timeout: Annotated[float, Field(gt=0, le=600)] = 30.0
    failures: Annotated[int, Field(ge=1)] = 10

    @field_validator("webhook")
    @classmethod
    def _over_http(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("must be a URL that begins with https:// or http://")
        return url

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.command is None) == (self.webhook is None):
            raise ValueError("must have either a command or a webhook")
        return self


@final
class NightlyToml(_Strict):
    """The content of a ``nightly.toml``.  Paths are relative to its folder, and absolute once it has been read.

    Attributes
    ----------
    reruns
        Where reruns appear.
    folder
        Where reports and announcements are kept, and the lock.
    history
        Folder of the history (`harness.history.store.HistoryStore`).
    baselines
        Folder of baseline files; of the embedded repository, the harness's own where it is not there.
    checks
        Folder or file of checks; those that come with the harness where it is not there.
    measurements
        Folder of the measurement store; None is one in the user's cache folder.
    inconclusive
        Whether what the data cannot decide fails.
    announce
        Who is told; None is nobody.
    """

    reruns: Annotated[list[Source], Field(min_length=1)]
    folder: _Folder = Path("nightly")
    history: _Folder = Path("history")
    baselines: _Folder = Path("baselines")
    checks: _Folder = Path("tests/verification")
    measurements: _Folder | None = None
    inconclusive: Literal["fail", "warn"] = "fail"
    announce: Announce | None = None


def read_nightly_toml(path: Path) -> NightlyToml:
    """Read and check a ``nightly.toml``.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    harness.errors.UsageError
        When it is not there or not TOML, or a key is unknown, missing or wrong.
    """
    try:
        toml = NightlyToml.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as fault:
        raise UsageError(f"{path}: {_sentence(fault.errors(include_url=False)[0])}") from None
    except FileNotFoundError:
        raise UsageError(f"there is no {path}; write one, for example with {_EXAMPLE}") from None
    except (OSError, ValueError) as fault:
        raise UsageError(f"{path} cannot be read as TOML ({fault}); correct it") from None
    folder = path.absolute().parent
    located = {name: folder / value for name, value in toml if isinstance(value, Path)}
    sources = [each.model_copy(update={"repo": _located(each.repo, folder)}) for each in toml.reruns]
    return toml.model_copy(update={**located, "reruns": sources})


def _located(repo: str, folder: Path) -> str:
    """Return a repository as it is named from anywhere."""
    scheme, is_local, path = repo.partition(":///")
    if scheme == "sqlite" and is_local and not path.startswith(("/", "file:", "file%3A")):
        return f"sqlite:///{folder / path}"
    return repo if "://" in repo or not repo else str(folder / Path(repo).expanduser())


def _sentence(error: ErrorDetails) -> str:
    """Say what is wrong with one key."""
    *place, last = error["loc"] or ("",)
    within = _place(place)
    if error["type"] == "extra_forbidden":
        tables: dict[str, type[BaseModel]] = {"reruns": Source, "announce": Announce}
        model = tables.get(str(place[0]), NightlyToml) if place else NightlyToml
        return f"unknown key {last!r}{within}; the keys there are {', '.join(model.model_fields)}"
    if error["type"] == "missing":
        return f"{last!r} is missing{within}; write for example {_EXAMPLE}"
    if error["type"] == "value_error":
        return f"{_place(error['loc']).removeprefix(' in ')} {error['ctx']['error']}"
    return f"{_place(error['loc']).removeprefix(' in ')} is wrong: {error['msg']} (got {error['input']!r})"


def _place(keys: tuple[int | str, ...] | list[int | str]) -> str:
    """Return where some keys are, counted as people count: `` in reruns[1].names``."""
    text = "".join(f"[{key + 1}]" if isinstance(key, int) else f".{key}" for key in keys)
    return f" in {text.removeprefix('.')}" if text else ""
