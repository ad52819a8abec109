"""What is watched of the layers after the whole was left: nothing."""

from __future__ import annotations

import threading

from midflight import Runtime, hookimpl
from midflight.testing import FakeSource
from midflight_plugins.composite import CompositeSource


def test_a_watch_that_opens_late_opens_no_other():
    """What comes back after the exit leaves the layers above it unwatched."""

    class Slow(FakeSource):
        tries = 0
        opening, free = threading.Event(), threading.Event()

        @hookimpl
        def watch(self, notify):
            self.tries += 1
            if self.tries > 1:
                self.opening.set()
                self.free.wait(20)
            raise OSError("cut off")

    slow, above = Slow(), FakeSource()
    source = CompositeSource([slow, above])
    runtime = Runtime(source)
    with source.watch(lambda: None, runtime):
        during = above.watchers
        late = threading.Thread(target=source.hash, args=(runtime,))
        late.start()
        assert slow.opening.wait(20)
    slow.free.set()
    late.join(20)

    assert (during, above.watchers) == (1, 0)
    assert not late.is_alive()
