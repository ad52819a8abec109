"""How the pages are built."""

from __future__ import annotations

import midflight

project = "Midflight"
author = "The Midflight developers"
copyright = author
version = release = midflight.__version__

extensions = [
    "myst_parser",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
smartquotes = False  # tables show `--watch` and what stands in quotes as they are
default_role = "code"  # docstrings say `name` as Markdown does
exclude_patterns = ["_build", "_ext"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "Midflight"
html_static_path = ["_static"]  # for pictures that pages show by `<picture>`
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
