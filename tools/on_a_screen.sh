#!/usr/bin/env bash
# Runs the tests that need a window manager on a virtual screen. Where one is missing and no
# administrator is at hand, says so and skips them; in CI that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" != inside ]; then
    status=0
    tools/setup.sh screen || status=$?
    if [ "$status" = 3 ] && [ -z "${CI:-}" ]; then
        echo "The tests under a window manager are SKIPPED: install the packages named above to run them."
        exit 0
    fi
    [ "$status" = 0 ] || exit "$status"
    XDG_CACHE_HOME=$(mktemp -d) # the window manager keeps a cache; nothing stays behind
    export XDG_CACHE_HOME
    trap 'rm -rf "$XDG_CACHE_HOME"' EXIT
    # -r: no key repeats itself where a busy machine lets it go late
    env -u WAYLAND_DISPLAY xvfb-run -a -s "-screen 0 1600x1000x24 -r" tools/on_a_screen.sh inside </dev/null
    exit
fi

openbox &
manager=$!
trap 'kill "$manager" 2>/dev/null || true' EXIT
tries=0
until xdotool get_num_desktops >/dev/null 2>&1; do # it is ready when it answers
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ] || ! kill -0 "$manager" 2>/dev/null; then
        echo "The window manager did not start."
        exit 1
    fi
    sleep 0.1
done
QT_QPA_PLATFORM=xcb .venv/bin/python -m pytest -q -m xvfb
