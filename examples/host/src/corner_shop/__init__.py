"""A sample of an application that embeds Midflight."""
