#!/usr/bin/env bash
# Draws the README's pictures anew, each as the window is now. CIFAR-10 must be where resnet-viz looks for it.
#
#   tools/draw_screenshots.sh [FOLDER]     (default assets/screenshots)
#
# vanishing-light.png is not among them: its switches (depth 32, no batch norm, default initialisation) are set by hand.
set -euo pipefail
cd "$(dirname "$0")/.."

OUT=${1:-assets/screenshots}
CAT=assets/samples/cat.jpg
RESNET_VIZ_HOME=$(mktemp -d) # no runs, no settings of one's own
export RESNET_VIZ_HOME
trap 'rm -rf "$RESNET_VIZ_HOME"' EXIT
mkdir -p "$OUT"

shot() { # NAME OPTION...
    local name=$1
    shift
    .venv/bin/python -m resnet_viz screenshot --image "$CAT" --out "$OUT/$name.png" "$@"
}

shot inspect-dark --layer layer2.0
shot inspect-light --layer layer1.0 --channel 6 --size 1280x800 --scheme light
shot parts-dark --layer layer2.1 --mode parts --size 1280x800
shot filters-light --layer conv1 --mode filters --size 1280x800 --scheme light
shot resnet110-dark --model resnet110 --untrained --layer layer2.5 --size 1280x800
shot gradients-dark --workspace gradients
shot lesions-dark --workspace gradients --page lesions
shot race-light --workspace gradients --page race --scheme light
shot train-dark --workspace train
