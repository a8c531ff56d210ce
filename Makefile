# Each target makes the environment first, if it is missing or older than the files that describe it.
# `make` alone lists the targets.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
OLDEST := $(shell sed -n 's/^min_python *= *//p' settings.ini)

# Notebooks and tests start `python` and `collab_lesson` by name: let them find those of the environment.
export PATH := $(CURDIR)/$(BIN):$(PATH)

# One thread for each process: the models are small, and where cores are shared PyTorch's threads wait for each other
# (two trainings at once on two busy cores took 6 s with one thread each, over 100 s with two).
OMP_NUM_THREADS ?= 1
export OMP_NUM_THREADS

.PHONY: help install lesson test test-gpu notebook execute badges readme docs docs-serve book cards student slides sheets bench clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY)  ## make .venv and install the library and its tools into it (every other target does this, too)

$(READY): settings.ini setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < tuple(map(int, "$(OLDEST)".split("."))))' 2>/dev/null || \
	  { echo "This book needs Python $(OLDEST) or newer, and $(PYTHON) is not. Name another one: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Installing into $(VENV): a few minutes, once."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[dev]' -c constraints.txt
	@touch $@

lesson: $(READY)  ## train every model in turn and print one table (options: make lesson ARGS="--seeds 5")
	@$(BIN)/collab_lesson run $(ARGS)

test: export MPLBACKEND = Agg
test: $(READY)  ## run every notebook as a test, then pytest
	$(BIN)/nbdev_test --n_workers 2 --do_print --timing
	$(BIN)/pytest -q -n 2 --dist loadfile tests

test-gpu: export MPLBACKEND = Agg
test-gpu: $(READY)  ## the same for the cells and tests that need a GPU; says so and stops where there is none
	@if $(BIN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then \
	  $(BIN)/nbdev_test --flags gpu --n_workers 1 --do_print --timing && $(BIN)/pytest -q -m gpu tests; \
	else echo "PyTorch finds no CUDA GPU on this machine: the GPU tests were not run."; fi

notebook: $(READY)  ## open the book in Jupyter Lab
	@$(BIN)/jupyter lab nbs

execute: $(READY)  ## run all notebooks in order and save their outputs (some: make execute ARGS="07_bias 08_weight_decay")
	@$(BIN)/python tools/book.py execute $(ARGS)

badges: $(READY)  ## write every badge, and the cell that installs the library on Colab, from settings.ini
	@$(BIN)/python tools/book.py badges

readme: $(READY)  ## write README.md from nbs/index.ipynb
	@$(BIN)/python tools/book.py readme

docs: $(READY)  ## build the site into _docs (with Quarto where it is installed, otherwise with smalldocs)
	@$(BIN)/python tools/book.py docs

docs-serve: docs  ## build the site and show it at http://localhost:8000 (another port: make docs-serve PORT=8001)
	@$(BIN)/python tools/book.py serve $(PORT)

book: $(READY)  ## the whole book in one HTML file that needs no network (and an EPUB, where Quarto is installed)
	@$(BIN)/python tools/book.py book

cards: $(READY)  ## the questions, quizzes and glossary as a deck for Anki, in _cards
	@$(BIN)/python tools/cards.py

student: $(READY)  ## each chapter for students, with stubs and checks, in student; for teachers, with solutions, in teacher
	@$(BIN)/python tools/student.py

slides: $(READY)  ## Parts I and II as slides in _slides, from the cells marked for it (npm fetches reveal.js, once)
	@$(BIN)/python tools/handouts.py slides

sheets: $(READY)  ## the exercises of each chapter to print, without solutions, in _sheets
	@$(BIN)/python tools/handouts.py sheets

bench: $(READY)  ## time our training beside stock fastai, measure what ratings cost, put every model beside other libraries (installed into .venv-bench), and open the sealed splits if their committed settings have changed
	@$(BIN)/python benchmarks/lesson_speed.py
	@$(BIN)/python benchmarks/ratings_cost.py
	@$(BIN)/python benchmarks/compare.py $(ARGS)
	@$(BIN)/python benchmarks/sealed.py --if_changed

clean:  ## remove what the other targets made, but for .venv and the data
	rm -rf runs _docs _cards student teacher _slides _sheets _proc _shots nbs/nbdev.yml build dist *.egg-info .pytest_cache .hypothesis
	find . -path ./$(VENV) -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -exec rm -rf {} +
