# make run opens the app, make test passes the tests; both install what is missing first.
.PHONY: run test xvfb lint format types contracts lock bench wheel clean setup help
.DEFAULT_GOAL := help

PY := .venv/bin/python
CAT := assets/samples/cat.jpg

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: ## make .venv and install what is missing
	@tools/setup.sh

run: setup ## open the app
	@if [ "$$(uname -s)" != Linux ] || [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then \
		$(PY) -m resnet_viz; \
	else \
		echo "There is no display here, so the app cannot open its window. Here is its main job without one:"; \
		$(PY) -m resnet_viz predict resnet20-cifar10 $(CAT) && \
		$(PY) -m resnet_viz screenshot --workspace inspect --model resnet20-cifar10 --image $(CAT) --out resnet-viz.png; \
	fi

test: setup ## run the tests, without a screen
	@env -u DISPLAY -u WAYLAND_DISPLAY QT_QPA_PLATFORM=offscreen $(PY) -m pytest -m "not xvfb" -q

xvfb: ## run the tests that need a window manager, on a virtual screen
	@tools/setup.sh --xvfb
	@env -u WAYLAND_DISPLAY -u QT_QPA_PLATFORM xvfb-run -a -s "-screen 0 1600x1000x24" sh -c '\
		openbox & manager=$$!; sleep 1; QT_QPA_PLATFORM=xcb $(PY) -m pytest -m xvfb -q; status=$$?; \
		kill $$manager 2>/dev/null; exit $$status'

lint: setup ## check the code's style
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .

format: setup ## mend the code's style
	@$(PY) -m ruff check --fix . ; $(PY) -m ruff format .

types: setup ## check the types, strictly
	@$(PY) -m mypy

contracts: setup ## check which room imports which
	@.venv/bin/lint-imports --no-cache

lock: ## choose dependencies anew and write requirements.lock
	$(PY) -m pip install --quiet pip-tools
	.venv/bin/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --strip-extras \
		--allow-unsafe --extra dev --output-file requirements.lock pyproject.toml

bench: setup ## measure the figures of the README
	@for name in grid capture click start; do echo "== $$name"; $(PY) -m benchmarks.$$name; done

wheel: setup ## build the package into dist/
	@$(PY) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove what was built, keep .venv
	@rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache resnet-viz.png
