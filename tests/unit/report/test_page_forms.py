"""Which form of a report a file gets, and what is refused before anything is measured."""

from __future__ import annotations

import json

import pytest
from reported import outcome, session, verdict

from harness.errors import UsageError
from harness.report.forms import check_report_paths, write_reports


def test_each_file_has_the_form_its_name_asks_for(tmp_path):
    """One run writes the page, the Markdown and the JSON, and all say the same."""
    paths = [tmp_path / name for name in ("a.html", "b.md", "c.JSON")]
    write_reports(paths, session(), outcome(verdict()))
    page, markdown, text = (path.read_text(encoding="utf-8") for path in paths)
    assert page.startswith("<!DOCTYPE html>")
    assert markdown.startswith("# w\\_2020\\_20\n")
    document = json.loads(text)
    assert document["summary"] == "1 judged: 1 FAIL"
    when = document["at"][:16].replace("T", " ")
    assert f"Judged {when} UTC" in page
    assert f"Judged {when} UTC" in markdown


@pytest.mark.parametrize("name", ["report.txt", "report", ".md", "no/where/report.html"])
def test_what_cannot_be_written_is_refused_in_one_sentence(tmp_path, name):
    """An unknown form, or a folder that is not there, is told with its name."""
    with pytest.raises(UsageError, match=f"cannot write .*{name}: ") as refused:
        check_report_paths([tmp_path / name])
    assert len(str(refused.value).splitlines()) == 1
