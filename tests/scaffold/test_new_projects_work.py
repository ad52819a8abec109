"""What `midflight new` writes is installed, tested and run without an edit."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import json
import re
import signal
import sys
import tomllib

import attrs
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

pytestmark = [pytest.mark.xdist_group("scaffold"), pytest.mark.timeout(180)]

# What is not asked of a file that nobody puts, and of a module that opens nothing.
LACKS = {
    "source": {
        "no `put`",
        "no `server`",
        "no `secrets`",
        "its versions are no numbers",
        "no `version` of `Loaded`",
    },
    "module": {"no `failing_config`"},
    "strategy": set(),
}


def test_nothing_is_there_but_what_was_declared(stranger):
    """What installs, tests and runs them is Midflight, and what they name."""
    listed = json.loads(stranger.run("pip", "list", "--format=json"))
    projects = {f"midflight-{name}" for name in stranger.told}
    theirs = {canonicalize_name(each["name"]) for each in listed}

    assert theirs - projects - {"pip", "setuptools"} == stranger.brought
    assert projects < theirs


def test_who_has_no_pytest_is_told(stranger, project):
    """Where it is missing, `new` says what brings it, and that `./NAME` does not."""
    told = stranger.told[project.name]

    assert f"pip install --editable './{project.name}[test]'" in told
    assert "\npytest is not here yet: `[test]` brings it, a plain install not\n" in told


def imported(folder):
    """Return the packages that the code in a folder imports, the standard ones not."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [each.name for each in node.names]
            else:
                continue
            tops = {name.partition(".")[0] for name in names}
            yield from tops - sys.stdlib_module_names


@pytest.mark.parametrize(("part", "extras"), [("src", []), ("tests", ["test"])])
def test_it_declares_all_that_it_imports(stranger, project, part, extras):
    """Its code imports what it depends on, its tests that and what `test` brings."""
    folder = stranger.folder / project.name
    told = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    optional = told["optional-dependencies"]
    declared = sum((optional[each] for each in extras), start=told["dependencies"])
    names = {Requirement(each).name for each in declared} | {told["name"]}
    owners = importlib.metadata.packages_distributions()
    own = f"midflight_{project.name}"
    known = {own: [told["name"]], "midflight": ["midflight"]}

    for package in imported(folder / part):
        assert {*known.get(package, owners.get(package, []))} & names, package


def test_it_is_found(stranger, project):
    """Once it is installed, its name is listed with its distribution."""
    listed = [
        line.split()[:3] for line in stranger.run("midflight", "plugins").splitlines()
    ]

    assert [project.kind, project.name, f"midflight-{project.name}"] in listed


def test_its_tests_pass(stranger, project):
    """They ask every clause of the contract, and skip only what it does not offer."""
    said = stranger.run("pytest", "-p", "no:cacheprovider", project.name)
    skipped = set(re.findall(r"^SKIPPED .*?:\d+: (.*)$", said, re.MULTILINE))

    assert re.search(r"\d+ passed", said)
    assert skipped <= LACKS[project.kind]
    assert re.search(r"^\d+ kept, 0 not kept, ", said, re.MULTILINE)


def test_its_tests_ask_the_code_beside_them(stranger, project):
    """What was installed may be a copy; what fails in `src` fails in its tests."""
    [code] = stranger.folder.glob(f"{project.name}/src/*/_{project.kind}.py")
    good = code.read_text()
    code.write_text(good + "\nraise RuntimeError\n")
    said = stranger.run("pytest", "-p", "no:cacheprovider", project.name, status=2)
    code.write_text(good)

    assert "RuntimeError" in said


def told(stranger, name, command):
    """Return the words that follow a command in the README of a project."""
    text = (stranger.folder / name / "README.md").read_text()
    [words] = re.findall(rf"(?:\$ |`){command}\b([^`\n]*)", text)
    return words.split()


def test_it_runs(stranger, project, service):
    """The command that `new` has shown starts a service, which ends when asked to."""
    process, says = service(*project.run)
    says("generation 1 applied")
    process.send_signal(signal.SIGTERM)

    assert process.wait(20) == 0


