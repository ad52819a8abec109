from __future__ import annotations

import logging
import logging.handlers
import pathlib
import socket
import threading

import pytest

from midflight_plugins.logging._module import STAND_IN


def file_at(path: pathlib.Path, **more: object) -> dict[str, object]:
    """Return the configuration of a handler that appends to a file."""
    return {"kind": "file", "path": str(path), **more}


def descriptors() -> int:
    """Return the number of open descriptors."""
    return len(list(pathlib.Path("/proc/self/fd").iterdir()))


def test_the_root_level_changes_live(log, tmp_path):
    """Records below the level in force are dropped, from the next one on."""
    path = tmp_path / "a.log"
    log.start(level="WARNING", handlers={"f": file_at(path)}, format="%(message)s")
    logging.getLogger("shop").info("one")
    log.change(level="INFO", handlers={"f": file_at(path)}, format="%(message)s")
    logging.getLogger("shop").info("two")

    assert path.read_text() == "two\n"


def test_a_logger_gets_a_level_of_its_own_and_loses_it_again(log):
    """A bare level sets one logger; without its entry it is as it was before."""
    log.start(level="WARNING", loggers={"shop.db": "DEBUG"})
    during = logging.getLogger("shop.db").level
    values = log.values
    log.change(level="WARNING")

    assert (during, logging.getLogger("shop.db").level) == (logging.DEBUG, 0)
    assert values["levels"] == {"root": "WARNING", "shop.db": "DEBUG"}


def test_the_format_changes_live(log, tmp_path):
    """A new format is used from the next record on, in the same file."""
    path = tmp_path / "a.log"
    log.start(handlers={"f": file_at(path)}, format="old %(message)s")
    logging.getLogger().info("x")
    log.change(handlers={"f": file_at(path)}, format="new %(message)s")
    logging.getLogger().info("x")

    assert path.read_text() == "old x\nnew x\n"


def test_a_handler_takes_the_records_of_who_names_it(log, tmp_path):
    """A handler that a logger names does not get the records of the root."""
    audit, rest = tmp_path / "audit.log", tmp_path / "rest.log"
    log.start(
        format="%(message)s",
        handlers={"audit": file_at(audit), "rest": file_at(rest)},
        loggers={"audit": {"handlers": ["audit"], "propagate": False}},
    )
    logging.getLogger("audit").info("bought")
    logging.getLogger("shop").info("opened")

    assert (audit.read_text(), rest.read_text()) == ("bought\n", "opened\n")


def test_a_handler_has_a_level_and_a_format_of_its_own(log, tmp_path):
    """A handler's own level and format come before those of the module."""
    path = tmp_path / "a.log"
    own = file_at(path, level="ERROR", format="! %(message)s")
    log.start(handlers={"f": own})
    logging.getLogger().warning("mild")
    logging.getLogger().error("bad")

    assert path.read_text() == "! bad\n"


def test_without_handlers_records_go_to_standard_error(log, capsys):
    """The module needs no settings to be of use."""
    log.start(format="%(levelname)s %(message)s")
    logging.getLogger("shop").info("hello")

    assert capsys.readouterr().err.endswith("INFO hello\n")


def test_a_rotating_file_keeps_its_size(log, tmp_path):
    """A rotating handler begins a new file when the old one is full."""
    path = tmp_path / "a.log"
    rotating = {"kind": "rotating", "path": str(path), "max_bytes": 50, "backups": 2}
    log.start(handlers={"f": rotating}, format="%(message)s")
    for _ in range(20):
        logging.getLogger().info("0123456789")

    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "a.log",
        "a.log.1",
        "a.log.2",
    ]
    assert path.stat().st_size <= 50


