#!/usr/bin/env bash
# Makes .venv with the locked dependencies and sees to the system libraries that Qt and OpenCV load.
# Quick and silent when everything is there. Asks nothing, so it also works without a terminal.
#
#   tools/setup.sh            what the commands, the tests and pictures without a screen need
#   tools/setup.sh window     also what a window on the screen needs
#   tools/setup.sh screen     also a virtual screen with a window manager, for the tests that need one
#
# PYTHON=python3.12 tools/setup.sh chooses the interpreter of a new .venv.
# Exit status: 0 done, 3 an administrator is needed (the command to run was printed), 1 anything else.
set -euo pipefail
exec </dev/null
cd "$(dirname "$0")/.."
unset PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX

WHAT=${1:-base}
STAMP=.venv/.installed
NEEDED_GB=10     # 6 installed, 3 for the wheels while pip unpacks them
WITH_CACHE_GB=14 # pip keeps what it downloads; it is told not to where that would fill the disk

say() { printf '%s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

# --- system packages ---------------------------------------------------------------------------------------

# run a command as administrator without asking for a password; 126 where that is impossible
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"
    else return 126
    fi
}

# quiet, unless it fails
apt_get() {
    local told
    told=$(as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" 2>&1 9<&-) || { say "$told"; return 1; }
}

apt_knows() { [ -n "$(apt-cache show --no-all-versions "$1" 2>/dev/null)" ]; }

# apt_install WHY PACKAGE...: install, or print the command that would and stop
apt_install() {
    local why=$1 name names=()
    shift
    command -v apt-get >/dev/null || die "$why. This is no Debian or Ubuntu: install what corresponds to $*"
    if ! as_root true; then
        say "$why. Installing it needs an administrator. Run this, then try again:"
        say "    sudo apt-get update && sudo apt-get install -y $*"
        exit 3
    fi
    # one broken source must not keep the others from being used
    apt_get update || say "(apt-get update reported a problem; going on with the lists there are)"
    for name in "$@"; do
        # releases since 2024 name some libraries with t64 at the end
        if apt_knows "${name}t64"; then name=${name}t64; fi
        names+=("$name")
    done
    say "$why. Installing ${names[*]}"
    apt_get install -y --no-install-recommends "${names[@]}" \
        || die "That failed. Run: sudo apt-get update && sudo apt-get install -y ${names[*]}"
}

# --- Python ------------------------------------------------------------------------------------------------

# 64-bit CPython 3.11 to 3.14, not free-threaded: what all locked wheels are built for
FITS='
import struct, sys, sysconfig
good = (3, 11) <= sys.version_info[:2] <= (3, 14) and sys.implementation.name == "cpython"
sys.exit(not (good and struct.calcsize("P") == 8 and not sysconfig.get_config_var("Py_GIL_DISABLED")))
'

find_python() {
    local name
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
        if command -v "$name" >/dev/null && "$name" -c "$FITS" 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

# the newest fitting Python among the system's packages
python_package() {
    local name version
    for name in python3 python3.13 python3.12 python3.11 python3.14; do
        version=$(apt-cache policy "$name" 2>/dev/null | awk '/Candidate:/ {print $2}')
        if [ -n "$version" ] && [ "$version" != "(none)" ] \
            && dpkg --compare-versions "$version" ge 3.11 && dpkg --compare-versions "$version" lt 3.15~; then
            printf '%s' "$name"
            return
        fi
    done
    printf python3
}

make_venv() {
    local python name names=() missing
    python=$(find_python) || {
        [ -z "${PYTHON:-}" ] || die "PYTHON=$PYTHON is no 64-bit Python 3.11 to 3.14. Unset PYTHON, or name another."
        if command -v apt-get >/dev/null && as_root true; then apt_get update || true; fi
        name=$(python_package)
        apt_install "Python 3.11 to 3.14 is missing" "$name" "$name-venv"
        python=$(find_python) || die "This system has no Python 3.11 to 3.14. Install one and name it: PYTHON=python3.13 make run"
    }
    # all that an administrator is needed for at once, and before a long download
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        names+=("$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')")
    fi
    missing=$(missing_libraries "$python")
    # shellcheck disable=SC2206 # one word per package
    names+=($missing)
    [ ${#names[@]} -eq 0 ] || apt_install "System packages that Python, Qt or OpenCV need are missing" "${names[@]}"
    say "Making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv || die ".venv could not be made. Read the message above."
}

# what is installed in .venv: where, with which Python, from which files
state() { { pwd && .venv/bin/python --version && cat requirements.lock pyproject.toml setup.py; } 2>/dev/null; }

installed() { [ -f "$STAMP" ] && state | cmp -s - "$STAMP"; }

check_space() {
    local free_gb there_gb
    free_gb=$(($(df -Pk . | awk 'NR == 2 {print $4}') / 1024 / 1024))
    there_gb=$(du -sk .venv 2>/dev/null | awk '{kb = $1} END {print int(kb / 1048576)}' || true) # an unfinished try
    if [ $((free_gb + there_gb)) -lt "$NEEDED_GB" ]; then
        die "The dependencies take 6 GB installed and 3 GB more while they are installed; $free_gb GB are free here." \
            "Free some space, or put this folder on another disk."
    fi
    if [ "$free_gb" -lt "$WITH_CACHE_GB" ]; then export PIP_NO_CACHE_DIR=1; fi
}

install_packages() {
    local told pip=(.venv/bin/python -m pip --disable-pip-version-check install --no-input)
    [ -t 2 ] || pip+=(--quiet)
    if [ -f "$STAMP" ]; then
        say "What the project needs has changed: bringing .venv up to date."
    else
        check_space
    fi
    if ! .venv/bin/python -c "$FITS" 2>/dev/null || ! .venv/bin/python -c 'import pip' 2>/dev/null; then make_venv; fi
    [ -f "$STAMP" ] || say "Installing the dependencies: a download of about 3 GB (PyTorch's default build), 6 GB installed."
    # /tmp is in memory on many systems, and too small for these wheels
    rm -rf .venv/tmp
    mkdir .venv/tmp
    TMPDIR=$PWD/.venv/tmp "${pip[@]}" --only-binary :all: --require-hashes -r requirements.lock >&2 \
        || die "The dependencies could not be installed; pip's message is above. They need a network, and Debian 12," \
               "Ubuntu 22.04 or newer. Trying again goes on where this stopped."
    # the checkout itself, so that .venv/bin/resnet-viz runs; all that it needs is there already
    told=$(TMPDIR=$PWD/.venv/tmp "${pip[@]}" --no-index --no-deps --no-build-isolation -e . 2>&1) || die "$told"
    rm -rf .venv/tmp
}

# --- libraries ---------------------------------------------------------------------------------------------

missing_libraries() { [ "$(uname -s)" != Linux ] || "$1" tools/missing_libraries.py "$WHAT"; }

install_libraries() {
    local missing
    missing=$(missing_libraries .venv/bin/python)
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086 # one word per package
    apt_install "Libraries that Qt or OpenCV load are missing" $missing
    missing=$(missing_libraries .venv/bin/python)
    [ -z "$missing" ] || die "These libraries still cannot be loaded: ${missing//$'\n'/ }"
}

install_screen() {
    local names=()
    command -v Xvfb >/dev/null || names+=(xvfb)
    command -v xauth >/dev/null || names+=(xauth)
    command -v openbox >/dev/null || names+=(openbox)
    command -v xdotool >/dev/null || names+=(xdotool)
    [ ${#names[@]} -eq 0 ] || apt_install "A virtual screen is missing" "${names[@]}"
}

if command -v flock >/dev/null; then # two at once wait for each other
    exec 9<requirements.lock
    flock 9 || true
fi
if ! installed; then
    install_packages
    install_libraries
    .venv/bin/python -c 'import torch, torchvision, cv2, PyQt6.QtWidgets, PyQt6.QtSvg' \
        || die "A dependency cannot be loaded; the message above says which. Remove .venv and try again."
    state >"$STAMP"
else
    install_libraries
fi
if [ "$WHAT" = screen ]; then install_screen; fi
