"""Exposures as ``lsst.images`` writes them, read without it."""

from harness.rerun.exposures.lsst_images.exposure import LsstImagesExposure, TemplateCoadd

__all__ = ["LsstImagesExposure", "TemplateCoadd"]
