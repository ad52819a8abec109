"""The address of a document in a database, and how it is shown without secrets."""

from __future__ import annotations

import difflib
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlencode

import attrs

from midflight.errors import PluginError, did_you_mean, plain

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

DRIVERS = {
    "sqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mysql+pymysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "mariadb+pymysql": "mariadb+pymysql",
}
MAX_KEY = 191  # characters: what MySQL indexes
_REFERENCE = re.compile(r"\$\{([^{}]*)\}")
_LOGIN = re.compile(r"(?<=://)([^/?@:]*):(.*)@")
_HOSTLESS = re.compile(
    r"(?<=://)([^/?@:]*):(?!\d*(?:[/?]|$))[^/?@]*(?=[/?]|$)"
)  # a login alone
_NO_PATH = re.compile(
    rf"(?:{'|'.join(map(re.escape, (*DRIVERS, 'http', 'https')))})[:/]|.*:.*@"
)
_OWN = ("poll", "timeout", "strict")
_SQLITE = ("uri", "mode", "cache", "check_same_thread")  # what its driver takes
_NEAR = 0.8  # how alike a misspelt option is; `read_timeout` is one of a driver
_MASKED = re.compile("(?:\0[0-9]+\0)+")
_SECRET = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)
# Stands for a reference while the URL is parsed: digits may stand anywhere in it.
_MARK = "90710900{:04d}"


