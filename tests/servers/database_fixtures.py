"""An empty database for each test: on a server, or in a file of its own."""

from __future__ import annotations

import contextlib

import pytest


@contextlib.contextmanager
def fresh(server):
    """Give the name of an empty database and remove it at the end."""
    name = server.create()
    yield name
    server.start()
    server.drop(name)


@pytest.fixture
def postgres_database(postgres_server):
    """The name of an empty database on `postgres_server`."""
    with fresh(postgres_server) as name:
        yield name


@pytest.fixture
def mariadb_database(mariadb_server):
    """The name of an empty database on `mariadb_server`."""
    with fresh(mariadb_server) as name:
        yield name


@pytest.fixture
def postgres_url(postgres_server, postgres_database):
    """The address of an empty database on PostgreSQL."""
    return postgres_server.url(postgres_database)


@pytest.fixture
def mariadb_url(mariadb_server, mariadb_database):
    """The address of an empty database on MariaDB."""
    return mariadb_server.url(mariadb_database)


@pytest.fixture
def sqlite_url(tmp_path):
    """The address of an SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path}/config.db"


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.servers),
        pytest.param("mariadb", marks=pytest.mark.servers),
    ]
)
def database_url(request):
    """The address of an empty database, once for each kind of database."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def open_store():
    """Makes a store at a database, tables and all: `open_store(url)`."""
    upgraded = set()
    with contextlib.ExitStack() as stack:

        def make(url, **options):
            from midflight_plugins.database._engine import open_engine
            from midflight_plugins.database._schema import upgrade
            from midflight_plugins.database._store import Store
            from midflight_plugins.database._url import parsed

            settings, _ = parsed(url)
            if url not in upgraded:
                upgrade(settings)
                upgraded.add(url)
            engine = open_engine(settings.url, settings.timeout)
            store = Store(engine, settings, **options)
            stack.callback(store.close)
            return store

        yield make


def pytest_collection_modifyitems(items):
    """Mark what needs a server."""
    for item in items:
        if {"postgres_server", "mariadb_server"} & set(
            getattr(item, "fixturenames", ())
        ):
            item.add_marker(pytest.mark.servers)
