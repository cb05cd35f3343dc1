"""``resnet-viz features``: one layer's maps as arrays, as a picture, or as statistics."""

from __future__ import annotations

import argparse
from pathlib import Path

from resnet_viz.analysis.colormap import colormaps
from resnet_viz.analysis.montage import SCALES, SORTS, GridOptions

from .commands import Command, commands
from .opening import open_and_say
from .options import add_json, add_model, model_request
from .output import finite, print_json, printable


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("image", metavar="IMAGE", help="picture file")
    parser.add_argument("--layer", required=True, metavar="NAME", help="layer name as `layers` prints it")
    parser.add_argument(
        "--out", metavar="FILE", help="maps.npz, grid.png, grid.svg or stats.csv; without it statistics are printed"
    )
    parser.add_argument("--sort", choices=SORTS, default="index", help="order of the channels in a picture")
    parser.add_argument("--scale", choices=SCALES[:2], default="layer", help="what the colours span")
    parser.add_argument("--colors", choices=colormaps.ids(), default="viridis", help="colour map")
    add_json(parser)


def _run(arguments: argparse.Namespace) -> int:
    import torch

    from resnet_viz.analysis.activations import observe
    from resnet_viz.analysis.export import write_activation
    from resnet_viz.analysis.statistics import channel_stats
    from resnet_viz.core.types import Fit
    from resnet_viz.data.batches import normalise
    from resnet_viz.data.images import load_image
    from resnet_viz.data.transforms import prepare
    from resnet_viz.session.passes import told

    image = load_image(arguments.image)
    net, card = open_and_say(model_request(arguments))
    card.layer(arguments.layer)
    view = prepare(image, Fit(), size=card.input_size, kind=card.fit, channels=card.in_channels)  # (S, S, C)
    x = normalise(torch.from_numpy(view).permute(2, 0, 1)[None], card.normalization)
    with told():
        seen = observe(net, x, layers=[arguments.layer], predict=False)
    activation = seen.activations[arguments.layer]
    stats = channel_stats(activation.maps)
    if arguments.out:
        options = GridOptions(sort=arguments.sort, normalize=arguments.scale, colormap=arguments.colors)
        provenance = {"model": card.title, "found": card.found, "image": image.source, "layer": arguments.layer}
        origin = {key: printable(value) for key, value in provenance.items()}
        write_activation(Path(arguments.out), activation, stats, options, origin)
    shape = list(activation.maps.shape)
    if arguments.json:
        print_json(
            {
                "layer": arguments.layer,
                "shape": shape,
                "out": arguments.out,
                "mean": [finite(float(value)) for value in stats.mean],
                "max": [finite(float(value)) for value in stats.max],
                "zeros": [finite(float(value)) for value in stats.zeros],
            }
        )
    elif arguments.out:
        print(f"{arguments.layer}: {'x'.join(map(str, shape))} written to {arguments.out}")
    else:
        print(f"{arguments.layer}: {'x'.join(map(str, shape))}")
        print("channel      mean       max   zeros")
        for channel in range(shape[0]):
            numbers = f"{stats.mean[channel]:9.4f} {stats.max[channel]:9.4f}"
            print(f"{channel:7} {numbers}  {100 * stats.zeros[channel]:5.1f} %")
    return 0


commands.add(
    "features",
    Command(
        "features",
        "write a layer's feature maps",
        "resnet-viz features resnet20-cifar10 photo.jpg --layer layer2.0 --out grid.png",
        _arguments,
        _run,
    ),
)
