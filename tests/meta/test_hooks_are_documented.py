"""Every hook says what it asks of its author, in code, in the docs and in a test."""

from __future__ import annotations

import inspect
import re
import runpy

import pytest

from midflight import hookspecs

ANSWERS = ["Called", "Thread", "Arguments", "Returns", "Raises", "Since"]
HOOKS = {
    name: value
    for name, value in vars(hookspecs).items()
    if hasattr(value, "midflight_spec")
}


def answers(docstring):
    """Return the labels of a docstring in their order, each with its first words."""
    return re.findall(r"^(\w+): (\S.*)$", inspect.cleandoc(docstring), re.MULTILINE)


@pytest.fixture(scope="session")
def tests_text(root):
    """Return the text of every test and suite but those about the code itself."""
    written = [*root.glob("tests/**/*.py"), *root.glob("core/midflight/testing/*.py")]
    paths = [path for path in written if "meta" not in path.parts]
    return "\n".join(path.read_text() for path in sorted(paths))


def test_the_spec_file_has_hooks():
    """The tests below have something to look at."""
    assert {"load", "on_change", "reconfigure"} <= set(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_gives_six_answers(name):
    """A hookspec says when, where, with what, for what, what fails, since when."""
    labels = [label for label, _ in answers(HOOKS[name].__doc__)]

    assert labels == ANSWERS


def test_every_argument_is_explained():
    """The answer `Arguments` names each argument of the first hook that has it."""
    # `participant` belongs to all of them: the module's docstring explains it.
    told, missing = {"participant"}, []
    for name, hook in HOOKS.items():
        answer = hook.__doc__.partition("Arguments:")[2].partition("Returns:")[0]
        told |= set(re.findall(r"`(\w+)`", answer))
        missing += [
            f"{name}({each})"
            for each in inspect.signature(hook).parameters
            if each not in told
        ]

    assert missing == []


@pytest.mark.parametrize("name", HOOKS)
def test_every_signature_stands_in_the_reference(name, root):
    """The reference page shows each hook's arguments as the code has them."""
    page = (root / "docs/reference/hooks.md").read_text()
    shown = re.search(rf"^```{{py:function}} {name}\((.*)\)", page, re.MULTILINE)

    assert shown, f"`{name}` is not in docs/reference/hooks.md"
    parameters = [part.partition(":")[0].strip() for part in shown[1].split(", ")]
    for parameter in inspect.signature(HOOKS[name]).parameters:
        assert parameter in parameters


def test_the_reference_page_is_up_to_date(root):
    """The reference of the hooks is what the hookspecs say, word for word."""
    made = runpy.run_path(str(root / "docs/_ext/hooks_page.py"))["page"]()

    assert (root / "docs/reference/hooks.md").read_text() == made, (
        "run: python docs/_ext/hooks_page.py"
    )


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_test(name, tests_text):
    """Each hook is implemented or called by name in at least one test."""
    implemented = rf"@hookimpl.*\n(?:\s*@.*\n)*\s*(?:async )?def {name}\("
    called = rf'hook\.{name}\(|specname="{name}"|(?:call|invoke)\("{name}"'

    assert re.search(f"{implemented}|{called}", tests_text)
