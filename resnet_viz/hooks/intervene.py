"""Deleting blocks and cutting skips in the running net.

After Veit, Wilber and Belongie 2016, "Residual Networks Behave Like Ensembles of Relatively
Shallow Networks", section 4. A residual block puts out ``act(F(x) + S(x))`` with S the skip
path: the identity, or the shortcut that changes the shape where a stage begins.

* Deleted: ``act(S(x))``. The shortcut stays, as in the paper, and so does what the block does
  after the addition. A last ReLU changes nothing where S is the identity, since x came out of a
  ReLU; behind a convolution on the skip path, and for tanh and sigmoid, it does.
* Cut: ``act(F(x))``; nothing comes through the skip.
* A block without a skip (plain net, VGG) passes x on when deleted: the identity where the shapes
  match, else every s-th position and zeros for new channels, the parameter-free shortcut A of
  He et al. 2015 (sec. 3.3). The paper deletes layers of a VGG and does not say what stands in
  for one that changes the shape. A plain block's last activation is applied as to a sum.
* Blocks of foreign nets built as torchvision builds them are changed as residual blocks; what was
  assumed of them is checked in the pass itself. Of other foreign blocks the module passes its
  input on, which needs one shape before and behind it; their skips cannot be seen, so not cut.

All by hooks: no weight, module or method of the net is touched.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from resnet_viz.core.errors import LayerNotFoundError, UserError, unknown
from resnet_viz.core.types import BlockInfo

from .block_changes import Addition, Change, KnownBlock, Passing, Plain, Watcher, is_known, steps
from .state import borrow

FIXED = ("stem", "pool", "head")
"""Kinds of blocks for which nothing can stand in."""

_changed: weakref.WeakKeyDictionary[nn.Module, set[str]] = weakref.WeakKeyDictionary()
"""By net, the blocks that are deleted or cut at this moment."""


@contextmanager
def intervene(net: nn.Module, deleted: Collection[str] = (), cut: Collection[str] = ()) -> Iterator[None]:
    """Run the net without some blocks, or without some skips, inside the ``with`` block.

    >>> with intervene(net, deleted={"layer2.1"}), torch.no_grad():    # doctest: +SKIP
    ...     logits = net(x)                                           # (N, classes)

    The layers of a deleted block are not computed, unless the block trains or somebody else's
    hook waits for one of them; then they are, and only the addition does without them. May be
    nested for different blocks.

    Args:
        net: any net; mode, buffers, ``requires_grad`` and hooks are given back as they were.
        deleted: names of blocks that pass on their shortcut alone.
        cut: names of blocks whose skip carries nothing.

    Raises:
        LayerNotFoundError: for a name that is no block, listing the three nearest.
        UserError: if a block cannot be deleted or has no skip to cut, is in both, or is
            changed already; from inside the pass, if nothing can stand in for a block.
    """
    changes = [_change(net, name, "delete") for name in dict.fromkeys(deleted)]
    changes += [_change(net, name, "cut") for name in dict.fromkeys(cut)]
    names = {change.name for change in changes}
    for both in sorted(set(deleted) & set(cut)):
        raise UserError(f"Nothing would come through block '{both}', deleted and cut at once. Choose one of them.")
    active = _changed.setdefault(net, set())
    for twice in sorted(names & active):
        raise UserError(f"Block '{twice}' is deleted or cut already. Name all blocks in one step.")
    active |= names
    try:
        with borrow(net):
            try:
                for change in changes:
                    change.attach()
                yield
            finally:
                for change in changes:
                    change.detach()
    finally:
        active -= names


@contextmanager
def watch_additions(net: nn.Module, names: Collection[str], watcher: Watcher) -> Iterator[None]:
    """Call ``watcher`` at each addition while the net runs inside the ``with`` block.

    Args:
        net: any net; given back as it was.
        names: residual blocks, such as :func:`has_skip` says yes to.
        watcher: given F(x) and S(x) as they are added; must not write into them.

    Raises:
        LayerNotFoundError, UserError: as :func:`intervene`.
    """
    changes = [_change(net, name, "watch", watcher) for name in dict.fromkeys(names)]
    with borrow(net):
        try:
            for change in changes:
                change.attach()
            yield
        finally:
            for change in changes:
                change.detach()


def has_skip(net: nn.Module, block: BlockInfo) -> bool:
    """Return whether the block's skip can be seen, and so be cut."""
    if _own(net) is not None:
        return block.add is not None
    return is_known(dict(net.named_modules()).get(block.name))


def can_delete(net: nn.Module, block: BlockInfo) -> bool:
    """Return whether the net runs without the block; False for stem, pools and head."""
    if block.kind in FIXED:
        return False
    if has_skip(net, block):
        return True
    if _own(net) is not None:
        return steps(block.in_shape, block.out_shape) is not None
    return block.params > 0 and block.out == block.name and block.in_shape == block.out_shape


def _own(net: nn.Module) -> dict[str, Any] | None:
    """Return an own net's blocks by name (each a ``BlockSpec``), None for a foreign net."""
    specs = getattr(net, "block_specs", None)
    return {spec.name: spec for spec in specs()} if callable(specs) else None


def _change(net: nn.Module, name: str, action: str, watcher: Watcher | None = None) -> Change:
    """Return what changes one block; nothing is attached yet."""
    own = _own(net)
    modules = dict(net.named_modules())
    if own is None:
        module = modules.get(name) if name else None
        if module is None:
            raise LayerNotFoundError(unknown("block", name, (path for path in modules if path)))
        if is_known(module):
            return KnownBlock(name, action, module, watcher)
        if action != "delete":
            raise UserError(f"The net does not show where block '{name}' adds its skip. Choose a block that shows it.")
        return Passing(name, first=module, out=module, foreign=True)
    if name not in own:
        raise LayerNotFoundError(unknown("block", name, own))
    spec = own[name]
    if spec.kind in FIXED:
        others = [other.name for other in own.values() if other.kind not in FIXED]
        raise UserError(f"Nothing can stand in for '{name}', the net's {spec.kind}. Choose one of {_listed(others)}.")
    layers = [modules[layer] for layer in spec.layers]
    if spec.add is not None:
        return Addition(name, action, modules[name], layers, modules[spec.add], watcher)
    if action != "delete":
        others = [other.name for other in own.values() if other.add is not None]
        hint = f"Choose one of {_listed(others)}." if others else "Choose a residual net."
        raise UserError(f"Block '{name}' has no skip connection. {hint}")
    if spec.kind == "plain":
        return Plain(name, modules[name], layers)
    return Passing(name, first=layers[0], out=modules[spec.out])


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
