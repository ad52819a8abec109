"""A sample of a distribution that extends Midflight."""
