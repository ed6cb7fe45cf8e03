"""Reading alert packets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import fastavro
import numpy as np
import pytest
from alert_files import alert, cutout, gaussian, write_alerts, write_schema, write_sent

from harness.errors import BrokenFileError, NotMeasuredError, UsageError
from harness.rerun.alerts import CUTOUTS, AlertPacket, Alerts
from harness.rerun.files import FileRerun

if TYPE_CHECKING:
    from pathlib import Path

PSF = gaussian((41, 41), 20, 20, 2.0)


def alerts_of(path: Path, schema: Path | None = None) -> Alerts:
    """Return the alerts of one file."""
    return Alerts({"a": path}, {"a": "digest"}, schema)


def numbers(alerts: Alerts) -> list[int]:
    """Return the identifiers of all packets."""
    return [packet.source["diaSourceId"] for packet in alerts.packets("a")]


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_container_gives_its_packets_in_order(tmp_path, codec):
    """Each packet has its source, its three cutouts, and a place that names it."""
    path = tmp_path / "a.avro"
    write_alerts(path, [alert(5), alert(6, visit=8)], codec)
    first, second = alerts_of(path).packets("a")
    assert first.place == f"packet 1 of {path} (diaSourceId 5)"
    assert (second.source["diaSourceId"], second.source["visit"], second.source["band"]) == (6, 8, "g")
    for kind in CUTOUTS:
        read = first.cutout(kind)
        assert read.image.shape == read.variance.shape == (31, 31)
        assert read.psf.sum() == pytest.approx(1, abs=1e-6)
        assert (read.image.dtype, read.psf.dtype) == (np.float32, np.float64)


def test_cutout_holds_what_was_written():
    """Image, variance, PSF and place come back, in the byte order of this machine."""
    image, variance = np.arange(12.0).reshape(3, 4), np.arange(1.0, 13.0).reshape(3, 4)
    stored = cutout(image, variance, PSF, (1.25, 0.5))
    read = AlertPacket({"diaSource": {}, "cutoutScience": stored}, "packet 1").cutout("science")
    np.testing.assert_array_equal(read.image, image)
    np.testing.assert_array_equal(read.variance, variance)
    np.testing.assert_array_equal(read.psf, PSF)
    assert (read.x, read.y) == (1.25, 0.5)
    assert read.image.dtype.isnative


def test_older_names_of_columns_are_understood():
    """Packets of before 2023 have psFlux and filterName."""
    packet = AlertPacket({"diaSource": {"diaSourceId": 1, "psFlux": 2.0, "filterName": "g"}}, "packet 1")
    assert packet.source == {"diaSourceId": 1, "psfFlux": 2.0, "band": "g"}


def test_packets_are_read_one_at_a_time(tmp_path):
    """A file is read as far as somebody asks for packets."""
    path = tmp_path / "a.avro"
    write_alerts(path, [alert(5), alert(6)])
    path.write_bytes(path.read_bytes()[:-20])
    assert next(alerts_of(path).packets("a")).source["diaSourceId"] == 5


def test_sent_packets_are_read_by_their_schema(tmp_path):
    """Several packets may follow each other, and a schema may name others that lie beside it."""
    path = tmp_path / "sent.avro"
    write_sent(path, [alert(5), alert(6)])
    assert numbers(alerts_of(path, write_schema(tmp_path))) == [5, 6]


def test_sent_packets_without_schema_name_the_way_out(tmp_path):
    """Where the schema belongs is said."""
    write_sent(tmp_path / "sent.avro", [alert(5)])
    with pytest.raises(UsageError, match=r"sent\.avro holds .* without their schema; name it in .* \[alerts\]"):
        numbers(alerts_of(tmp_path / "sent.avro"))


@pytest.mark.parametrize("text", ["{", '"no.such.record"', "{}"])
def test_broken_schema_is_named(tmp_path, text):
    """A schema that is no JSON, or no schema."""
    write_sent(tmp_path / "sent.avro", [alert(5)])
    (tmp_path / "mine.avsc").write_text(text)
    with pytest.raises(UsageError, match=r"mine\.avsc cannot be read as an Avro schema \("):
        numbers(alerts_of(tmp_path / "sent.avro", tmp_path / "mine.avsc"))


def test_truncated_file_gives_what_is_before_the_damage(tmp_path):
    """Wherever a file is cut off, the error names the packet it cannot read, and there is no other error."""
    path = tmp_path / "a.avro"
    write_alerts(path, [alert(5), alert(6)])
    whole = path.read_bytes()
    second = whole.index(b"SIMPLE", len(whole) // 2)
    for end in (1, 3, 4, 100, len(whole) // 4, second, len(whole) - 17):
        path.write_bytes(whole[:end])
        packets, found = alerts_of(path).packets("a"), []
        with pytest.raises(BrokenFileError) as caught:
            found.extend(packet.source["diaSourceId"] for packet in packets)
        assert found == ([5] if end >= second else [])
        assert str(caught.value).startswith(f"packet {len(found) + 1} of {path} cannot be read (")


def test_truncated_sent_packet_is_named(tmp_path):
    """What is left of a packet, or of its header, is not passed over."""
    path, schema = tmp_path / "a.avro", write_schema(tmp_path)
    write_sent(path, [alert(5), alert(6)])
    whole = path.read_bytes()
    for cut in (1, 100, len(whole) // 2 - 3):
        path.write_bytes(whole[:-cut])
        with pytest.raises(BrokenFileError, match=r"packet 2 of .* cannot be read"):
            numbers(alerts_of(path, schema))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.avro holds no packet"),
        (b"SIMPLE  =", "packet 1 of .* neither in an Avro container nor as it was sent"),
        (b"Obj\x01nonsense", "packet 1 of .* cannot be read"),
    ],
)
def test_other_files_are_named(tmp_path, content, message):
    """What is no Avro, and what is empty."""
    (tmp_path / "a.avro").write_bytes(content)
    with pytest.raises(BrokenFileError, match=message):
        numbers(alerts_of(tmp_path / "a.avro"))


def test_missing_file_is_named(tmp_path):
    """A file that went away after it was listed."""
    with pytest.raises(BrokenFileError, match=r"packet 1 of .*gone\.avro cannot be read \(.*No such file"):
        numbers(alerts_of(tmp_path / "gone.avro"))


@pytest.mark.parametrize("record", [{"name": "n", "value": 1}, {"name": "n", "value": None}])
def test_avro_of_something_else_is_named(tmp_path, record):
    """A container of other records holds no alerts."""
    fields = [{"name": "name", "type": "string"}, {"name": "value", "type": ["null", "int"]}]
    with (tmp_path / "a.avro").open("wb") as file:
        fastavro.writer(file, {"type": "record", "name": "other", "fields": fields}, [record])
    with pytest.raises(BrokenFileError, match=r"packet 1 of .* is no alert: it has no diaSource"):
        numbers(alerts_of(tmp_path / "a.avro"))


def packet(stored: bytes | None) -> AlertPacket:
    """Return a packet with one cutout."""
    return AlertPacket({"diaSource": {"diaSourceId": 9}, "cutoutTemplate": stored}, "packet 1 of a.avro")


def test_null_cutout_is_named():
    """A packet may be sent without a cutout."""
    with pytest.raises(NotMeasuredError, match=r"packet 1 of a\.avro \(diaSourceId 9\) has no cutoutTemplate"):
        packet(None).cutout("template")


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (b"", "Empty or corrupt FITS"),
        (b"no FITS at all", ""),
        (cutout(np.ones((3, 3)), np.ones((3, 3)), PSF, utype="StdDevUncertainty"), "UTYPE 'StdDevUncertainty' and not"),
        (cutout(np.ones((3, 3)), np.ones((3, 3)), PSF, without="PSFIMAGE"), "no extension PSFIMAGE"),
        (cutout(np.ones((3, 3)), np.ones((3, 3)), PSF, without="UNCERT"), "no extension UNCERT"),
        (cutout(np.ones((3, 3)), np.ones((3, 4)), PSF), r"its image is \(3, 3\), its variance \(3, 4\)"),
        (cutout(np.ones((3, 3)), np.ones((3, 3)), PSF[0]), r"its PSF \(41,\)"),
    ],
)
def test_broken_cutout_is_named(stored, reason):
    """What is wrong with a cutout is said in one line that names packet and cutout."""
    message = rf"^cutoutTemplate of packet 1 of a\.avro \(diaSourceId 9\) cannot be read \(.*{reason}.*\)$"
    with pytest.raises(BrokenFileError, match=message) as caught:
        packet(stored).cutout("template")
    assert "\n" not in str(caught.value)


def test_truncated_cutout_is_broken():
    """Wherever a cutout is cut off before the end of its last array, it cannot be read."""
    whole = cutout(np.ones((30, 30)), np.ones((30, 30)), PSF)
    end = len(whole) - (-PSF.nbytes % 2880)
    assert packet(whole[:end]).cutout("template").psf[20, 20] == PSF[20, 20]
    for cut in (*range(100, end, 777), end - 1):
        with pytest.raises(BrokenFileError, match=r"cutoutTemplate of .* cannot be read"):
            packet(whole[:cut]).cutout("template")


def test_place_is_needed():
    """Without CRPIX nobody knows where the source is."""
    stored = cutout(np.ones((3, 3)), np.ones((3, 3)), PSF).replace(b"CRPIX1  =", b"CRPIXX  =")
    with pytest.raises(BrokenFileError, match="CRPIX1"):
        packet(stored).cutout("template")


def described(folder: Path, alerts: str) -> FileRerun:
    """Return the rerun in a folder with such a table [alerts]."""
    (folder / "rerun.toml").write_text(f'name = "r"\n[alerts]\n{alerts}\n')
    return FileRerun(folder, "r")


def test_folder_lists_its_alerts(tmp_path):
    """Files are listed under their names, with digests that follow their content, and are part of the provenance."""
    write_alerts(tmp_path / "a.avro", [alert(5)])
    write_alerts(tmp_path / "b.avro", [alert(6)])
    rerun = described(tmp_path, 'files = ["*.avro"]')
    assert rerun.alerts is not None
    assert list(rerun.alerts.inputs) == ["a.avro", "b.avro"]
    assert [packet.source["diaSourceId"] for packet in rerun.alerts.packets("b.avro")] == [6]
    assert set(rerun.provenance().inputs) == {"alerts a.avro", "alerts b.avro"}
    before = dict(rerun.alerts.inputs)
    write_alerts(tmp_path / "b.avro", [alert(7)])
    after = described(tmp_path, 'files = ["*.avro"]').alerts
    assert after is not None
    assert [after.inputs[name] == before[name] for name in before] == [True, False]


def test_folder_names_the_schema(tmp_path):
    """The schema is found beside rerun.toml, and another schema makes other input."""
    write_sent(tmp_path / "a.avro", [alert(5)])
    schema = write_schema(tmp_path)
    keys = f'files = ["a.avro"]\nschema = "{schema.name}"'
    alerts = described(tmp_path, keys).alerts
    assert alerts is not None
    assert [packet.source["diaSourceId"] for packet in alerts.packets("a.avro")] == [5]
    schema.write_text(schema.read_text() + " ")
    other = described(tmp_path, keys).alerts
    assert other is not None
    assert other.inputs != alerts.inputs


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('files = ["*.none"]', r"no file matches '\*.none' of \[alerts\]"),
        ('files = ["a.avro"]\nschema = "no.avsc"', r"no file matches 'no.avsc' of \[alerts\]"),
        ('files = ["a.avro"]\nkey = 1', "unknown key 'alerts.key'; the keys there are files, schema$"),
        ('schema = "a"', r"'alerts.files' is missing; write for example \[alerts\] files = "),
    ],
)
def test_wrong_keys_are_named(tmp_path, keys, message):
    """What is wrong in [alerts], in the words of rerun.toml."""
    write_alerts(tmp_path / "a.avro", [alert(5)])
    with pytest.raises(UsageError, match=message):
        described(tmp_path, keys)


def test_folder_without_alerts_has_none(tmp_path):
    """Other reruns have no alerts."""
    (tmp_path / "curve.csv").write_text("detectorName,amplifier,mean,variance\nR22_S11,C06,1,1\n")
    (tmp_path / "rerun.toml").write_text('name = "r"\n[curves]\nfiles = ["curve.csv"]\n')
    assert FileRerun(tmp_path, "r").alerts is None
