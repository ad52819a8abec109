"""However much of a history is wrong, to verify it costs what its length says."""

from __future__ import annotations

import random

import attrs
import pytest

from midflight_plugins.database import _chain
from midflight_plugins.database._chain import Link, chained, verify


def history(count):
    """Return a sound history: now and then a run of rows that others wrote."""
    links: list[Link] = []
    running = ""
    for version in range(1, count + 1):
        link = Link("k", version, f"{version}", f"{version}", "ada", None)
        running = chained(running, link)
        if version % 10 not in (3, 4, 5):
            link = attrs.evolve(
                link, message="", digest=f"{version}", write_id=f"{version}"
            )
            running = chained(running_before(links), link)
            link = attrs.evolve(link, chain=running)
        links.append(link)
    return links


def running_before(links):
    """Return the chain over all rows that are there."""
    running, pending = "", []
    for link in reversed(links):
        if link.chain:
            running = link.chain
            break
        pending.append(link)
    for link in reversed(pending):
        running = chained(running, link)
    return running


def altered(links):
    """Change the text of every row."""
    return [attrs.evolve(link, sha=f"x{link.sha}") for link in links]


def unchained(links):
    """Take away the chain of every row."""
    return [attrs.evolve(link, chain=None) for link in links]


def rechained(links):
    """Give every row of ours another chain."""
    return [attrs.evolve(link, chain=link.chain and f"x{link.chain}") for link in links]


def backwards(links):
    """Turn the history round."""
    return links[::-1]


def shuffled(links):
    """Put the rows in any order."""
    return random.Random(7).sample(links, len(links))


def doubled(links):
    """Write every row twice."""
    return [each for link in links for each in (link, link)]


def thinned(links):
    """Take every third row out."""
    return [link for at, link in enumerate(links) if at % 3]


def slipped_in(links):
    """Put a row of others behind every row."""
    others = (Link("k", each.version, "o", "o", "eve", None) for each in links)
    return [each for pair in zip(links, others, strict=True) for each in pair]


def all_of_others(links):
    """Let one row of ours follow many rows that others wrote, one of them altered."""
    others = [Link("k", n, f"{n}", f"{n}", "eve", None) for n in range(1, len(links))]
    last = running_before(others)
    own = Link("k", len(links), "s", "s", "ada", None, "", "d", "w")
    own = attrs.evolve(own, chain=chained(last, own))
    others[len(others) // 2] = attrs.evolve(others[-1], version=len(others) // 2)
    return [*others, own]


@pytest.fixture
def counted(monkeypatch):
    """Return how many digests a verification computes."""
    count = [0]

    def chained_and_counted(running, link):
        count[0] += 1
        return chained(running, link)

    monkeypatch.setattr(_chain, "chained", chained_and_counted)

    def run(links):
        count[0] = 0
        report = verify(links, attrs.evolve(links[-1]))
        assert count[0] >= report.rows - len(report.unsealed)
        return report, count[0]

    return run


def test_a_sound_history_is_read_once(counted):
    """One digest for each row, and nothing is found."""
    report, digests = counted(history(400))

    assert report.is_sound
    assert digests == 400


@pytest.mark.parametrize(
    "harm",
    [
        altered, unchained, rechained, backwards, shuffled, doubled, thinned,
        slipped_in, all_of_others,
    ],
)  # fmt: skip
def test_each_row_costs_a_bounded_number_of_digests(counted, harm):
    """Whatever is wrong with every row, none is compared with all the others."""
    report, digests = counted(harm(history(3_000)))

    assert report.findings
    # Some fifty rows are looked for elsewhere; to look for all would be thousands.
    assert digests <= 150 * report.rows
