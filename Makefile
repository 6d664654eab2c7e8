# Short names for Scripts/develop.py, which does the work and also runs where there is no make.
# Another interpreter: make test PYTHON=/path/to/python3.12

PYTHON ?= $(shell for python in python3.11 python3.12 python3; do \
	if $$python -c "" >/dev/null 2>&1; then echo $$python; break; fi; done)

COMMANDS := setup test test-fast test-preview lint format demo pictures bench accuracy accuracy-gate recorded-masks parity properties fuzz pack train models-table translations clean

.PHONY: help $(COMMANDS)

help:
	@echo "make setup | test | test-fast | test-preview | demo | pictures | bench | accuracy | accuracy-gate | recorded-masks | parity | properties | fuzz | pack | train | lint | format | models-table | translations | clean"

$(COMMANDS):
ifeq ($(PYTHON),)
	@echo "Python 3.11 or 3.12 is needed. Debian, Ubuntu: sudo apt-get install python3.11 python3.11-venv" >&2; exit 1
else
	@$(PYTHON) Scripts/develop.py $@
endif
