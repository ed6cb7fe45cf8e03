"""An announcement waits until it is taken, and is not made again."""

from __future__ import annotations

import pytest

from harness.errors import HarnessError
from harness.nightly.outbox import Outbox


@pytest.fixture
def sent():
    """Return what was sent."""
    return []


@pytest.fixture
def outbox(tmp_path, sent):
    """Return an outbox that sends into a list."""
    return Outbox(tmp_path / "box", sent.append)


def test_what_was_put_is_sent_once(outbox, sent):
    """The message bears its key, by which a second delivery would be recognised."""
    outbox.put("abc", "one\n")
    assert outbox.deliver() == []
    assert outbox.deliver() == []
    outbox.put("abc", "one, from the same work done again\n")
    assert outbox.deliver() == []
    assert sent == ["one\nannouncement abc\n"]


def test_nothing_put_is_nothing_sent(outbox, sent, tmp_path):
    """Looking into an outbox does not make one."""
    assert (outbox.deliver(), sent, list(tmp_path.iterdir())) == ([], [], [])


def test_one_may_be_delivered_alone(outbox, sent):
    """The others wait for their turn."""
    for key in ("a", "b"):
        outbox.put(key, f"{key}\n")
    outbox.deliver("b")
    assert [text[0] for text in sent] == ["b"]
    outbox.deliver()
    assert [text[0] for text in sent] == ["b", "a"]


def test_what_is_not_taken_waits_and_holds_nothing_up(tmp_path, sent):
    """One that is refused does not keep the others from being sent, and is tried again."""

    def send(message):
        if message.startswith("bad") and not sent[1:]:
            raise HarnessError("cannot announce: no")
        sent.append(message)

    outbox = Outbox(tmp_path, send)
    for key in ("bad", "good"):
        outbox.put(key, f"{key}\n")
    (problem,) = outbox.deliver()
    assert problem == f"cannot announce: no; {tmp_path / 'pending' / 'bad.txt'} waits for the next night"
    sent.append("now")
    assert outbox.deliver() == []
    assert sent[-1].startswith("bad")


def test_done_once_more_before_it_was_sent_it_is_the_newer_one(outbox, sent):
    """A night that was killed leaves a message that the next one writes again."""
    outbox.put("a", "old\n")
    outbox.put("a", "new\n")
    outbox.deliver()
    assert sent == ["new\nannouncement a\n"]


def test_what_cannot_be_crossed_out_is_told(outbox, sent, tmp_path):
    """Better twice than never: it was sent, and will be once more."""
    outbox.put("a", "x\n")
    (tmp_path / "box" / "sent").rmdir()
    (problem,) = outbox.deliver()
    assert "will be announced again" in problem
    assert len(sent) == 1


def test_folder_that_cannot_be_made_is_one_sentence(tmp_path, sent):
    """Named, with the reason."""
    (tmp_path / "box").write_text("a file")
    with pytest.raises(HarnessError, match=r"cannot make the folder .*box/pending \(Not a directory\)"):
        Outbox(tmp_path / "box", sent.append).put("a", "x\n")
