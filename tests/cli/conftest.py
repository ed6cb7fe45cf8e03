"""The commands on the embedded survey."""

from embedded_survey import measured, repository, run, survey_folder

__all__ = ["measured", "repository", "run", "survey_folder"]
