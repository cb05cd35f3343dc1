"""What a race's sentence says is what its curves show."""

from __future__ import annotations

import json
from pathlib import Path

from resnet_viz.gui.views.race_logic import races_of, results, sentence
from resnet_viz.training.history import read_history
from resnet_viz.training.history_record import RunHistory


def run(folder: Path, model: str, train: list[float], val: list[float], **values: object) -> RunHistory:
    """Return the history of a folder written by hand: accuracies by epoch."""
    folder.mkdir()
    config = {"model": model, "data": "cifar10", "recipe": "paper", "epochs": 2, "batch": 128, "lr": 0.1, **values}
    lines = [f"{key} = {json.dumps(value)}" for key, value in config.items()]
    (folder / "config.toml").write_text("\n".join(lines), encoding="utf-8")
    events: list[dict[str, object]] = [
        {"event": "started", "model": model, "params": 1, "train_pictures": 256, "val_pictures": 10,
         "steps_per_epoch": 2, "epochs": 2, "bf16": False, "total_steps": 4, "step": 0},
    ]  # fmt: skip
    for epoch, (one, other) in enumerate(zip(train, val, strict=True), start=1):
        events.append({"event": "step", "step": 2 * epoch, "epoch": epoch, "loss": 1.0, "lr": 0.1, "images_per_s": 9.0})
        events.append(
            {"event": "epoch", "epoch": epoch, "train_loss": 1.0, "train_acc": one, "val_loss": 1.0, "val_acc": other,
             "lr": 0.1, "elapsed_s": 1.0}
        )  # fmt: skip
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, events)) + "\n", encoding="utf-8")
    return read_history(folder)


def test_a_fair_race_says_what_the_training_errors_show(tmp_path: Path) -> None:
    runs = [
        run(tmp_path / "a", "plain56", [0.2, 0.4], [0.2, 0.38]),
        run(tmp_path / "b", "resnet56", [0.6, 0.8], [0.6, 0.75]),
        run(tmp_path / "c", "plain20", [0.5, 0.7], [0.5, 0.68]),
        run(tmp_path / "d", "resnet20", [0.5, 0.75], [0.5, 0.7]),
        run(tmp_path / "e", "resnet32", [0.9, 0.95], [0.9, 0.9], recipe="quick"),
    ]
    first, *others = races_of(runs)
    assert first.fair and [one.model for one in first.runs] == ["plain20", "resnet20", "plain56", "resnet56"]
    text = sentence(first)
    assert "After epoch 2 ResNet-56 gets 20.0 %" in text and "plain-56 60.0 %" in text
    assert "60.0 % against 30.0 %" in text and "degradation" in text
    assert [row[0] for row in results(first)] == ["plain-20", "ResNet-20", "plain-56", "ResNet-56"]
    assert results(first)[2][2:] == ("60.0 %", "62.0 %")
    # all nets of the data set together are no fair race, and nothing is claimed of them
    assert [race.fair for race in others] == [False] and len(others[0].runs) == 5
    assert "%" not in sentence(others[0])


def test_a_deep_plain_net_that_does_as_well_is_said_to(tmp_path: Path) -> None:
    runs = [
        run(tmp_path / "a", "plain56", [0.5, 0.7], [0.5, 0.7]),
        run(tmp_path / "b", "plain20", [0.5, 0.7], [0.5, 0.7]),
        run(tmp_path / "c", "resnet20", [0.5], [0.5]),
    ]
    text = sentence(races_of(runs)[0])
    assert "plain-56 is not worse than plain-20" in text and "degradation" not in text
    assert "After epoch 1 ResNet-20 gets 50.0 %" in text  # compared where both have been


def test_plain_nets_alone_are_no_race(tmp_path: Path) -> None:
    assert races_of([run(tmp_path / "a", "plain56", [0.5], [0.5])]) == []
    assert races_of([]) == []
