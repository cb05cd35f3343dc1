#!/usr/bin/env bash
# Chooses the dependencies anew and writes requirements.lock: exact versions with hashes, for every
# Python from 3.11 on and every platform at once (markers choose), without the name of any registry.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip --disable-pip-version-check install --quiet uv
"$work/venv/bin/uv" --no-cache pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
    --generate-hashes --no-annotate --upgrade --custom-compile-command "make lock" \
    --quiet --output-file requirements.lock
echo "requirements.lock holds $(grep -c '==' requirements.lock) packages"
