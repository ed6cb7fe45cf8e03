"""Telling people: a command that reads the message, or a webhook that it is posted to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from concurrent.futures import Future
from http.client import HTTPException
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from harness.errors import HarnessError, first_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.nightly.config import Announce

__all__ = ["announce"]


def announce(message: str, how: Announce) -> None:
    """Hand a message over.

    Parameters
    ----------
    message
        Plain text.
    how
        To whom, and how long that may take.

    Raises
    ------
    harness.errors.HarnessError
        When it was not taken: no such command or host, an error, or no answer in time.
    """
    if how.command is not None:
        _run(how.command, message, how.timeout)
    elif how.webhook is not None:
        _post(how.webhook, message, how.timeout)


def _run(command: Sequence[str], message: str, timeout: float) -> None:
    name = command[0]
    with tempfile.TemporaryFile() as complaints:  # not a pipe: what the command leaves running would keep it open
        with _started(command, complaints) as process:
            try:
                process.communicate(message.encode(), timeout)
            except subprocess.TimeoutExpired:
                raise HarnessError(f"cannot announce: {name} did not finish within {timeout:g} s") from None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)  # with all that it has started
        if process.returncode:
            complaints.seek(0)
            said = complaints.read(2000).decode(errors="replace").strip().splitlines()
            raise HarnessError(
                f"cannot announce: {name} ended with code {process.returncode} ({said[-1] if said else 'no message'})"
            )


def _started(command: Sequence[str], complaints: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - the user's own command
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=complaints, start_new_session=True
        )
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        raise HarnessError(
            f"cannot announce with {command[0]!r} ({reason.lower()}); correct announce.command"
        ) from None


@final
class _NoRedirect(HTTPRedirectHandler):
    """Follows nothing: a POST that is sent elsewhere arrives as a GET, without its message."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _post(url: str, message: str, timeout: float) -> None:
    host = urlsplit(url).hostname  # and no more of it in messages: such a URL is a secret
    body = json.dumps({"text": message}).encode()
    try:
        request = Request(url, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310 - http or https
        _within(timeout, request)
    except HTTPError as fault:
        fault.close()
        raise HarnessError(f"cannot announce: the webhook at {host} answered {fault.code} {fault.reason}") from None
    except TimeoutError:
        raise HarnessError(f"cannot announce: the webhook at {host} did not answer within {timeout:g} s") from None
    except URLError as fault:
        reason = getattr(fault.reason, "strerror", None) or str(fault.reason)
        raise HarnessError(f"cannot announce: the webhook at {host} cannot be reached ({reason.lower()})") from None
    except (OSError, HTTPException, ValueError) as fault:
        raise HarnessError(f"cannot announce: the webhook at {host} failed ({first_line(fault)})") from None


def _within(timeout: float, request: Request) -> None:
    """Send a request, and give up in time: looking a host up, or an answer in drops, knows no time limit of its own."""
    answer: Future[None] = Future()

    def send() -> None:
        try:
            with build_opener(_NoRedirect).open(request, timeout=timeout):
                answer.set_result(None)
        except Exception as fault:  # noqa: BLE001 - raised by `result` where somebody waits
            answer.set_exception(fault)

    Thread(target=send, daemon=True).start()
    answer.result(timeout)
