"""Every night: what has appeared is measured, judged, confirmed, kept in the history, reported and announced."""
