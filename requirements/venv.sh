#!/usr/bin/env bash
# Makes .venv with a Python 3.10 from PATH, pyenv or uv, in this order; $PYTHON is asked first.
set -euo pipefail
cd "$(dirname "$0")/.."

# A python3.10 on PATH may be a pyenv shim that starts nothing. The headers are for pyfarmhash, which ships as source.
readonly USABLE='
import os, sys, sysconfig
headers = os.path.join(sysconfig.get_paths()["include"], "Python.h")
sys.exit(not (sys.version_info[:2] == (3, 10) and sys.maxsize > 2**32 and os.path.exists(headers)))
'

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.10 python3 "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.10*/bin/python; do
        if command -v "$candidate" >/dev/null && "$candidate" -c "$USABLE" 2>/dev/null; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
}

if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "Shortlist needs 64-bit Linux on x86-64, this is $(uname -sm): TFX and ScaNN have no packages for it;" \
        "use a container or a virtual machine" >&2
    exit 1
fi
rm -rf .venv
python=$(find_python)
if [ -n "$python" ]; then
    bash requirements/uv.sh venv --quiet --python "$python" .venv
    pwd -P >.venv/.made-in
    exit
fi
echo "PATH and pyenv have no Python 3.10 with its headers; asking uv for one (about 30 MB, once) ..."
# uv by itself would take an interpreter that was just refused.
export UV_PYTHON_PREFERENCE=only-managed
if ! problem=$(bash requirements/uv.sh venv --quiet --python 3.10 .venv 2>&1); then
    echo "Python 3.10 is needed: PATH and pyenv have none, and uv could not bring one" \
        "($(sed -n 's/^ *\(cause\|error\): //p' <<<"$problem" | tail -n 1));" \
        "install it (pyenv install 3.10, or apt install python3.10-dev) or name its path: make run PYTHON=/path/to/python3.10" >&2
    exit 1
fi
pwd -P >.venv/.made-in
