"""Many writers at once: every acknowledged version is in the history, once."""

from __future__ import annotations

import itertools
import os
import random
import threading

import pytest

from midflight.errors import ConflictError, SourceUnavailableError, UnknownOutcomeError
from midflight.testing import wait_until

KEY = "shop"
WRITERS = 64
# 1 is the whole of it: 20,000 puts, and at least 20 deaths of the server.
SCALE = float(os.environ.get("MIDFLIGHT_TEST_SCALE", "0.05"))
PUTS, KILLS = int(20_000 * SCALE), max(3, int(20 * SCALE))
BETWEEN_KILLS, DOWN = 3.0, 1.0  # s
PAUSE = 0.25  # s, at most, before a writer tries again
PATIENCE = 900 * SCALE + 240  # s


def written(number, base):
    """Return what a writer puts: its number, and the version it has seen."""
    return f"number: {number}\nbase: {base or 0}\n"


class Crowd:
    """Writers with one store each, and what they were told.

    Attributes:
        told: text by the version it was acknowledged as, by put or by write id.
        conflicts: how many puts were refused for their base.
        refused: how many failed for certain.
        unknown: how many had an unknown outcome.
    """

    def __init__(self, open_store, goes_on):
        self.told, self.doubles = {}, []
        self.conflicts = self.refused = self.unknown = 0
        self._open, self._goes_on = open_store, goes_on
        self._numbers, self._lock = itertools.count(1), threading.Lock()
        self.errors, self._over = [], threading.Event()

    def write(self, writers=WRITERS):
        """Let all write until they need not go on."""
        threads = [threading.Thread(target=self._life) for _ in range(writers)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        finally:  # a test that is out of time leaves nobody behind who writes on
            self._over.set()
        if self.errors:
            raise self.errors[0]

    def _life(self):
        store = self._open()
        try:
            while self._goes_on(number := next(self._numbers)):
                version, text = self._put(store, number)
                with self._lock:
                    if version in self.told:
                        self.doubles.append((version, text))
                    self.told[version] = text
                if self._over.is_set():
                    break
        except BaseException as exc:  # noqa: BLE001  # raised again by who waits
            self.errors.append(exc)
            self._over.set()
        finally:
            store.close()

    def _put(self, store, number):
        """Put one text on whatever is the head, and return it with its version."""
        while True:
            try:
                base = (head := store.head(KEY)) and head.version
                text = written(number, base)
                version = store.put(
                    KEY,
                    text.encode(),
                    expected=base,
                    author=threading.current_thread().name,
                    message="",
                    digest=text,
                )
            except ConflictError:
                self.conflicts += 1
            except SourceUnavailableError:
                self.refused += 1
            except UnknownOutcomeError as exc:
                self.unknown += 1
                version = self._resolved(store, exc.write_id)
                if version is not None:
                    return version, text
            else:
                return version, text
            # As writers do: else 64 wait for one lock, all but one of them in vain.
            if self._over.wait(random.uniform(0, PAUSE)):
                raise TimeoutError(number)

    def _resolved(self, store, write_id):
        """Return the version of a write, or None if it was not stored."""
        found = []

        def knows():
            try:
                found.append(store.resolve(write_id))
            except SourceUnavailableError:
                return False
            return True

        wait_until(knows, "the outcome of a write", PATIENCE)
        return found[0] and found[0][1]


def assert_nothing_lost(crowd, rows):
    """What was acknowledged is the history: each version once, on the one before."""
    assert not crowd.doubles
    assert [version for version, _ in rows] == list(range(1, len(rows) + 1))
    assert all(text.endswith(f"\nbase: {version - 1}\n") for version, text in rows)
    assert dict(rows) == crowd.told
    numbers = [text.split("\n")[0] for _, text in rows]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.timeout(PATIENCE)
def test_64_writers_lose_no_update(database_url, original, open_store):
    """Of 64 writers with compare-and-swap, each acknowledged put stays in history."""
    open_store(database_url).close()
    crowd = Crowd(lambda: open_store(database_url), lambda number: number <= PUTS)

    crowd.write()

    rows = original(database_url).versions(KEY)
    print(f"{len(rows)} puts, {crowd.conflicts} conflicts")
    assert len(rows) == PUTS
    assert_nothing_lost(crowd, rows)
    assert original(database_url).head(KEY).version == PUTS
    assert open_store(database_url).verify(KEY).is_sound


@pytest.mark.timeout(PATIENCE)
def test_a_server_killed_under_writes_loses_no_update(
    postgres_server, postgres_url, original, open_store
):
    """With a `kill -9` every 3 s, what was acknowledged stays and the rest resolves."""
    open_store(f"{postgres_url}?timeout={DOWN / 2}").close()
    kills, over = [], threading.Event()

    def kill():
        while not over.wait(BETWEEN_KILLS):
            postgres_server.kill()
            kills.append(True)
            if len(kills) % 2:  # longer than a writer waits for the outcome
                over.wait(DOWN)
            postgres_server.start()

    crowd = Crowd(
        lambda: open_store(f"{postgres_url}?timeout={DOWN / 2}"),
        lambda number: len(kills) < KILLS or number <= PUTS,
    )
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        crowd.write()
    finally:
        over.set()
        killer.join()

    rows = original(postgres_url).versions(KEY)
    print(
        f"{len(rows)} puts, {crowd.conflicts} conflicts, {len(kills)} kills, "
        f"{crowd.refused} refused, {crowd.unknown} unknown"
    )
    assert_nothing_lost(crowd, rows)
    assert open_store(postgres_url).verify(KEY).is_sound


class Careless:
    """The broken variant: it reads the version, and writes the next one."""

    def __init__(self, original, both_have_read):
        self._original, self._both_have_read = original, both_have_read

    def head(self, key):
        return self._original.head(key)

    def put(self, key, data, **_):
        head = self.head(key)
        self._both_have_read.wait(5)
        documents = self._original.documents
        values = {"data": data, "version": head.version + 1}
        with self._original.engine.begin() as connection:
            connection.execute(documents.update().values(**values))
        return head.version + 1

    def close(self):
        pass


def test_the_oracle_sees_a_lost_update(sqlite_url, original):
    """Two writers that both make version 2 would not go unseen."""
    system, barrier = original(sqlite_url), threading.Barrier(2)
    system.create()
    system.put(KEY, written(0, 0))
    crowd = Crowd(lambda: Careless(system, barrier), lambda number: number <= 2)
    crowd.write(2)

    with pytest.raises(AssertionError):
        assert_nothing_lost(crowd, system.versions(KEY))
