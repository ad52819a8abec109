"""Configuration in a key-value bucket of NATS JetStream."""

from midflight_nats._source import NatsSource

__all__ = ["NatsSource"]
