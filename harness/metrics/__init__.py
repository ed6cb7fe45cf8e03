"""Metrics: pure functions, tables in, metric rows out.  Nothing here opens a repository."""
