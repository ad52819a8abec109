"""Write `docs/reference/hooks.md` from the hookspecs; run this file to do so."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from midflight import _observerspecs, hookspecs

PAGE = Path(__file__).parents[1] / "reference" / "hooks.md"
ROLES = (
    ("Sources", hookspecs.SOURCE_HOOKS),
    ("Strategies", hookspecs.STRATEGY_HOOKS),
    ("Modules", hookspecs.MODULE_HOOKS),
)
HEAD = """\
<!-- made by docs/_ext/hooks_page.py from core/midflight/hookspecs.py: edit there -->

# Hooks

{intro}
"""


def page() -> str:
    """Return the text of the page."""
    files = (hookspecs, _observerspecs)
    defined = {
        node.name: node
        for file in files
        for node in ast.parse(inspect.getsource(file)).body
        if isinstance(node, ast.FunctionDef)
        and hasattr(getattr(hookspecs, node.name), "midflight_spec")
    }
    parts = [HEAD.format(intro=inspect.cleandoc(hookspecs.__doc__ or ""))]
    taken: set[str] = set()
    for title, names in ROLES:
        parts.append(f"## {title}\n")
        parts += [
            _hook(node, again=name in taken)
            for name, node in defined.items()
            if name in names
        ]
        taken |= names
    parts.append("## Plugins\n")
    parts += [_hook(node) for name, node in defined.items() if name not in taken]
    return "\n".join(parts)


def _hook(node: ast.FunctionDef, *, again: bool = False) -> str:
    """Return the entry of one hook: signature, summary, six answers.

    Args:
        node: its hookspec.
        again: whether it stood under another role before.
    """
    returns = ast.unparse(node.returns) if node.returns else "None"
    signature = f"{node.name}({ast.unparse(node.args)}) -> {returns}"
    body = re.sub(
        r"^(\w+): ", r"- **\1:** ", ast.get_docstring(node) or "", flags=re.MULTILINE
    )
    body = re.sub(r"^    ", "  ", body, flags=re.MULTILINE)
    option = ":no-index:\n" if again else ""
    return f"```{{py:function}} {signature}\n{option}\n{body}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page())
