#!/usr/bin/env bash
# Makes .venv with the locked dependencies, and installs Qt's and OpenCV's system libraries where they
# are missing. Does nothing, quickly, when everything is there already.
#
#   tools/setup.sh            the environment and the libraries that windows and tests need
#   tools/setup.sh --xvfb     also a virtual screen and a window manager, for the tests that need one
set -euo pipefail
cd "$(dirname "$0")/.."

NEEDED_GB=7
STAMP=.venv/.requirements.sha256

say() { printf '%s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

# how to become root without asking anything: nothing, sudo, or not at all
root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"
    else return 126
    fi
}

# install Debian packages, or say the command that would
apt_install() {
    local why=$1; shift
    if ! command -v apt-get >/dev/null; then
        die "$why is missing, and this is no Debian or Ubuntu. Install what corresponds to: $*"
    fi
    say "$why is missing: installing $*"
    if ! { root env DEBIAN_FRONTEND=noninteractive apt-get -qq update \
            && root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"; } \
            </dev/null >&2; then
        die "It could not be installed from here. Run: sudo apt-get install -y $*"
    fi
}

# newer releases name some packages with t64 behind the name
apt_name() {
    local name=$1
    if ! apt-cache show "$name" >/dev/null 2>&1 && apt-cache show "${name}t64" >/dev/null 2>&1; then
        name="${name}t64"
    fi
    printf '%s' "$name"
}

find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null \
            && "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

make_venv() {
    local python
    python=$(find_python) || {
        apt_install "Python 3.11 or newer" python3 python3-venv
        python=$(find_python) || die "Python 3.11, 3.12 or 3.13 is needed. Install one of them and try again."
    }
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        apt_install "Python's venv module" python3-venv
    fi
    "$python" -m venv .venv
}

check_space() {
    local free_kb
    free_kb=$(df -Pk . | awk 'NR == 2 {print $4}')
    if [ "$free_kb" -lt $((NEEDED_GB * 1024 * 1024)) ]; then
        die "The dependencies take about 6 GB and $((free_kb / 1024 / 1024)) GB are free here." \
            "Free some space, or check out the project on another disk."
    fi
    say "Installing the dependencies: a download of about 3 GB (PyTorch's default build), 6 GB on disk."
}

install_python_packages() {
    local want
    want=$(sha256sum requirements.lock | cut -d' ' -f1)
    if [ -x .venv/bin/python ] && [ "$(cat "$STAMP" 2>/dev/null)" = "$want" ]; then
        return
    fi
    [ -x .venv/bin/python ] || { check_space; make_venv; }
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock </dev/null
    # the checkout itself, so that `resnet-viz` runs from .venv; its dependencies are all there
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . </dev/null 2>.venv/editable.log \
        || { cat .venv/editable.log >&2; exit 1; }
    printf '%s' "$want" >"$STAMP"
}

# which of the shared libraries that Qt and OpenCV load cannot be loaded; Qt itself would abort
missing_libraries() {
    .venv/bin/python - <<'PYTHON'
import ctypes

PACKAGES = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
for library, package in PACKAGES.items():
    try:
        ctypes.CDLL(library)
    except OSError:
        print(package)
PYTHON
}

install_libraries() {
    [ "$(uname -s)" = Linux ] || return 0
    local missing names=() package
    missing=$(missing_libraries)
    [ -n "$missing" ] || return 0
    for package in $missing; do names+=("$(apt_name "$package")"); done
    # text needs at least one font
    if ! ls /usr/share/fonts/*/* >/dev/null 2>&1; then names+=(fonts-dejavu-core); fi
    apt_install "A system library of Qt or OpenCV" "${names[@]}"
}

install_screen() {
    local names=()
    command -v Xvfb >/dev/null || names+=(xvfb)
    command -v xvfb-run >/dev/null || names+=(xvfb xauth)
    command -v openbox >/dev/null || names+=(openbox)
    command -v xdotool >/dev/null || names+=(xdotool)
    [ ${#names[@]} -eq 0 ] || apt_install "A virtual screen" "${names[@]}"
}

install_python_packages
install_libraries
if [ "${1:-}" = --xvfb ]; then install_screen; fi
