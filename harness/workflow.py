"""A GitHub workflow that verifies a rerun, ready to copy."""

from __future__ import annotations

__all__ = ["WORKFLOW", "WORKFLOW_PATH"]

#: Where GitHub looks for it.
WORKFLOW_PATH = ".github/workflows/verify.yml"

WORKFLOW = """\
# Verifies a rerun against what was accepted, and keeps the evidence when something does not hold.
name: Verify

on:
  workflow_dispatch:
    inputs:
      repo:
        description: Butler repository, APDB URL, or folder with a rerun.toml
        required: true
      rerun:
        description: Rerun to judge
        required: true

permissions:
  contents: read

jobs:
  verify:
    # A machine that reaches the reruns.
    runs-on: self-hosted
    env:
      # What was typed in reaches a command as a variable, never as part of its text.
      REPO: ${{ inputs.repo }}
      RERUN: ${{ inputs.rerun }}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install rerun-harness
      # The exit code decides; the worst failures become annotations.
      - name: Measure, judge and report
        run: >-
          rerun-harness report --repo "$REPO" --rerun "$RERUN" --measurements measurements
          --out report.html --out report.md --out report.json
      # Every check as a test, judged from what was just measured.
      - name: JUnit
        if: ${{ !cancelled() }}
        run: pytest -q --repo "$REPO" --rerun "$RERUN" --measurements measurements --junitxml junit.xml
      - name: Summary
        if: ${{ !cancelled() && hashFiles('report.md') != '' }}
        run: cat report.md >> "$GITHUB_STEP_SUMMARY"
      # What to rerun, the measurements and the plots; nothing is kept of a run in which all holds.
      - name: Evidence
        if: ${{ failure() }}
        uses: actions/upload-artifact@v4
        with:
          name: verification
          if-no-files-found: ignore
          path: |
            report.html
            report.json
            junit.xml
            measurements/
"""
