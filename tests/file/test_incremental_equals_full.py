"""What is read by the shortcut is what a full parse reads: in every format, always."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

FUZZER = Path(__file__).with_name("fuzz_incremental.py")
FUZZ = runpy.run_path(str(FUZZER))
ROOT = Path(__file__).parents[2]
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


@pytest.mark.parametrize("folder", ["examples", "docs", "tests", "contrib_sources"])
def test_the_documents_of_this_repository_are_read_alike(folder: str) -> None:
    """Files, and blocks of pages, are edited as they are and as parts of others."""
    found, texts = FUZZ["Found"](), [*FUZZ["texts_of"](ROOT / folder)]
    FUZZ["read_all"](texts, found, lines=6)

    assert len(texts) > 5
    assert found.wrong == []
    assert found.counts["yaml short"] + found.counts["toml short"] > len(texts)


def test_large_documents_and_those_of_the_cache_are_among_them() -> None:
    """Some made-up documents have many modules, and some come out of the cache."""
    found = FUZZ["Found"]()
    globals_ = FUZZ["chain"].__globals__
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals_, "MANY", 1.0)
        for at in range(4):
            FUZZ["chain"](f"large/{at}/json", "json", found)

    assert found.wrong == []
    assert found.counts["large"] > 0
    assert found.counts["from the cache"] > 0


@pytest.mark.parametrize("name", ["rebuild", "build"])
def test_an_exception_is_a_difference_with_its_seed(name: str) -> None:
    """An error of the reading ends no run, and what led to it can be done again."""

    def fail(*args: Any, **kwargs: Any) -> None:
        raise LookupError(name, len(args), len(kwargs))

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FUZZ["chain"].__globals__, name, fail)
        found = FUZZ["run"](1, 3)

    assert found.wrong[0].startswith("3/0/yaml: an exception: Traceback")
    assert "LookupError" in found.wrong[0]
    assert ("modules:" in found.wrong[0]) is (name == "rebuild")


def test_a_folder_without_documents_is_no_corpus(tmp_path: Path) -> None:
    """A misspelt folder does not look like a run without a difference."""
    (tmp_path / "a.txt").write_text("modules: []\n")
    for folder in (tmp_path, tmp_path / "missing"):
        command = [sys.executable, str(FUZZER), "--corpus", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)

        assert done.returncode == 2
        assert f"{folder} holds no document" in done.stderr
        assert done.stdout == ""


def test_a_corpus_is_read_by_its_suffixes(tmp_path: Path) -> None:
    """A text is what its file says, and of a page the blocks are."""
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "b.toml").write_text("a = 1")
    (tmp_path / "c.yml").write_text("a: 1")
    (tmp_path / "d.md").write_text("x\n```yaml\nb: 1\n```\n```python\nc\n```\n")
    texts = {Path(name).name: rest for name, *rest in FUZZ["texts_of"](tmp_path)}

    assert texts == {
        "a.json": ["json", "{}"],
        "b.toml": ["toml", "a = 1"],
        "c.yml": ["yaml", "a: 1"],
        "d.md#0": ["yaml", "b: 1\n"],
    }
