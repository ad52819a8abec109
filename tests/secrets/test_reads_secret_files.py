from __future__ import annotations

import os

import pytest

from midflight import Secret


def reference(path):
    """Refer to a file."""
    return f"${{file:{path}}}"


def test_one_trailing_line_break_is_not_part_of_a_secret(resolve, folder):
    """`echo` writes one; a second one, and spaces, belong to the secret."""
    cases = {"a": b"x\n", "b": b"x\r\n", "c": b"x\n\n", "d": b" x ", "e": "é".encode()}
    for name, data in cases.items():
        (folder / name).write_bytes(data)
    found = resolve({name: reference(folder / name) for name in cases})
    texts = {name: secret.reveal() for name, secret in found.items()}

    assert texts == {"a": "x", "b": "x", "c": "x\n", "d": " x ", "e": "é"}


def test_a_relative_path_starts_at_the_process_directory(resolve, folder, monkeypatch):
    """`${file:secrets/pw}` is found from where the process runs."""
    (folder / "pw").write_text("hunter2")
    monkeypatch.chdir(folder.parent)

    assert resolve({"a": "${file:secrets/pw}"})["a"] == Secret("hunter2")


def test_only_some_directories_hold_secrets(faults_of, folder, tmp_path, monkeypatch):
    """Neither a path, nor dots, nor a link leads out of them; nothing is shown."""
    (tmp_path / "outside").write_text("hunter2")
    (folder / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "secrets-too").mkdir()
    (tmp_path / "secrets-too" / "pw").write_text("hunter2")
    monkeypatch.chdir(tmp_path)  # short paths: a message is cut where it gets long
    paths = [
        "outside",
        "nothing",
        "secrets/../outside",
        "secrets/link",
        "secrets-too/pw",
        "/etc/hostname",
        "secrets",
    ]
    faults = faults_of({str(at): reference(path) for at, path in enumerate(paths)})

    assert [fault.code for fault in faults] == ["E_SECRET"] * len(paths)
    assert all("MIDFLIGHT_SECRETS_PATH" in fault.message for fault in faults)
    assert "hunter2" not in str(faults)


def test_a_link_within_the_directory_is_followed(resolve, folder):
    """Kubernetes mounts each secret as a link into a directory that it exchanges."""
    (folder / "..1").mkdir()
    (folder / "..1" / "pw").write_text("hunter2")
    (folder / "..data").symlink_to("..1")
    (folder / "pw").symlink_to("..data/pw")

    assert resolve({"a": reference(folder / "pw")})["a"] == Secret("hunter2")


def test_by_default_secrets_are_where_systems_put_them(
    resolve, faults_of, folder, monkeypatch
):
    """Without a setting: `/run/secrets` and systemd's credentials."""
    (folder / "pw").write_text("hunter2")
    monkeypatch.delenv("MIDFLIGHT_SECRETS_PATH")
    (fault,) = faults_of({"a": reference(folder / "pw")})
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))

    assert "/run/secrets" in fault.message
    assert resolve({"a": reference(folder / "pw")})["a"] == Secret("hunter2")


def test_an_empty_setting_allows_no_file(faults_of, folder, monkeypatch):
    """`MIDFLIGHT_SECRETS_PATH=` turns files off."""
    (folder / "pw").write_text("hunter2")
    monkeypatch.setenv("MIDFLIGHT_SECRETS_PATH", "")
    (fault,) = faults_of({"a": reference(folder / "pw")})

    assert "which are: none" in fault.message


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "not a regular file"),
        (os.mkfifo, "not a regular file"),
        (lambda path: path.write_bytes(b"x" * 65537), "larger than 64 KiB"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "not UTF-8"),
        (lambda path: path.write_bytes(b"\n"), "is empty"),
    ],
)
def test_what_is_no_secret_file_is_a_fault(faults_of, folder, make, why):
    """The fault names the reference and says why; a pipe blocks nothing."""
    make(folder / "odd")
    (fault,) = faults_of({"a": reference(folder / "odd")})

    assert fault.code == "E_SECRET"
    assert f"`file:{folder}/odd`" in fault.message
    assert why in fault.message


def test_a_file_of_the_greatest_size_is_read(resolve, folder):
    """64 KiB are not too much."""
    (folder / "big").write_bytes(b"x" * 65536)

    assert len(resolve({"a": reference(folder / "big")})["a"].reveal()) == 65536