@attrs.frozen(repr=False)
class Url:
    """A database, as its URL was written; references are looked up at each connect.

    Args:
        text: the URL with its references, without options of ours and without key.
        written: the same as the user wrote it, with options of ours.
    """

    text: str
    written: str = attrs.field(default="", eq=False)

    def resolve(self) -> URL:
        """Return the URL that SQLAlchemy takes, with what its references stand for.

        Raises:
            PluginError: a reference leads nowhere, or the URL is none.
        """
        from sqlalchemy.engine import URL, make_url
        from sqlalchemy.exc import ArgumentError

        text, values = self.text, {}
        whole = _REFERENCE.fullmatch(text)
        if whole:
            text = _looked_up(whole[1])
            if "#" in text:
                msg = f"write the key behind the reference, as in {self}#default"
                raise PluginError(msg)
        else:
            for number, name in enumerate(_REFERENCE.findall(text)):
                mark = _MARK.format(number)
                values[mark] = _looked_up(name)
                text = text.replace(f"${{{name}}}", mark, 1)
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            msg = f"{self} is no URL of a database, as in postgresql://user@host/name"
            raise PluginError(msg) from None

        def put_back(value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(map(put_back, value))
            for mark, found in values.items():
                value = str(value).replace(mark, found) if value else value
            return value

        if "@" in (url.host or ""):
            msg = f"{self}: write a `@` in a user or password as %40"
            raise PluginError(msg)
        port = put_back(url.port)
        if port and not str(port).isdecimal():
            msg = f"{self}: the port is no number"
            raise PluginError(msg)
        return URL.create(
            _driver(put_back(url.drivername)),
            put_back(url.username),
            put_back(url.password),
            put_back(url.host),
            int(port) if port else None,
            put_back(url.database),
            {k: put_back(v) for k, v in url.query.items() if k not in _OWN},
        )

    def scrub(self, text: str) -> str:
        """Take every secret of this URL out of a foreign text."""
        try:
            url = self.resolve()
        except PluginError:
            return text
        values = [url.password, *(v for k, v in url.query.items() if _SECRET.search(k))]
        for value in map(str, filter(None, values)):
            for form in {value, quote(value), quote(value, ""), quote_plus(value)}:
                text = text.replace(form, "***")
        return text

    def command(self, text: str, key: str = "") -> str:
        """Return a command that can be pasted; `URI` in `text` stands for this one.

        References stay as they were written. A password that stands there is hidden.
        """
        kept = _REFERENCE.findall(self.written or self.text)
        marks = iter(range(len(kept)))
        shown = _REFERENCE.sub(
            lambda _: f"\0{next(marks)}\0", self.written or self.text
        )
        base, mark, query = _LOGIN.sub(_hidden_login, shown).partition("?")
        shown = base + mark + "&".join(map(_hidden_option, query.split("&")))
        shown = re.sub(
            "\0([0-9]+)\0", lambda found: f"${{{kept[int(found[1])]}}}", shown
        )
        key = "#" + key.replace("%", "%25").replace("@", "%40") if key else ""
        note = " (put the password in the place of ***)" if "***" in shown else ""
        return text.replace("URI", shlex.quote(f"database:{shown}{key}")) + note

    @property
    def path(self) -> str | None:
        """The absolute path of a SQLite database, `None` for a server."""
        url = self.resolve()
        sqlite = url.get_backend_name() == "sqlite"
        return str(Path(url.database or "").absolute()) if sqlite else None

    def __str__(self) -> str:
        text = _HOSTLESS.sub(r"\1:***", _LOGIN.sub(r"\1:***@", self.text))
        base, mark, query = text.partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        hidden = [(k, "***" if _SECRET.search(k) else v) for k, v in pairs]
        return base + mark + urlencode(hidden, safe="*${}:/,")

    def __repr__(self) -> str:
        return f"Url({str(self)!r})"


@attrs.frozen
class Settings:
    """A database and how it is spoken to.

    Args:
        url: the database.
        poll: seconds between two looks; `None` is 5, or 30 while push works.
        timeout: seconds that one statement or one connect may take.
        strict: whether a row whose `hash` does not fit its `data` is refused.
    """

    url: Url
    poll: float | None = None
    timeout: float = 5.0
    strict: bool = False


def parsed(rest: str, **options: Any) -> tuple[Settings, str]:
    """Split what follows `database:` into settings and key.

    Args:
        rest: a URL, a `${NAME}` that stands for one, or the path of a SQLite database;
            then perhaps `#key`.
        options: those of `Settings`; they win over those in the URL's query.

    Raises:
        ValueError: in words that show no secret.
        PluginError: the URL is none, or a reference leads nowhere.
    """
    text, _, key = rest.partition("#")
    if "@" in key and "://" in text and "@" not in text:
        msg = "`database:`: write a `#` in the name of a user or a password as %23"
        raise ValueError(msg)
    if whole := _REFERENCE.fullmatch(text):
        # Its options count too; the reference itself is looked up at each connect.
        base, _, query = _looked_up(whole[1]).partition("?")
        written, own = Url(text, text), _options(query, base)[0]
    else:
        base, _, query = text.partition("?")
        own, others = _options(query, base)
        base = _absolute(base)
        written = Url(base + ("?" + "&".join(others) if others else ""), text)
    known = {**own, **{k: v for k, v in options.items() if v is not None}}
    settings = Settings(written, **_checked(known))
    written.resolve()
    return settings, checked_key(unquote(key) or "default")


def checked_key(key: str) -> str:
    """Return a key that every database can hold.

    Raises:
        ValueError: it is too long, or cannot be printed.
    """
    if len(key) > MAX_KEY or not key.isprintable() or key != key.strip():
        msg = (
            f"a key is at most {MAX_KEY} printable characters without blanks around "
            f"them, not {key[:40]!r}"
        )
        raise ValueError(msg)
    return key


def _hidden_login(found: re.Match[str]) -> str:
    """Hide the password of a URL, unless it is a reference."""
    return found[0] if _MASKED.fullmatch(found[2]) else f"{found[1]}:***@"


def _hidden_option(part: str) -> str:
    """Hide the value of a secret option in a query, unless it is a reference."""
    name, mark, value = part.partition("=")
    hide = mark and _SECRET.search(name) and not _MASKED.fullmatch(value)
    return f"{name}=***" if hide else part


def _options(query: str, base: str) -> tuple[dict[str, Any], list[str]]:
    """Split a query into options of ours and what is for the database's driver."""
    own: dict[str, Any] = {}
    others: list[str] = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name in _OWN:
            own[name] = unquote(value)
        else:
            _refuse_misspelt(unquote(name), base)
            others.append(part)
    return own, others


def _refuse_misspelt(name: str, base: str) -> None:
    """Refuse an option that nobody takes, or that is nearly one of ours."""
    is_sqlite = base.startswith("sqlite:") or "://" not in base
    near = difflib.get_close_matches(name.lower(), _OWN, n=1, cutoff=_NEAR)
    if near or (is_sqlite and name not in _SQLITE):
        hint = did_you_mean(name.lower(), near or _OWN)
        msg = f"`database:` has no option `{plain(name, 40)}` ({hint})"
        raise ValueError(msg)


def _checked(known: dict[str, Any]) -> dict[str, Any]:
    """Return options as numbers and flags."""
    out: dict[str, Any] = {}
    for name, value in known.items():
        if name == "strict":
            words = {"1": True, "true": True, "0": False, "false": False}
            if (flag := words.get(str(value).lower())) is None:
                msg = f"`strict` is true or false, not {str(value)[:20]!r}"
                raise ValueError(msg)
            out[name] = flag
            continue
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            msg = f"`{name}` is a number of seconds, not {str(value)[:20]!r}"
            raise ValueError(msg)
        out[name] = seconds
    return out


def _absolute(base: str) -> str:
    """Make a SQLite path absolute: the process may change its directory later."""
    if not base:
        msg = "`database:` needs a URL, as in `database:sqlite:///app.db#default`"
        raise ValueError(msg)
    if "://" in base and not base.startswith("sqlite://"):
        return base
    if "://" not in base and _NO_PATH.match(base):
        # It is not repeated: who forgot a slash may have written a password.
        msg = "`database:` needs a URL with `://`, as in postgresql://user@host/name"
        raise ValueError(msg)
    path = base.removeprefix("sqlite://").removeprefix("/") if "://" in base else base
    if path in {"", ":memory:"} or path.startswith("file:"):
        msg = "a SQLite database is a file, as in `sqlite:///app.db`, which others see"
        raise ValueError(msg)
    return "sqlite:///" + (path if "${" in path else str(Path(path).absolute()))


def _driver(name: str) -> str:
    """Return the driver that is used for a dialect."""
    try:
        return DRIVERS[name]
    except KeyError:
        hint = did_you_mean(name, DRIVERS)
        msg = f"no database of kind `{name[:30]}` is known ({hint})"
        raise PluginError(msg) from None


def _looked_up(name: str) -> str:
    """Return what one reference stands for."""
    if name.startswith("file:"):
        path = name.removeprefix("file:")
        try:
            with Path(path).open(encoding="utf-8") as file:
                return file.readline().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as exc:
            msg = f"`${{{name}}}`: {path} cannot be read: {type(exc).__name__}"
            raise PluginError(msg) from None
    if name not in os.environ:
        msg = f"`${{{name}}}`: the environment variable `{name}` is not set"
        raise PluginError(msg)
    return os.environ[name]
