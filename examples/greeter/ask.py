"""Ask a greeter once and print its answer: `python ask.py 8801 Ada`."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request


def ask(port: str, who: str = "") -> str:
    """Return what the greeter on `port` answers."""
    try:
        url = f"http://127.0.0.1:{port}/{who}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            text: str = answer.read().decode().strip()
            return text
    except urllib.error.HTTPError as refusal:
        return f"{refusal.code} {refusal.read().decode().strip()}"


if __name__ == "__main__":
    print(ask(*sys.argv[1:]))
