"""Writes the beginning of a plugin of one's own: `midflight new`."""
