"""Cache keys of the nodes: the code that each covers, and the code that it must not cover.

`closures.yaml` lists each node's modules; `python -m tests.components.test_closures` writes it.
"""

from __future__ import annotations

import ast
import pathlib
import shutil

import pytest
import yaml

from shortlist import fingerprints

ROOT = pathlib.Path(__file__).parents[2]
LIST = pathlib.Path(__file__).with_name("closures.yaml")
COMMAND = "python -m tests.components.test_closures"
FORBIDDEN = (
    "cli",
    "pipeline",
    "shortlist.config.config",
    "shortlist.config.kubeflow",
    "shortlist.config.metadata",
    "shortlist.lineage",
)


def entry_modules() -> dict[str, list[str]]:
    """Returns by node the modules that its cache key starts from, read from the source: TFX is not imported."""
    found = {
        path.parent.name: names
        for path in sorted((ROOT / "components").glob("*/component.py"))
        if (names := _hashed(ast.parse(path.read_text(encoding="utf-8"))))
    }
    # Transform is TFX's own node; `create_pipeline` hashes the module that it runs.
    return found | {"transform": ["components.transform.preprocessing"]}


def _hashed(tree: ast.Module) -> list[str]:
    """Returns the modules in `fingerprints.code_sha256(module.__name__, ...)`."""
    imported = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == fingerprints.code_sha256.__name__
    ]
    names = []
    for argument in (argument for call in calls for argument in call.args):
        assert isinstance(argument, ast.Attribute), ast.unparse(argument)
        assert argument.attr == "__name__", ast.unparse(argument)
        assert isinstance(argument.value, ast.Name), ast.unparse(argument)
        names.append(imported[argument.value.id])
    return names


def closures() -> dict[str, dict[str, list[str]]]:
    """Returns by node and package the names of the modules that its cache key covers."""
    found: dict[str, dict[str, list[str]]] = {}
    for node, names in sorted(entry_modules().items()):
        packages: dict[str, list[str]] = {}
        modules = fingerprints.code_closure(*names)
        for module in modules:
            if not any(other.startswith(f"{module}.") for other in modules):
                package, _, name = module.rpartition(".")
                packages.setdefault(package, []).append(name)
        found[node] = packages
    return found


def rendered() -> str:
    head = f"# Modules that each node's cache key covers, beside their packages' __init__. Written by `{COMMAND}`.\n"
    return head + yaml.safe_dump(closures(), sort_keys=True, width=120, default_flow_style=None)


@pytest.fixture
def packages(tmp_path: pathlib.Path) -> dict[str, pathlib.Path]:
    """A copy of the packages, to be changed."""
    ignored = shutil.ignore_patterns("__pycache__")
    return {
        name: pathlib.Path(shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored))
        for name in fingerprints.OUR_PACKAGES
    }


def key(packages: dict[str, pathlib.Path], node: str) -> str:
    return fingerprints.code_sha256_under(packages, *entry_modules()[node])


def change(file: pathlib.Path) -> None:
    with file.open("a", encoding="utf-8") as opened:
        opened.write("\nTOUCHED = 1\n")


def test_every_node_with_code_of_ours_is_listed():
    with_executor = {path.parent.name for path in (ROOT / "components").glob("*/executor.py")}
    # A schema that travels in its parameters: its content is the key.
    assert set(entry_modules()) - {"transform"} == with_executor - {"inline_schema"}


def test_the_list_is_up_to_date():
    assert LIST.read_text(encoding="utf-8") == rendered(), (
        f"the code that a node's cache key covers has changed; look whether it should, then run `{COMMAND}`"
    )


@pytest.mark.parametrize("node", sorted(entry_modules()))
def test_no_key_covers_what_cannot_change_the_outcome(node):
    covered = fingerprints.code_closure(*entry_modules()[node])
    assert [name for name in covered if any(f"{name}.".startswith(f"{bad}.") for bad in FORBIDDEN)] == []


@pytest.mark.parametrize("section", ["kubeflow", "metadata", "engines", "config", "serving", "evaluate", "gate"])
def test_a_change_of_another_section_leaves_the_trainers_key_alone(packages, section):
    before = key(packages, "trainer")
    change(packages["shortlist"] / "config" / f"{section}.py")
    assert key(packages, "trainer") == before


def test_a_change_of_a_loss_changes_the_trainers_key(packages):
    # One module, or one a loss in a package.
    prefix = "components.trainer.losses"
    names = [name for name in fingerprints.code_closure(*entry_modules()["trainer"]) if f"{name}.".startswith(prefix)]
    assert names
    for name in names:
        before = key(packages, "trainer")
        base = packages["components"].joinpath(*name.split(".")[1:])
        change(base / "__init__.py" if base.is_dir() else base.with_suffix(".py"))
        assert key(packages, "trainer") != before


def test_a_change_of_a_split_does_not_read_the_tables_again(packages):
    before = {node: key(packages, node) for node in ("table_example_gen", "windows")}
    change(packages["shortlist"] / "config" / "split.py")
    assert key(packages, "table_example_gen") == before["table_example_gen"]
    assert key(packages, "windows") != before["windows"]


if __name__ == "__main__":
    LIST.write_text(rendered(), encoding="utf-8")
