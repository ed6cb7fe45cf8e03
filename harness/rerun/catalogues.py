"""What catalogues of injections, known sources and stars need beyond the names of their columns.

Magnitudes in several bands of which one counts, right ascension in radians without a word of it, identifiers of any
kind, columns of the DIA sources that an injection was joined with.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.rerun.aliases import RENAMES, canonical_name
from harness.rerun.canonical import Column, as_flag, canonical_columns, canonical_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Flags = Mapping[str, NDArray[np.bool_]]
    _Rule = Callable[[Flags], NDArray[np.bool_]]

__all__ = ["catalogue_columns"]

_NUMBERS = ("ra", "dec", "x", "y", "mag", "flux", "fluxErr", "snr", *(f"{band}_mag" for band in "ugrizy"))

#: What the injections themselves call their columns where those of DIA sources stand beside them.
_OWN = frozenset(old for rename in RENAMES if rename.table == "injection" for old in rename.older.values())
_JOINED = frozenset({"psfFlux", "psFlux"})
_OF_SOURCES = frozenset({"ra", "dec", "x", "y", "snr"})

_FAINTEST = 50.0
_IN_RADIANS = frozenset({"raJ2000", "decJ2000"})


def catalogue_columns(
    schema: pa.Schema, table: str, instrument: str, constants: Mapping[str, int | str]
) -> dict[str, Column]:
    """Work out the canonical columns of a catalogue; see `harness.rerun.canonical.canonical_columns`.

    Beyond those, and where the stored columns allow them:

    - ``mag``: of the row's band where there are several; NaN for what is no magnitude (-99, 0, infinity).
    - ``inTemplate``: put into the template alone, so that it is negative in the difference.
    - ``inOneImage``: put into exactly one of the two images.  What lsst/source_injection flags went into neither,
      variable injections of lsst/ap_pipe and some older fakes went into both: no image holds their flux alone.
    - ``isMoving``: a solar-system object.

    Numbers are float64, whatever they were stored as.  What the data ID gives wins over what is stored.
    """
    names = frozenset(schema.names)
    columns = canonical_columns(_own_fields(schema) if table == "injection" else schema, table, instrument, constants)
    columns |= {name: Column(canonical_type(name, pa.scalar(each).type), None) for name, each in constants.items()}
    for name in columns.keys() & set(_NUMBERS):
        columns[name] = replace(columns[name], type=pa.float64())
    if (magnitude := _magnitude(columns, table, constants)) is not None:
        columns["mag"] = magnitude
    if table == "injection":
        columns |= _of_injections(columns, schema, names)
    if table == "known":
        columns |= _of_known(columns, names)
    return columns


def _own_fields(schema: pa.Schema) -> pa.Schema:
    """Leave out what belongs to the DIA source that an injection was joined with, and is missing for one not found."""
    if not _JOINED.intersection(schema.names):
        return schema
    own = {canonical_name(name, "injection") for name in _OWN.intersection(schema.names)}
    left_out = own | _OF_SOURCES
    return pa.schema(
        [each for each in schema if each.name in _OWN or canonical_name(each.name, "injection") not in left_out]
    )


def _position(column: Column, schema: pa.Schema, names: frozenset[str]) -> Column:
    """Return a coordinate in degrees: older fakes have theirs in radians, which nothing but their names says."""
    stored = column.stored or ""
    is_older = stored in _IN_RADIANS or ("fakeId" in names and not names & {"injection_id", "injected_id"})
    told = (schema.field(stored).metadata or {}).get(b"unit")
    return replace(column, convert=_degrees) if is_older and not told else column


def _degrees(array: pa.Array) -> pa.Array:
    radians = _numbers(array)
    beyond = np.abs(radians) > 2 * np.pi
    if beyond.any():
        raise pa.ArrowInvalid(f"position {radians[beyond][0]:g}, where fakes of lsst/pipe_tasks have radians")
    return pa.array(np.degrees(radians))


def _magnitude(columns: Mapping[str, Column], table: str, constants: Mapping[str, int | str]) -> Column | None:
    """Return the magnitude; None when there is none, or one in each band and nothing for it to be chosen by."""
    if "mag" in columns:
        return replace(columns["mag"], convert=_real)
    bands = tuple(band for band in "ugrizy" if f"{band}_mag" in columns)
    if not bands or (len(bands) > 1 and table != "injection"):
        return None
    first, *others = (columns[f"{band}_mag"].stored or "" for band in bands)
    band = columns.get("band")
    by_row = [band.stored] if band is not None and band.stored is not None else []
    convert = _OfBand(bands, str(constants.get("band", "")), bool(by_row))
    return Column(pa.float64(), first, convert, (*others, *by_row))


def _of_injections(columns: Mapping[str, Column], schema: pa.Schema, names: frozenset[str]) -> dict[str, Column]:
    found = {name: _position(columns[name], schema, names) for name in ("ra", "dec") if name in columns}
    identifier = columns.get("injectionId")
    if identifier is not None:
        found["injectionId"] = replace(identifier, convert=_identifier)
    for name in columns.keys() & {"inTemplate", "inOneImage"}:
        found[name] = replace(columns[name], type=pa.bool_(), convert=as_flag)
    if "inTemplate" not in columns and (told := _flags(_in_template, names, "isTemplateSource", "isVisitSource")):
        found["inTemplate"] = told
    one = ("isTemplateSource", "isVisitSource", "injection_flag", "isVariable")
    if "inOneImage" not in columns and (told := _flags(_in_one_image, names, *one)):
        found["inOneImage"] = told
    return found


def _of_known(columns: Mapping[str, Column], names: frozenset[str]) -> dict[str, Column]:
    if "isMoving" in columns:
        return {}
    stored = next((name for name in ("ssObjectId", "ObjID") if name in names), None)
    return {} if stored is None else {"isMoving": Column(pa.bool_(), stored, _is_named)}


def _flags(rule: _Rule, names: frozenset[str], *wanted: str) -> Column | None:
    """Return a flag that a rule makes of those stored ones that are there; None when none is."""
    present = tuple(name for name in wanted if name in names)
    return Column(pa.bool_(), present[0], _Ruled(rule, present), present[1:]) if present else None


def _in_template(flags: Flags) -> NDArray[np.bool_]:
    return np.logical_and(flags.get("isTemplateSource", True), np.logical_not(flags.get("isVisitSource", False)))


def _in_one_image(flags: Flags) -> NDArray[np.bool_]:
    template, visit = flags.get("isTemplateSource"), flags.get("isVisitSource")
    some = next(iter(flags.values()))
    one = np.ones(len(some), bool)
    if template is not None and visit is not None:
        one = np.logical_xor(template, visit)
    otherwise = np.logical_or(flags.get("injection_flag", False), flags.get("isVariable", False))
    return np.logical_and(one, np.logical_not(otherwise))


@final
@dataclass(frozen=True, slots=True)
class _Ruled:
    """Makes a flag of others."""

    rule: _Rule
    names: tuple[str, ...]

    def __call__(self, *arrays: pa.Array) -> pa.Array:
        flags = (as_flag(array).to_numpy(zero_copy_only=False) for array in arrays)
        return pa.array(self.rule(dict(zip(self.names, flags, strict=True))))


@final
@dataclass(frozen=True, slots=True)
class _OfBand:
    """Chooses the magnitude of a row's band.

    Where the band is not known, the magnitude counts if it is the same in all of them, as lsst/ap_pipe makes it.
    """

    bands: tuple[str, ...]
    band: str
    by_row: bool

    def __call__(self, *arrays: pa.Array) -> pa.Array:
        magnitudes = np.stack([_numbers(array) for array in arrays[: len(self.bands)]])
        if len(self.bands) == 1:
            return _real(pa.array(magnitudes[0]))
        bands = arrays[-1].cast(pa.string()) if self.by_row else pa.repeat(self.band, magnitudes.shape[1])
        bands = pc.fill_null(bands, "")
        alike = np.all((magnitudes == magnitudes[0]) | (np.isnan(magnitudes) & np.isnan(magnitudes[0])), axis=0)
        unknown = _equal(bands, "")
        if np.any(unknown & ~alike):
            raise pa.ArrowInvalid(f"magnitudes in {', '.join(self.bands)}, and no column 'band' that says which counts")
        chosen = np.where(unknown, magnitudes[0], np.nan)
        for band, magnitude in zip(self.bands, magnitudes, strict=True):
            np.copyto(chosen, magnitude, where=_equal(bands, band))
        return _real(pa.array(chosen))


def _real(array: pa.Array) -> pa.Array:
    """Return magnitudes without sentinels; a negative one is how lsst/pipe_tasks matchFakes tells a negative flux."""
    amount = np.abs(_numbers(array))
    return pa.array(np.where((amount > 0) & (amount < _FAINTEST), amount, np.nan))


def _equal(array: pa.Array, value: str) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = pc.equal(array, value).to_numpy(zero_copy_only=False)
    return equal


def _numbers(array: pa.Array) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def _identifier(array: pa.Array) -> pa.Array:
    """Return identifiers as int64: the same bits of an unsigned one, a digest of text (a UUID)."""
    if pa.types.is_uint64(array.type):
        return array.view(pa.int64())
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_null(array.type):
        return array
    return pa.array([None if each is None else _digest(each) for each in array.to_pylist()], pa.int64())


def _digest(identifier: object) -> int:
    content = identifier if isinstance(identifier, bytes) else str(identifier).encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), signed=True)


def _is_named(array: pa.Array) -> pa.Array:
    """Return whether there is an identifier; 0 is none."""
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        return as_flag(array)
    return pc.is_valid(array)
