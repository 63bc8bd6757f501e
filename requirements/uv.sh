#!/usr/bin/env bash
# Runs uv with the arguments given: PATH's, or the pinned one, which it brings into .tools/ first.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly USABLE='import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 8))'

bootstrap() {
    local python tools=.tools/uv
    for python in "${PYTHON:-}" python3 python3.{10..14} "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.*/bin/python; do
        # Debian's python3 has no venv module unless asked for; the next interpreter may have one.
        command -v "$python" >/dev/null && "$python" -c "$USABLE" 2>/dev/null || continue
        echo "Bringing uv into $tools ..." >&2
        rm -rf "$tools"
        "$python" -m venv "$tools"
        "$tools/bin/python" -m pip install --quiet --disable-pip-version-check \
            --require-hashes --only-binary :all: -r requirements/uv.txt >&2
        return
    done
    echo "uv is needed and was not found, and no python3 here can bring it (python3-venv is missing);" \
        "install uv, or on Debian and Ubuntu: apt install python3-venv" >&2
    exit 1
}

if command -v uv >/dev/null && uv --version >/dev/null 2>&1; then
    exec uv "$@"
fi
if ! .tools/uv/bin/uv --version >/dev/null 2>&1; then
    bootstrap
fi
exec .tools/uv/bin/uv "$@"
