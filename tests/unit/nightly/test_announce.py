"""A message arrives whole, or one sentence says why not, in time."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from harness.errors import HarnessError
from harness.nightly.announce import announce
from harness.nightly.config import Announce

MESSAGE = "w_3 of hits: 1 FAIL\n± ‹b›\n"


class Hook(BaseHTTPRequestHandler):
    """Takes notes of what is posted, and answers what it is told to."""

    def do_POST(self):
        """Hear a message."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(self.server.code)
        if self.server.code in (301, 302, 307):
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def do_GET(self):
        """Hear that somebody went elsewhere."""
        self.server.heard.append((self.path, "GET", None))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def hook():
    """Return a webhook that takes everything."""
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        server.heard, server.code = [], 200
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        server.url = f"http://127.0.0.1:{server.server_port}/services/s3cr3t"
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def listening(answer):
    """Listen, and answer the first who calls by hand, while the context lasts."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            caller, _ = server.accept()
            with caller:
                answer(caller, done)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/s3cr3t"
        finally:
            done.set()
            thread.join()


def refused(**how):
    """Return why a message was not taken, and how long it took to find out."""
    start = time.monotonic()
    with pytest.raises(HarnessError) as raised:
        announce(MESSAGE, Announce(**how))
    told = str(raised.value)
    assert "\n" not in told
    assert "s3cr3t" not in told
    return told, time.monotonic() - start


class TestWebhook:
    """HTTP POST of JSON."""

    def test_message_is_posted(self, hook):
        """As the text of a JSON object, once."""
        announce(MESSAGE, Announce(webhook=hook.url))
        assert hook.heard == [("/services/s3cr3t", "application/json", {"text": MESSAGE})]

    @pytest.mark.parametrize("code", [400, 404, 500, 503])
    def test_error_is_told(self, hook, code):
        """What the other side answers; the URL is a secret and stays one."""
        hook.code = code
        told, _ = refused(webhook=hook.url)
        assert f"the webhook at 127.0.0.1 answered {code} " in told

    @pytest.mark.parametrize("code", [301, 302, 307])
    def test_redirection_is_no_success(self, hook, code):
        """Followed, it would be a GET without the message, and look delivered."""
        hook.code = code
        told, _ = refused(webhook=hook.url)
        assert f"answered {code}" in told
        assert len(hook.heard) == 1

    def test_silence_ends_in_time(self):
        """A webhook that takes the message and never answers."""
        with listening(lambda caller, done: done.wait(20)) as url:
            told, took = refused(webhook=url, timeout=0.3)
        assert told.endswith("the webhook at 127.0.0.1 did not answer within 0.3 s")
        assert took < 3

    def test_answer_in_drops_ends_in_time(self):
        """Each byte comes in time, and the answer never."""

        def drip(caller, done):
            while not done.wait(0.05):
                caller.sendall(b"H")

        with listening(drip) as url:
            told, took = refused(webhook=url, timeout=0.3)
        assert told.endswith("did not answer within 0.3 s")
        assert took < 3

    def test_answer_that_is_no_http_is_told(self):
        """Something else listens there."""
        with listening(lambda caller, done: caller.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")) as url:
            told, _ = refused(webhook=url, timeout=5)
        assert told.startswith("cannot announce: the webhook at 127.0.0.1 ")

    @pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid"])
    def test_host_that_is_not_there_is_told(self, host):
        """Nobody listens, or the name is unknown."""
        told, _ = refused(webhook=f"http://{host}/s3cr3t", timeout=5)
        assert f"the webhook at {host.split(':')[0]} " in told


class TestCommand:
    """A program that reads the message."""

    def test_message_is_standard_input(self, tmp_path):
        """To the last byte; arguments are not looked at by a shell."""
        announce(MESSAGE, Announce(command=["sh", "-c", 'cat > "$1"', "sh", str(tmp_path / "a $HOME b")]))
        assert (tmp_path / "a $HOME b").read_text() == MESSAGE

    def test_message_that_nobody_reads_is_no_fault(self):
        """A command may know enough by being called."""
        announce("x" * 1_000_000, Announce(command=["true"]))

    @pytest.mark.parametrize(
        ("command", "told"),
        [
            (
                ["no-such-command"],
                "cannot announce with 'no-such-command' (no such file or directory); correct announce.",
            ),
            (["/etc/passwd"], "cannot announce with '/etc/passwd' (permission denied)"),
            (["a\0b"], "embedded null byte"),
            (["false"], "false ended with code 1 (no message)"),
            (["sh", "-c", "echo first; echo oh >&2; echo no >&2; exit 3"], "sh ended with code 3 (no)"),
            (["sh", "-c", "kill -9 $$"], "sh ended with code -9 (no message)"),
        ],
    )
    def test_what_goes_wrong_is_told(self, command, told):
        """The program, and what it said last."""
        assert told in refused(command=command)[0]

    def test_command_that_hangs_is_ended_with_all_it_started(self, tmp_path):
        """In time, although what it has started keeps its output open."""
        marker = tmp_path / "alive"
        script = f'(while :; do touch "{marker}"; sleep 0.05; done) & sleep 60'
        told, took = refused(command=["sh", "-c", script], timeout=0.5)
        assert told == "cannot announce: sh did not finish within 0.5 s"
        assert took < 5
        marker.unlink()
        time.sleep(0.3)
        assert not marker.exists()

    def test_command_may_leave_something_running(self):
        """What a command starts in the background is not waited for."""
        start = time.monotonic()
        announce(MESSAGE, Announce(command=["sh", "-c", "sleep 3 & exit 0"]))
        assert time.monotonic() - start < 2
