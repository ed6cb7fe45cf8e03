"""A repository as people read it."""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = ["shown_repo"]


def shown_repo(repo: str) -> str:
    """Return a repository for reading: a URL without its password, and words for the one that has no name.

    Parameters
    ----------
    repo
        As `harness.rerun.open_rerun` takes it; empty is the embedded repository.
    """
    if not repo:
        return "the embedded repository"
    host = urlsplit(repo).netloc if "://" in repo else ""
    user, _, place = host.rpartition("@")
    return repo.replace(host, f"{user.split(':')[0]}@{place}", 1) if ":" in user else repo
