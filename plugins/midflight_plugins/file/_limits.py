"""How much one configuration may ask for before it is refused."""

from __future__ import annotations

import attrs

from midflight import Fault, Place
from midflight.errors import Code


@attrs.frozen
class Limits:
    """Bounds that hold before anything is built from a file.

    Args:
        max_size: bytes of one file.
        max_depth: levels of nesting of one file, and of imports.
        max_aliases: nodes that YAML aliases may add, counted as if written out.
        max_files: files that one configuration may consist of.
        max_faults: faults noted before reading stops.
    """

    max_size: int = 16 * 1024 * 1024
    max_depth: int = 64
    max_aliases: int = 1_000_000
    max_files: int = 1_000
    max_faults: int = 100

    def too_large(self, name: str, found: str) -> Fault:
        """Return what is wrong with a file that has more than `max_size` bytes."""
        return Fault(
            Code.E_SIZE,
            "the file is too large",
            place=Place(name),
            found=found,
            expected=f"at most {self.max_size} bytes",
            hint="split it, or raise `max_size`",
        )
