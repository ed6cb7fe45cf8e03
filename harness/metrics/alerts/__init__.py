"""Metrics of alert packets: pure functions of what was decoded."""
