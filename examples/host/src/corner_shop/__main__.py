"""`python -m corner_shop`."""

from __future__ import annotations

from corner_shop.main import main

main()
