"""Configurations, recipes and schedules: what travels as TOML, and what is refused."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from resnet_viz.core.errors import UserError
from resnet_viz.core.paths import trained_dir
from resnet_viz.training.config import OPTIMIZERS, PARTS, TrainConfig
from resnet_viz.training.recipes import from_recipe, propose, recipes, usual_lr, warm_up
from resnet_viz.training.schedules import learning_rate


@pytest.mark.parametrize("recipe", recipes.ids())
def test_recipes_are_valid_and_travel_as_toml(recipe: str) -> None:
    start = {"start_from": "x"} if recipes.get(recipe).needs_start else {}
    made = from_recipe(recipe, "resnet20", "cifar10", **start)
    assert TrainConfig.from_toml(made.to_toml()) == made
    assert made.recipe == recipe and recipes.get(recipe).text


def test_odd_texts_survive_toml() -> None:
    made = TrainConfig("resnet20", 'C:\\data\n"고양이"\x7f', milestones=(1, 2))
    assert TrainConfig.from_toml(made.to_toml()) == made


def test_the_paper_recipe_is_the_papers() -> None:
    made = from_recipe("paper", "resnet56", "cifar10")
    assert (made.optimizer, made.momentum, made.weight_decay, made.batch, made.lr) == ("momentum", 0.9, 1e-4, 128, 0.1)
    assert made.milestones == (32_000, 48_000) and made.max_steps == 64_000 and made.init == "he"
    assert (made.pad, made.flip, made.val_share) == (4, True, 0.1)  # 45k / 5k
    assert made.epochs * math.ceil(45_000 / 128) >= 64_000
    assert made.warmup_steps == 0
    deep = from_recipe("paper", "resnet110", "cifar10")
    assert (deep.warmup_lr, deep.warmup_steps) == (0.01, 400)
    rates = [learning_rate(deep, step, 64_000) for step in (0, 399, 400, 31_999, 32_000, 48_000, 63_999)]
    assert rates == pytest.approx([0.01, 0.01, 0.1, 0.1, 0.01, 0.001, 0.001])


def test_one_cycle_rises_and_falls() -> None:
    made = TrainConfig("resnet20", "x", lr=0.2, warmup=0.25)
    rates = [learning_rate(made, step, 1000) for step in range(1001)]
    assert max(rates) == rates[250] == pytest.approx(0.2) and rates[1000] == pytest.approx(0, abs=1e-9)
    assert rates[:251] == sorted(rates[:251]) and rates[250:] == sorted(rates[250:], reverse=True)


def test_cosine_is_torchs() -> None:
    import torch

    made = TrainConfig("resnet20", "x", lr=0.3, schedule="cosine", warmup=0.0)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)
    for step in range(50):
        assert learning_rate(made, step, 50) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("epochs = 0", "epochs is 0"),
        ('epochs = "many"', "whole number"),
        ("lr = nan", "lr is nan"),
        ("lr = true", "number"),
        ('optimizer = "sdg"', "sgd"),
        ("learning_rate = 0.1", "learning_rate"),
        ("milestones = [5, 3]", "rising"),
        ("milestones = [0.5]", "whole numbers"),
        ('train_part = "head"', "start_from"),
        ("epochs = ", "not valid TOML"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(line: str, part: str) -> None:
    with pytest.raises(UserError, match=part):
        TrainConfig.from_toml(f'model = "resnet20"\ndata = "x"\n{line}\n')


def test_a_missing_model_is_named() -> None:
    with pytest.raises(UserError, match="lacks 'data'"):
        TrainConfig.from_toml('model = "resnet20"\n')


def test_proposals_are_the_four_of_the_rule() -> None:
    found = {(much, similar): propose(much, similar).train_part for much in (False, True) for similar in (False, True)}
    assert found == {(False, True): "head", (False, False): "late", (True, True): "late", (True, False): "all"}
    assert set(found.values()) == set(PARTS)


@pytest.mark.parametrize(
    "run", sorted(path.name for path in trained_dir().iterdir() if (path / "config.toml").exists())
)
def test_the_shipped_configurations_can_be_run_again(run: str) -> None:
    made = TrainConfig.read(trained_dir() / run / "config.toml")
    assert made.optimizer in OPTIMIZERS and made.epochs > 0


def test_how_batch_norm_works_on_many_processes_is_stated(capsys: pytest.CaptureFixture[str]) -> None:
    from resnet_viz.cli import main

    with pytest.raises(SystemExit):
        main.run(["train", "--help"])
    assert "under torchrun its statistics are of each process's share" in " ".join(capsys.readouterr().out.split())


def test_every_field_is_explained() -> None:
    text = TrainConfig.__doc__ or ""
    for field in dataclasses.fields(TrainConfig):
        assert f"{field.name}:" in text, field.name


def test_unreadable_files_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        TrainConfig.read(tmp_path / "config.toml")
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        TrainConfig.read(tmp_path / "config.toml")


def test_another_optimizer_brings_a_learning_rate_that_suits_it() -> None:
    assert from_recipe("quick", "resnet20", "x").lr == from_recipe("quick", "resnet20", "x", optimizer="sgd").lr == 0.2
    assert from_recipe("quick", "resnet20", "x", optimizer="adam").lr == 1e-3
    assert from_recipe("quick", "resnet20", "x", optimizer="adam", lr=0.2).lr == 0.2  # what was asked for
    assert from_recipe("hresnet", "hresnet", "x", optimizer="adamw").lr == 1e-4
    assert usual_lr("sgd", "adam", 1e-3) == 0.1 and usual_lr("adadelta", "nesterov", 0.2) == 1.0
    assert usual_lr("momentum", "nesterov", 0.07) == 0.07


def test_only_deep_nets_of_the_paper_warm_up() -> None:
    assert warm_up("paper", "resnet110") == {"warmup_steps": 400, "warmup_lr": 0.01}
    assert warm_up("paper", "plain56")["warmup_steps"] == 0 and warm_up("quick", "resnet110") == {}


def test_mean_and_std_of_a_start_net_need_one() -> None:
    with pytest.raises(UserError, match="start_from"):
        TrainConfig("resnet20", "x", normalize="start").check()
