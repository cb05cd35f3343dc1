#!/usr/bin/env bash
# Opens the app; where no window can be opened, does its main job without one.
set -euo pipefail
cd "$(dirname "$0")/.."

MODEL=resnet20-cifar10
PICTURE=assets/samples/cat.jpg
OUT=resnet-viz.png

tools/setup.sh
if why=$(.venv/bin/python tools/has_display.py); then
    tools/setup.sh window
    exec .venv/bin/python -m resnet_viz "$@"
fi

echo "No window can be opened: $why. Here is the main job without one."
.venv/bin/python -m resnet_viz predict "$MODEL" "$PICTURE"
.venv/bin/python -m resnet_viz screenshot --workspace inspect --model "$MODEL" --image "$PICTURE" --out "$OUT"