def test_it_runs_as_its_readme_says(stranger, project, service):
    """In its folder, the command that its README names starts a service."""
    words = told(stranger, project.name, "midflight run")
    _, says = service(*words, within=project.name)
    says("generation 1 applied")


def test_a_new_source_follows_its_file(stranger, service):
    """An edit reaches the service, a broken one changes nothing, another heals."""
    file = stranger.folder / "demo/example.json"
    good = file.read_text()
    _, says = service("--source", "demo:demo/example.json", "--watch")
    says("generation 1 applied")
    file.write_text(good.replace("INFO", "DEBUG"))
    says("generation 2 applied: reconfigure log")
    file.write_text(good[:-3])
    says("demo:demo/example.json:1:1: E_SYNTAX")
    file.write_text(good)
    says("generation 3 applied: reconfigure log")


def test_a_new_module_takes_a_change(stranger, service):
    """An edit reaches the one module that it touches, and a wrong one is refused."""
    file = stranger.folder / "tick/example.yaml"
    good = file.read_text()
    _, says = service("tick/example.yaml", "--watch")
    says("one says line 1")
    file.write_text(good.replace("every: 1.0", "every: 0.05"))
    says("generation 2 applied: reconfigure one")
    file.write_text(good.replace("$count", "$nobody"))
    says("tick/example.yaml:6:13: E_VALUE: the text cannot be filled in")
    says("expected no `$` but in `$name`, `$count` and `$$`")
    file.write_text(good)
    says("generation 3 applied: reconfigure one")


def test_a_new_strategy_decides(stranger, service):
    """A change that removes a module waits for what its README says."""
    file = stranger.folder / "calm/example.yaml"
    good = file.read_text()
    _, says = service(*told(stranger, "calm", "midflight run"), within="calm")
    says("generation 1 applied")
    file.write_text("modules: []\n")
    says("held, awaiting_approval: stop log")
    approve = ("midflight", "apply", *told(stranger, "calm", "midflight apply"))
    stranger.run(*approve, within="calm")
    says("generation 2 applied: stop log")
    file.write_text(good)


def ours(stranger):
    """Return the stranger with the tools of the tests, of which they have none."""
    return attrs.evolve(stranger, python=sys.executable)


@pytest.mark.parametrize("rules", ["its own", "ours"])
def test_it_lints_clean(stranger, project, root, rules):
    """Neither its own rules nor ours find anything in it."""
    if importlib.util.find_spec("ruff") is None:
        pytest.skip("no ruff here")
    config = ["--config", root / "pyproject.toml"] if rules == "ours" else []
    for words in (["check"], ["format", "--check"]):
        line = ("ruff", *words, "--no-cache", *config, ".")
        ours(stranger).run(*line, within=project.name)


def test_its_types_are_sound(stranger, project):
    """`mypy`, strict, accepts its code and its tests."""
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("no mypy here")
    words = ("mypy", "--cache-dir=../types", "--python-executable", stranger.python)
    said = ours(stranger).run(*words, within=project.name)

    assert "no issues found in 3 source files" in said


def test_it_says_all_that_an_index_shows(stranger, project):
    """The project names what it needs, its README, and the types of its package."""
    folder = stranger.folder / project.name
    told = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    package = f"midflight_{project.name}"

    assert told["name"] == f"midflight-{project.name}"
    assert any(each.startswith("midflight>=") for each in told["dependencies"])
    assert (folder / told["readme"]).is_file()
    assert (folder / "src" / package / "py.typed").is_file()


def test_its_workflow_runs_all_checks(stranger, project):
    """CI installs the project, and runs every check that its README names."""
    text = (stranger.folder / project.name / ".github/workflows/ci.yml").read_text()
    steps = YAML(typ="safe", pure=True).load(text)["jobs"]["check"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]

    assert commands[0] == "pip install --find-links wheels --editable '.[dev]'"
    assert commands[1:] == ["ruff check", "ruff format --check", "mypy", "pytest"]
