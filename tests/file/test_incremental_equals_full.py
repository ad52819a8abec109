"""What is read by the shortcut is what a full parse reads: in every format, always."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

FUZZ = runpy.run_path(str(Path(__file__).with_name("fuzz_incremental.py")))
RUNS = 20
DOCUMENTS = 20_000
pytestmark = pytest.mark.usefixtures("shortcut")


@pytest.mark.parametrize("seed", range(RUNS))
def test_made_up_documents_and_edits_are_read_alike(seed: int) -> None:
    """Twenty thousand edits of documents in three formats are read without difference.

    A part of each format goes the short way, or nothing would be compared.
    """
    found = FUZZ["run"](DOCUMENTS // RUNS, seed)

    assert found.wrong == []
    for form in FUZZ["FORMS"]:
        assert found.counts[f"{form} short"] > found.counts[form] / 10


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=12), st.sampled_from(FUZZ["FORMS"]))
def test_a_chain_of_edits_is_read_alike(seed: str, form: Any) -> None:
    """Whatever is edited after what, each version is read as if it were the first."""
    found = FUZZ["Found"]()
    FUZZ["chain"](seed, form, found)

    assert found.wrong == []
