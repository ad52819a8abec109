"""Get, hash and put of the database source, beside the SQL they cannot do without."""

from __future__ import annotations

import sqlite3
import time

import common
from committer import opened, put
from limiter import Limiter

from midflight import Runtime

SELECT = "SELECT data, hash, version, xmin::text FROM config_documents WHERE key = %s"
TOKEN = "SELECT version, hash, xmin::text FROM config_documents WHERE key = %s"
UPDATE = (
    "UPDATE config_documents SET data = %s, hash = '', version = version + 1"
    " WHERE key = %s RETURNING version"
)
INSERT = (
    "INSERT INTO config_document_history"
    " (key, data, hash, version, changed_at, changed_by)"
    " VALUES (%s, %s, '', %s, CURRENT_TIMESTAMP, 'bench')"
)


def timed(call, number: int) -> list[float]:
    """Return the milliseconds that some calls took."""
    samples = []
    for at in range(number + 5):
        began = time.perf_counter()
        call(at)
        samples.append((time.perf_counter() - began) * 1e3)
    return samples[5:]


def calls(kind: str, url: str, *, quick: bool) -> list[dict]:
    """Return rows on get, hash and put, beside the SQL they cannot do without."""
    from midflight_plugins.database import DatabaseSource

    number, text = 100 if quick else 1000, common.Text(10)
    store, key = opened(f"{url}#calls")
    put(store, key, text.with_rate(0))
    source = DatabaseSource.from_uri(f"{url}#{key}")
    runtime = Runtime(source, modules={"limiter": Limiter})
    plain, select_sql, token_sql, write = _plain(kind, url, key)
    ways = {
        "get: plain SQL": lambda _: plain(select_sql),
        "get: store": lambda _: store.head(key),
        "get: load, parsed before": lambda _: source.load(runtime),
        "hash: plain SQL": lambda _: plain(token_sql),
        "hash: store": lambda _: store.tokens([key]),
        "put: plain SQL, a transaction": lambda at: write(text.with_rate(at).encode()),
        "put: get + store": lambda at: put(store, key, text.with_rate(-at - 1)),
    }
    rows, least = [], {}
    for name, call in ways.items():
        figures = common.summary(timed(call, number))
        what = name.partition(":")[0]
        least.setdefault(what, figures["p50"])
        times = {"x plain": figures["p50"] / least[what]}
        rows.append({"database": kind, "call": name} | figures | times)
    source.close()
    store.close()
    return rows


def _plain(kind: str, url: str, key: str):
    """Return a way to ask, the two questions, and a way to write, by the driver."""
    if kind == "PostgreSQL":
        import psycopg

        connection = psycopg.connect(url, autocommit=True)
        asked, begin = (SELECT, TOKEN, UPDATE, INSERT), "BEGIN"
    else:
        path = url.removeprefix("sqlite:///")
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA synchronous = FULL")
        queries = (SELECT, TOKEN, UPDATE, INSERT)
        asked = [q.replace("%s", "?").replace("xmin::text", "data") for q in queries]
        begin = "BEGIN IMMEDIATE"
    select_sql, token_sql, update, insert = asked

    def ask(query):
        return connection.execute(query, (key,)).fetchone()

    def write(data):
        connection.execute(begin)
        (version,) = connection.execute(update, (data, key)).fetchone()
        connection.execute(insert, (key, data, version))
        if kind == "PostgreSQL":
            connection.execute("SELECT pg_notify('midflight_plain', '')")
        connection.execute("COMMIT")

    return ask, select_sql, token_sql, write
