"""Configuration in a key of Redis, followed by push."""

from midflight_redis._source import RedisSource, TlsRedisSource

__all__ = ["RedisSource", "TlsRedisSource"]
