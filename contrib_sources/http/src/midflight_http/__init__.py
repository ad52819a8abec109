"""Configuration that a web server serves, as a source of Midflight."""

from midflight_http._source import HttpSource, HttpsSource

__all__ = ["HttpSource", "HttpsSource"]
