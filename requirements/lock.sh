#!/usr/bin/env bash
# Resolves requirements/*.in into locks with hashes; the arguments go to `uv pip compile` (--upgrade).
set -euo pipefail
cd "$(dirname "$0")/.."

# The platform is named so that the machine that locks does not matter. No registry's address enters a lock.
compile() {
    bash requirements/uv.sh pip compile --quiet --generate-hashes --python-version 3.10 \
        --python-platform x86_64-manylinux_2_28 --no-annotate --custom-compile-command "make lock" \
        "${@:2}" --output-file "requirements/$1"
}

# Kubeflow's client is the narrowest: what it allows is what everybody gets.
compile kubeflow.txt requirements/runtime.in requirements/kubeflow.in "$@"
compile runtime.txt requirements/runtime.in --constraints requirements/kubeflow.txt "$@"
compile dev.txt requirements/{runtime,kubeflow,dev}.in --constraints requirements/kubeflow.txt "$@"
compile build.txt requirements/build.in --constraints requirements/kubeflow.txt "$@"
compile uv.txt requirements/uv.in "$@"
compile audit.txt requirements/audit.in "$@"
compile manifests.txt requirements/manifests.in "$@"
compile api-fuzz.txt requirements/api-fuzz.in "$@"
compile s3.txt requirements/s3.in "$@"
compile flink.txt requirements/flink.in "$@"
# What is compared with Shortlist in an environment of its own: its pins fight TFX's.
for peer in bench-implicit bench-rectools bench-index bench-plot; do
    compile "$peer.txt" "requirements/$peer.in" "$@"
done
# The server without a pipeline: a part of what everybody gets.
compile server.txt server/pyproject.toml --constraints requirements/kubeflow.txt "$@"
