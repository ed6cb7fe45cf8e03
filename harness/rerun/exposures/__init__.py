"""Exposures, read without the software that wrote them."""
