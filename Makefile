# `make run` opens the app, `make test` passes the tests; both install what is missing first.
.PHONY: help setup run test xvfb lint format types contracts lock bench zoo wheel clean
.DEFAULT_GOAL := help

PY := .venv/bin/python

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1	\2/p' Makefile | expand -t 12

setup: ## make .venv and install what is missing
	@tools/setup.sh

run: ## open the app; without a display, do its main job and write a picture
	@tools/run.sh

test: setup ## run the tests, without a screen, two at a time (each keeps up to 4 GB)
	@env -u DISPLAY -u WAYLAND_DISPLAY QT_QPA_PLATFORM=offscreen $(PY) -m pytest -q -n 2 --dist loadfile -m "not xvfb"

xvfb: ## run the tests that need a window manager, on a virtual screen
	@tools/on_a_screen.sh

lint: setup ## check style and formatting
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .

format: setup ## mend style and formatting
	@$(PY) -m ruff check --fix . ; $(PY) -m ruff format .

types: setup ## check the types, strictly
	@$(PY) -m mypy

contracts: setup ## check which room imports which
	@$(PY) -c "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"

lock: ## choose the dependencies anew and write requirements.lock
	@tools/lock.sh

bench: setup ## measure the figures of the README
	@for name in grid capture click start training window gradients; do \
		echo "== $$name"; $(PY) -m benchmarks.$$name || exit 1; done

zoo: setup ## train the nets that ship (a GPU needs minutes, a processor days)
	@$(PY) tools/train_zoo.py

wheel: setup ## build the package into dist/
	@$(PY) -m pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove what was built; .venv stays
	@rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache resnet-viz.png
