"""Configuration in an object of S3, with its versions."""

from midflight_s3._source import S3Source

__all__ = ["S3Source"]
