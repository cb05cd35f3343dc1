#!/usr/bin/env bash
# Chooses the dependencies anew and writes requirements.lock: exact versions with hashes, the same for
# every Python from 3.11 on and for every platform (markers choose), without the name of any registry.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip --disable-pip-version-check install --quiet uv
"$work/venv/bin/uv" --no-cache pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
    --generate-hashes --no-annotate --upgrade --fork-strategy fewest --custom-compile-command "make lock" \
    --quiet --output-file requirements.lock
for version in 3.11 3.12 3.13 3.14; do # nothing may have to be compiled
    "$work/venv/bin/uv" --no-cache pip compile requirements.lock --only-binary :all: --python-version "$version" \
        --python-platform x86_64-manylinux_2_35 --quiet --output-file "$work/$version.txt" >/dev/null
done
echo "requirements.lock holds $(grep -c '==' requirements.lock) packages"
