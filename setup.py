"""Package metadata of Shortlist. The requirements come from `requirements/*.in`, as do the Makefile's locks."""

from __future__ import annotations

import pathlib
import re

import setuptools

ROOT = pathlib.Path(__file__).parent


def version() -> str:
    """Returns `shortlist.__version__` without importing it: its requirements may not be installed yet."""
    text = (ROOT / "shortlist" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', text, flags=re.MULTILINE)
    if match is None:
        raise RuntimeError('shortlist/__init__.py: expected a line __version__ = "..."')
    return match.group(1)


def requirements(name: str) -> list[str]:
    """Returns the requirements of `requirements/<name>.in`, without comments."""
    lines = (ROOT / "requirements" / f"{name}.in").read_text(encoding="utf-8").splitlines()
    return [line for line in map(str.strip, lines) if line and not line.startswith("#")]


README = ROOT / "README.md"

setuptools.setup(
    name="shortlist",
    version=version(),
    description="From an interaction log to a served, gated retrieval model: a TFX pipeline",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10,<3.11",
    packages=setuptools.find_packages(
        include=[
            pattern
            for name in ("cli", "components", "pipeline", "server", "shortlist")
            for pattern in (name, f"{name}.*")
        ]
    ),
    package_data={
        "server.page": ["*.html", "*.css", "*.js", "*.svg"],
        "shortlist.lineage.page": ["*.html", "*.css", "*.js", "vendor/*/*"],
        "shortlist.report": ["templates/*"],
    },
    py_modules=["pipeline_runner"],
    install_requires=requirements("runtime"),
    extras_require={"kubeflow": requirements("kubeflow"), "dev": requirements("dev")},
    entry_points={"console_scripts": ["shortlist=cli:main"]},
    classifiers=[
        "Intended Audience :: Developers",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.10",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
