"""A configuration file, with imports, as a source."""

from midflight_plugins.file._source import FileSource

__all__ = ["FileSource"]