def test_syslog_gets_records(log):
    """A syslog handler sends a datagram to the host and port it is given."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        syslog = {"kind": "syslog", "address": address, "facility": "local1"}
        log.start(handlers={"s": syslog}, format="%(message)s")
        logging.getLogger().error("hello")

        assert server.recv(200).rstrip(b"\0") == b"<139>hello"


def test_handlers_of_others_stay_where_they_are(log, tmp_path):
    """A handler that somebody else attached goes on through start, change and stop."""
    seen = logging.handlers.BufferingHandler(100)
    root = logging.getLogger()
    root.addHandler(seen)
    log.start(handlers={"f": file_at(tmp_path / "a.log")})
    logging.getLogger().info("one")
    log.change(handlers={"f": file_at(tmp_path / "b.log")})
    logging.getLogger().info("two")
    log.runtime.stop()
    logging.getLogger().error("three")
    root.removeHandler(seen)
    mine = [each.getMessage() for each in seen.buffer if each.name == "root"]

    assert mine == ["one", "two", "three"]


def test_a_stop_puts_everything_back(log, tmp_path):
    """After a stop, levels, handlers and propagation are those from before."""
    root, shop = logging.getLogger(), logging.getLogger("shop.back")
    shop.setLevel(logging.ERROR)
    before = root.level, list(root.handlers), shop.level, shop.propagate
    count = descriptors()
    log.start(
        level="DEBUG",
        handlers={"f": file_at(tmp_path / "a.log")},
        loggers={"shop.back": {"level": "INFO", "handlers": ["f"], "propagate": False}},
    )
    during = root.level, shop.level, shop.propagate
    log.runtime.stop()
    after = root.level, list(root.handlers), shop.level, shop.propagate
    shop.setLevel(logging.NOTSET)

    assert during == (logging.DEBUG, logging.INFO, False)
    assert after == before
    assert shop.handlers == []
    assert descriptors() == count


def test_a_stand_in_makes_way_and_comes_back(log):
    """The handler that the host installed for the meantime is silent meanwhile."""
    stand_in = logging.NullHandler()
    stand_in.name = STAND_IN
    root = logging.getLogger()
    root.addHandler(stand_in)
    log.start()
    during = stand_in in root.handlers
    log.change(level="DEBUG")
    still = stand_in in root.handlers
    log.runtime.stop()
    after = stand_in in root.handlers
    root.removeHandler(stand_in)

    assert (during, still, after) == (False, False, True)


def test_a_file_that_cannot_be_opened_refuses_the_whole_change(log, tmp_path):
    """A bad path leaves level, handlers and descriptors as they were."""
    log.start(level="INFO", handlers={"f": file_at(tmp_path / "a.log")})
    before, handlers = log.values, list(logging.getLogger().handlers)
    count = descriptors()
    outcome = log.change(
        level="DEBUG",
        handlers={
            "new": file_at(tmp_path / "b.log"),
            "bad": file_at(tmp_path / "no" / "c.log"),
        },
    )

    assert (outcome.name, outcome.transient) == ("rejected", True)
    assert "c.log" in str(outcome.faults[0])
    assert (log.values, list(logging.getLogger().handlers)) == (before, handlers)
    assert descriptors() == count


@pytest.mark.parametrize("hook", ["prepare", "reconfigure"])
def test_a_change_that_fails_elsewhere_leaves_all_as_it_was(log, tmp_path, hook):
    """When another module fails, levels, handlers and descriptors are the old ones."""
    old, new = tmp_path / "old.log", tmp_path / "new.log"
    log.start(level="WARNING", handlers={"f": file_at(old)}, format="%(message)s")
    before, count = log.values, descriptors()
    outcome = log.change(
        failing=hook, level="DEBUG", handlers={"g": file_at(new)}, format="%(message)s"
    )
    logging.getLogger("shop").warning("still here")

    assert outcome.name == {"prepare": "rejected", "reconfigure": "rolled_back"}[hook]
    assert log.values == before
    assert old.read_text().endswith("still here\n")
    assert "still here" not in new.read_text()
    assert descriptors() == count


def test_no_record_is_lost_or_doubled_while_handlers_change(log, tmp_path):
    """Each record that threads write during changes is in exactly one file, once."""
    paths = [tmp_path / "even.log", tmp_path / "odd.log"]
    log.start(handlers={"f": file_at(paths[0])}, format="%(message)s")
    stop, written = threading.Event(), [0, 0, 0]

    def write(which):
        logger = logging.getLogger(f"writer.{which}")
        while not stop.is_set():
            logger.info("%d-%d", which, written[which])
            written[which] += 1

    threads = [threading.Thread(target=write, args=(which,)) for which in range(3)]
    for thread in threads:
        thread.start()
    for at in range(1, 200):
        log.change(handlers={"f": file_at(paths[at % 2])}, format="%(message)s")
    stop.set()
    for thread in threads:
        thread.join()
    lines = [line for path in paths for line in path.read_text().splitlines()]
    mine = [line for line in lines if line[:1].isdigit() and line[1] == "-"]

    assert sorted(mine) == sorted(
        f"{which}-{at}" for which in range(3) for at in range(written[which])
    )


@pytest.mark.parametrize(
    ("config", "path", "code"),
    [
        ({"level": "LOUD"}, ("level",), "E_ENUM"),
        ({"level": True}, ("level",), "E_ENUM"),
        ({"loggers": {"a": "LOUD"}}, ("loggers", "a"), "E_ENUM"),
        ({"loggers": {"a": {"handlers": ["x"]}}}, ("loggers",), "E_VALUE"),
        ({"loggers": {"root": "INFO"}}, ("loggers",), "E_VALUE"),
        ({"format": "%(nothing)s"}, ("format",), "E_VALUE"),
        ({"format": "%(message"}, ("format",), "E_VALUE"),
        ({"handlers": {"f": {"path": "x"}}}, ("handlers", "f", "kind"), "E_REQUIRED"),
        ({"handlers": {"f": {"kind": "x"}}}, ("handlers", "f", "kind"), "E_ENUM"),
        (
            {"handlers": {"f": {"kind": "file"}}},
            ("handlers", "f", "path"),
            "E_REQUIRED",
        ),
        (
            {"handlers": {"f": {"kind": "console", "class": "os.system"}}},
            ("handlers", "f", "class"),
            "E_UNKNOWN",
        ),
        (
            {"handlers": {"f": {"()": "os.system", "kind": "console"}}},
            ("handlers", "f", "()"),
            "E_UNKNOWN",
        ),
        (
            {"handlers": {"f": {"kind": "syslog", "facility": "moon"}}},
            ("handlers", "f", "facility"),
            "E_VALUE",
        ),
    ],
)
def test_a_wrong_setting_is_refused_with_its_place(log, config, path, code):
    """Settings outside the closed set are faults, and nothing is changed."""
    log.start(level="INFO")
    before = log.values
    outcome = log.change(**config)

    assert outcome.name == "rejected"
    assert [(fault.path[3:], str(fault.code)) for fault in outcome.faults] == [
        (path, code)
    ]
    assert log.values == before


def test_a_handler_taken_off_by_others_makes_the_module_unhealthy(log):
    """`probe` tells when somebody else has removed the module's handlers."""
    log.start()
    logging.getLogger().handlers = []

    assert not log.runtime.probe("log").healthy
