"""The commands on the embedded survey and the embedded sensor."""

from embedded_sensor import sensor
from embedded_survey import measured, repository, run, survey_folder

__all__ = ["measured", "repository", "run", "sensor", "survey_folder"]
