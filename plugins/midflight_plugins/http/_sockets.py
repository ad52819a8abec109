"""Listening sockets: opened before a change, given up without a reset."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import select
import socket
import struct
import sys

_SO_ATTACH_FILTER = 26
# Classic BPF on the TCP header: drop a segment with SYN, pass every other.
_DROP_SYN = struct.pack(
    "=HBBIHBBIHBBIHBBI",
    *(0x30, 0, 0, 13),  # A = the byte of flags
    *(0x45, 0, 1, 0x02),  # SYN?
    *(0x06, 0, 0, 0),  # drop
    *(0x06, 0, 0, 0xFFFFFFFF),  # pass
)


def listen(
    address: tuple[str, int] | str, backlog: int, permissions: str | None = None
) -> socket.socket:
    """Open a listening socket.

    Args:
        address: host and port, or the path of a unix socket.
        backlog: how many may wait to be accepted.
        permissions: of the unix socket's file, in octal digits.

    Raises:
        OSError: the address is taken or cannot be had.
    """
    if isinstance(address, tuple):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        sock = socket.create_server(address, family=family, backlog=backlog)
        # asyncio sets it only where `proto` is given; accepted sockets inherit it
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        sock = _listen_unix(address, backlog, permissions)
    sock.setblocking(False)
    return sock


def _listen_unix(path: str, backlog: int, permissions: str | None) -> socket.socket:
    if _is_abandoned(path):
        pathlib.Path(path).unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if permissions is not None:  # its file is made with them, or with less
            os.fchmod(sock.fileno(), int(permissions, 8))
        sock.bind(path)
        if permissions is not None:  # nobody can connect before `listen`
            pathlib.Path(path).chmod(int(permissions, 8))
        sock.listen(backlog)
    except OSError as exc:
        sock.close()
        raise OSError(exc.errno, exc.strerror, path) from exc
    return sock


def _is_abandoned(path: str) -> bool:
    """Tell whether a socket file is left over from a server that is gone."""
    if not pathlib.Path(path).is_socket():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(1.0)
        try:
            sock.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def shown(sock: socket.socket) -> str:
    """Write the address of a listening socket: `127.0.0.1:8000`, `unix:/run/web`."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"unix:{name}"
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def refuse_new(sock: socket.socket) -> None:
    """Let nobody connect any more, and leave alone who already has.

    Closing a listening socket resets the connections that wait in its queue, whose
    clients may have sent a request. So new ones are kept out first, the queue is
    served, and only then the socket is closed.
    """
    if sock.family == socket.AF_UNIX:
        remove_file(sock)
    elif sys.platform == "linux":
        code = ctypes.create_string_buffer(_DROP_SYN, len(_DROP_SYN))
        program = struct.pack("@HP", len(_DROP_SYN) // 8, ctypes.addressof(code))
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def has_waiting(sock: socket.socket) -> bool:
    """Tell whether a connection waits to be accepted."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def close(sock: socket.socket) -> None:
    """Close a listening socket, and remove its file if it has one."""
    if sock.fileno() >= 0 and sock.family == socket.AF_UNIX:
        remove_file(sock)
    sock.close()


def remove_file(sock: socket.socket) -> None:
    """Remove the file of a listening unix socket, if it is still there."""
    path = pathlib.Path(sock.getsockname())
    with contextlib.suppress(FileNotFoundError):
        if path.is_socket():
            path.unlink()
