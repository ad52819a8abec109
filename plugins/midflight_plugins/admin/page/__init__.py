"""The page for operators: what runs, why, and how to change it or take it back.

It asks the operations of `midflight_plugins.api` as the one whose token logged in, so
that it can do nothing that the API cannot.
"""

from midflight_plugins.admin.page._routes import is_view, routes

__all__ = ["is_view", "routes"]
