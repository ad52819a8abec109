"""Configuration from a key in etcd, for Midflight."""

from midflight_etcd._source import EtcdSource

__all__ = ["EtcdSource"]
