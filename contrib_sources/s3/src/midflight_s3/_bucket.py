"""One object of a bucket, and what is said when it cannot be had."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

import attrs

from midflight import errors

_LATE = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}
_POSITIVE: Any = attrs.validators.and_(attrs.validators.gt(0), attrs.validators.lt(1e9))
_ABSENT = {"404", "NoSuchKey"}
_NO_VERSION = {*_ABSENT, "NoSuchVersion", "InvalidArgument", "MethodNotAllowed"}
_UNSAID = " (wrong or expired credentials, no permission, or another region)"
_URL = re.compile(r"(https?://|(?<=endpoint: ))[^\s\"]*")
# What other stores do not know: checksums of 2025, and buckets as names of hosts.
_SUMS = "request_checksum_calculation", "response_checksum_validation"
_OTHER = {**dict.fromkeys(_SUMS, "when_required"), "s3": {"addressing_style": "path"}}


class MissingError(errors.SourceUnavailableError):
    """There is no such object."""


@attrs.define(eq=False, repr=False)
class Bucket:
    """The options of `S3Source`, and a client for each process that uses them."""

    bucket: str = attrs.field(validator=attrs.validators.min_len(1))
    key: str = attrs.field(validator=attrs.validators.min_len(1))
    region: str | None = None
    endpoint: str | None = None
    format: str = attrs.Factory(
        lambda self: next(filter(self.key.endswith, ("json", "toml")), "yaml"), True
    )
    timeout: float = attrs.field(default=5.0, converter=float, validator=_POSITIVE)
    max_size: float = attrs.field(default=2**24, converter=float, validator=_POSITIVE)
    poll: float = attrs.field(default=5.0, converter=float, validator=_POSITIVE)
    _made: tuple[int, Any] = attrs.field(default=(0, None), init=False)

    @property
    def name(self) -> str:
        """The URI of the object."""
        return errors.plain(f"s3://{self.bucket}/{self.key}", 500)

    @property
    def client(self) -> Any:
        """The client of this process; one that was forked makes its own."""
        if self._made[0] != os.getpid():
            import boto3
            from botocore.config import Config

            other: dict[str, Any] = _OTHER if self.endpoint else {}
            limits = {"connect_timeout": self.timeout, "read_timeout": self.timeout}
            config = Config(**limits, retries={"total_max_attempts": 1}, **other)
            session = boto3.Session(region_name=self.region)
            client = session.client("s3", endpoint_url=self.endpoint, config=config)
            self._made = os.getpid(), client
        return self._made[1]

    def ask(self, verb: str, write_id: str = "", **more: Any) -> Any:
        """Call a method of the client for the object."""
        with self.talking(write_id, _NO_VERSION if "VersionId" in more else _ABSENT):
            found = getattr(self.client, verb)(Bucket=self.bucket, Key=self.key, **more)
            return {**found, "ETag": found["ETag"]}  # without it, it is not from S3

    @contextlib.contextmanager
    def talking(self, write_id: str = "", absent: Any = _ABSENT) -> Iterator[None]:
        """Say what the client raises as ours, without a URL or credentials."""
        from botocore import exceptions, parsers

        try:
            yield
        except Exception as exc:  # noqa: BLE001  # boto3 raises more than its own
            got, lost = getattr(exc, "response", None) or {}, exceptions.HTTPClientError
            code = got.get("Error", {}).get("Code", "")
            status = str(got.get("ResponseMetadata", {}).get("HTTPStatusCode"))
            is_lost = isinstance(exc, lost | parsers.ResponseParserError | KeyError)
            if write_id and (is_lost or status.startswith("5")):
                raise errors.UnknownOutcomeError(self.name, write_id) from None
            msg, kind = _URL.sub("…", str(exc)), errors.SourceUnavailableError
            msg = f"the answer is not S3's: no {msg}" if type(exc) is KeyError else msg
            msg = f"{self.name}: {msg}{_UNSAID if code in {'400', '403'} else ''}"
            if write_id and code in _LATE:
                msg = f"{self.name}: another writer was first; read it again"
                raise errors.ConflictError(msg) from None
            if code in absent:
                msg, kind = f"there is no {self.name}", MissingError
            raise kind(errors.plain(msg, 500)) from None
