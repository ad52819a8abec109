"""What a new project is called, and the files it has."""

from __future__ import annotations

import importlib.resources
import re
import unicodedata
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

import attrs

from midflight import PluginRegistry
from midflight.errors import shown

GROUPS = {
    "source": "midflight.sources",
    "module": "midflight.modules",
    "strategy": "midflight.strategies",
}
_ABOUT = {
    "source": "A source that reads a JSON file",
    "module": "A module type that says a line every so often",
    "strategy": "A strategy that lets somebody approve what removes modules",
}
_NEEDS = {"source": ["attrs>=24.2"], "module": ["attrs>=24.2"], "strategy": []}
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 20  # so that no line of a template is too long
_TAKEN = {"plugins", "etcd", "http", "kubernetes", "nats", "redis", "s3"}


@attrs.frozen
class Project:
    """A distribution that brings one plugin.

    Args:
        kind: `source`, `module` or `strategy`.
        name: what users of the plugin write.
    """

    kind: str
    name: str

    @property
    def distribution(self) -> str:
        """What is installed."""
        return f"midflight-{self.name}"

    @property
    def package(self) -> str:
        """What is imported."""
        return f"midflight_{self.name.replace('-', '_')}"

    @property
    def class_name(self) -> str:
        """The class behind the entry point, never a keyword."""
        words = self.name.removesuffix(f"-{self.kind}").split("-")
        return "".join(word.capitalize() for word in (*words, self.kind))

    def files(self) -> dict[str, str]:
        """Return the text of every file, by its path below the project."""
        words = {
            "about": _ABOUT[self.kind],
            "class_name": self.class_name,
            "dependencies": ", ".join(
                f'"{each}"' for each in ("midflight>=0.1,<1", *_NEEDS[self.kind])
            ),
            "distribution": self.distribution,
            "group": GROUPS[self.kind],
            "kind": self.kind,
            "name": self.name,
            "package": self.package,
        }
        top = importlib.resources.files(__package__) / "templates"
        found = (each for part in ("common", self.kind) for each in _walk(top / part))
        return {
            path.replace("PACKAGE", self.package): Template(text).substitute(words)
            for path, text in sorted(found)
        }


def _walk(folder: Traversable, below: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and text of each template in a folder, hidden files included."""
    for item in folder.iterdir():
        path = below + item.name.replace("dot-", ".", 1)
        if item.is_dir():
            yield from _walk(item, f"{path}/")
        elif path.endswith(".tmpl"):
            yield path.removesuffix(".tmpl"), item.read_text("utf-8")


def named(kind: str, name: str) -> Project:
    """Return the project of that name.

    Raises:
        ValueError: if it cannot be called so; the text says how it may be.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        ascii_ = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        near = re.sub(r"[^a-z0-9]+", "-", ascii_.lower()).strip("-0123456789")
        near = near[:_LONGEST].rstrip("-")
        hint = f"; `{near}` is one" if _NAME.fullmatch(near) else ""
        msg = (
            f"{shown(name)} is no name: it has at most {_LONGEST} lower-case letters, "
            f"digits and single hyphens, and begins with a letter{hint}"
        )
        raise ValueError(msg)
    project = Project(kind, name)
    if name in _TAKEN:
        msg = f"`{project.distribution}` is Midflight's own: take another name"
        raise ValueError(msg)
    for entry in PluginRegistry().entries():
        is_same = (entry.role, entry.name) == (kind, name)
        # The one may be written anew; another of either name is in its way.
        if is_same != (entry.distribution == project.distribution):
            owner = f"{entry.distribution} {entry.version}"
            what = f"the {entry.role} `{entry.name}`"
            msg = f"{what} is there already, of {owner}: take another name"
            raise ValueError(msg)
    return project


def write(project: Project, folder: Path) -> int:
    """Write the files of a project into a folder; return how many.

    Raises:
        FileExistsError: if one is there; then none is written.
        OSError: if it cannot be written.
    """
    files = {folder / path: text for path, text in project.files().items()}
    for path in files:
        if path.exists() or path.is_symlink():
            raise FileExistsError(path)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    return len(files)
