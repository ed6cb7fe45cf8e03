"""What `lsst.verify.Job.deserialize` demands of a job file, from its source: no release of it can be installed by pip.

``lsst/verify`` 75486ed (``job.py``, ``naming.py``, ``metric.py``, ``measurement.py``, ``measurementset.py``,
``blob.py``, ``datum.py``, ``spec/threshold.py``).
"""

from __future__ import annotations

import json

from astropy import units


def accept(content):
    """Require of a job file what the reader would raise over; return its document."""
    document = json.loads(content)
    assert set(document) <= {"measurements", "blobs", "metrics", "specs", "meta"}  # they become keyword arguments
    metrics = {}
    for metric in document["metrics"]:
        assert set(metric) <= {"name", "description", "unit", "tags", "reference"}
        assert len(metric["name"].split(".")) <= 2
        assert isinstance(metric["description"], str)  # it is stripped
        metrics[metric["name"]] = units.Unit(metric["unit"])
        assert {"doc", "page", "url"} >= set(metric["reference"])
    for blob in document["blobs"]:
        assert set(blob) == {"identifier", "name", "data"}
        assert isinstance(blob["name"], str)
        for datum in blob["data"].values():
            assert set(datum) <= {"value", "unit", "label", "description"}
            if not (isinstance(datum["value"], (str, bool, int)) or datum["value"] is None):
                assert units.Quantity(datum["value"], datum["unit"]) is not None
            assert all(isinstance(datum.get(key), (str, type(None))) for key in ("label", "description"))
    for specification in document["specs"]:
        assert len(specification["name"].split(".")) == 3
        assert specification["type"] == "threshold"
        bound = specification["threshold"]
        # The reader takes an int for a plain value, and a plain value for no threshold.
        assert isinstance(bound["value"] * units.Unit(bound["unit"]), units.Quantity)
        assert isinstance(bound["value"], float)
        assert bound["operator"] in {">=", ">", "<", "<=", "==", "!="}
        assert isinstance(specification["metadata_query"], dict)
    for measurement in document["measurements"]:
        quantity = units.Quantity(measurement["value"], units.Unit(measurement["unit"]))  # which refuses null
        if metrics:
            assert quantity.unit.is_equivalent(metrics[measurement["metric"]])
    return document
