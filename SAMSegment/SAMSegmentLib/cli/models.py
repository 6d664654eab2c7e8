"""The command `models`: lists the models, gets, checks and removes their weights."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict

from ..core.errors import Cancelled, InputError, SAMSegmentError
from ..weights.catalogue import (
    INCLUDED,
    PUBLISHED,
    ModelEntry,
    catalogue,
    model_entry,
    problems,
)
from ..weights.download import hosts_of
from ..weights.folder import VARIABLE, folder_is_fixed, models_folder, set_models_folder
from ..weights.progress import Transfer, TransferTexts, megabytes, no_report
from ..weights.store import remove
from ..worker.client.model_jobs import cancelled, install_order, run_job
from ..worker.protocol.model_messages import InstallModel, ModelDone, ModelOrder, VerifyModel
from .console import StatusLine, print_note, print_result, print_to_stderr

DONE, FAILURE = 0, 1
AS_PUBLISHED = "as published"
AS_CONVERTED = (
    "unchanged since it was converted on this computer, and fits the network; that it was made of "
    "the published {file} is what the receipt beside it says"
)


def add_models(commands: argparse._SubParsersAction) -> None:
    """Adds the command and its own commands to argparse's subparsers."""
    command = commands.add_parser(
        "models",
        help="list the models; install, verify and remove their weights",
        description="Lists the models. Nothing is downloaded but by `models install`.",
    )
    command.set_defaults(run=list_models, json=False)
    inner = command.add_subparsers(metavar="command")

    listing = inner.add_parser("list", help="list the models (the default)")
    listing.add_argument("--json", action="store_true", help="everything about them, as JSON")

    installing = inner.add_parser(
        "install",
        help="download a model's weights, or copy them from a file",
        description="Downloads a model's weights from the addresses that the catalogue has. A "
        "download that was broken off is carried on.",
    )
    installing.set_defaults(run=install_model)
    installing.add_argument("name", help="model name")
    installing.add_argument(
        "--from", dest="source", metavar="PATH", help="the file, or a folder that holds it"
    )
    installing.add_argument(
        "--quiet", action="store_true", help="print nothing but errors and what a licence forbids"
    )

    verifying = inner.add_parser("verify", help="read weights and compare their SHA-256")
    verifying.set_defaults(run=verify_models)
    verifying.add_argument("name", nargs="?", help="model name (default: all installed ones)")

    removing = inner.add_parser("remove", help="delete a model's weights")
    removing.set_defaults(run=remove_model)
    removing.add_argument("name", help="model name")

    foldering = inner.add_parser("folder", help="print the folder of the weights, or choose it")
    foldering.set_defaults(run=models_folder_command)
    choice = foldering.add_mutually_exclusive_group()
    choice.add_argument("--set", dest="path", metavar="PATH", help="use this folder from now on")
    choice.add_argument("--default", action="store_true", help="use the usual folder again")


def list_models(options: argparse.Namespace) -> int:
    """Lists the models."""
    if options.json:
        print_result(json.dumps([_facts(entry) for entry in catalogue().values()], indent=2))
        return DONE
    rows = [("name", "prompts", "parameters", "size", "licence of weights", "weights")]
    rows += [
        (
            entry.name,
            ", ".join(entry.prompts) or _structures(entry),
            _millions(entry),
            megabytes(entry.size),
            _licence(entry),
            _state_in_words(entry),
        )
        for entry in catalogue().values()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print_result(
            "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    for problem in problems():
        print_to_stderr(problem)
    return DONE


def install_model(options: argparse.Namespace) -> int:
    """Gets the weights of one model.

    Raises:
        InputError: if there is no such model or file, or if the model comes with SAMSegment.
        Cancelled, InstallError, WeightsError: what was installed before still is.
    """
    entry = model_entry(options.name)
    order = install_order(entry, options.source)
    if not options.quiet:
        print_to_stderr(_announcement(entry, order))
    elif entry.restriction:
        print_to_stderr(f"{entry.title}: {_licence(entry)}")
    done = _run(order, options.quiet)
    if not options.quiet:
        for note in done.notes:
            print_to_stderr(note)
        print_note(f"{entry.name}: installed ({done.path})")
    return DONE


def verify_models(options: argparse.Namespace) -> int:
    """Checks the weights of one model, or of all that are installed.

    Raises:
        InputError: if there is no such model.
        Cancelled, WeightsError: of one model; for several, what is wrong is printed.
    """
    if options.name is not None:
        entry = model_entry(options.name)
        _print_verified([entry], _run(VerifyModel(entry)))
        return DONE
    status = DONE
    for entries in _by_file(entry for entry in catalogue().values() if entry.is_installed):
        try:
            done = _run(VerifyModel(entries[0]))
        except Cancelled:
            raise
        except SAMSegmentError as error:
            print_to_stderr(f"{_names(entries)}: {error}")
            status = FAILURE
        else:
            _print_verified(entries, done)
    return status


def remove_model(options: argparse.Namespace) -> int:
    """Deletes the weights of one model, half downloads too.

    Raises:
        InputError: if there is no such model, or if it comes with SAMSegment.
        InstallError: if they cannot be deleted.
    """
    entry = model_entry(options.name)
    was_there = entry.is_installed or _partial_bytes(entry) > 0
    remove(entry)
    print_note(f"{entry.name}: {'removed' if was_there else 'was not installed'}")
    others = [e.name for e in catalogue().values() if e.path == entry.path and e != entry]
    if was_there and others:
        print_to_stderr(f"The same file was that of {', '.join(others)}.")
    return DONE


def models_folder_command(options: argparse.Namespace) -> int:
    """Prints where weights lie, after choosing another folder if that is asked for.

    Raises:
        InputError: if the environment decides.
        InstallError: if that folder cannot be used; the old one stays.
    """
    if options.path is not None or options.default:
        if folder_is_fixed():
            raise InputError(
                f"The environment variable {VARIABLE} names the folder ({models_folder()}): "
                "change or remove it."
            )
        before = models_folder()
        left = [entry.name for entry in _downloadable() if entry.is_installed]
        set_models_folder(None if options.default else options.path)
        if left and models_folder() != before:
            print_to_stderr(
                f"The weights in {before} stay there: move them yourself if you want them."
            )
    print_result(models_folder())
    return DONE


# ---- Texts ------------------------------------------------------------------------------------


def _announcement(entry: ModelEntry, order: InstallModel) -> str:
    """What comes from where under which licence, before anything is fetched."""
    what = f"{entry.title}: {entry.file}, {megabytes(entry.size)}, {_licence(entry)}"
    if order.source is not None:
        return f"{what}, from {order.source}"
    return f"{what}, from {' or '.join(hosts_of(entry.downloads))}, into {models_folder()}"


def _licence(entry: ModelEntry) -> str:
    licence = entry.weights_licence or "-"
    return f"{licence} ({entry.restriction})" if entry.restriction else licence


def _structures(entry: ModelEntry) -> str:
    first, *others = entry.structures
    return f"none: finds {first.name}" + (f" and {len(others)} more" if others else "")


def _millions(entry: ModelEntry) -> str:
    return f"{entry.parameter_count / 1e6:.1f} M" if entry.parameter_count else "-"


def _state(entry: ModelEntry) -> str:
    if entry.is_installed:
        return {INCLUDED: "included", PUBLISHED: "installed"}.get(entry.origin, "your own")
    if not entry.is_installable:
        return "missing"
    return "partly downloaded" if entry.files.partial_bytes else "not installed"


def _state_in_words(entry: ModelEntry) -> str:
    state = _state(entry)
    if state == "partly downloaded":
        return f"{state} ({megabytes(entry.files.partial_bytes)})"
    return state


def _facts(entry: ModelEntry) -> dict:
    """All that is known of a model, for other programs."""
    return {
        **asdict(entry),
        # As scripts know it since 0.1.0; what else model.json calls so has a name of its own here.
        "parameters": entry.parameter_count,
        "architecture_parameters": entry.parameters,
        "embedded": entry.embedded,
        "path": str(entry.path),
        "state": _state(entry),
        "partial_bytes": _partial_bytes(entry),
        "parts": {part.role: part.model.name for part in entry.parts},
    }


def _partial_bytes(entry: ModelEntry) -> int:
    return 0 if entry.parts else entry.files.partial_bytes


def _print_verified(entries: list[ModelEntry], done: ModelDone) -> None:
    file = " and ".join(model.file for model in entries[0].models)
    proof = AS_PUBLISHED if done.as_published else AS_CONVERTED.format(file=file)
    print_note(f"{_names(entries)}: {proof} ({done.path}, SHA-256 {done.sha256})")
    for note in done.notes:
        print_to_stderr(note)


def _names(entries: list[ModelEntry]) -> str:
    return ", ".join(entry.name for entry in entries)


# ---- Work -------------------------------------------------------------------------------------


class TransferLine(StatusLine):
    """Shows the state of a transfer in one line of a terminal, or in a few lines of a log."""

    def __call__(self, transfer: Transfer) -> None:
        """Prints it, if it is time to."""
        self.show(transfer.message, TransferTexts().of(transfer))


def _run(order: ModelOrder, quiet: bool = False) -> ModelDone:
    try:
        with TransferLine(sys.stderr) as line:
            return run_job(order, no_report if quiet else line)
    except KeyboardInterrupt:
        again = isinstance(order, InstallModel) and order.source is None
        carries_on = ": the same command carries on." if again else "."
        raise Cancelled(cancelled(order).rstrip(".") + carries_on) from None


def _downloadable() -> list[ModelEntry]:
    return [entry for entry in catalogue().values() if entry.is_installable]


def _by_file(entries: Iterable[ModelEntry]) -> list[list[ModelEntry]]:
    """Entries that share a file, together: it need be read but once.

    What is made of others has none of its own: those are among the entries.
    """
    groups: dict[str, list[ModelEntry]] = {}
    for entry in entries:
        if not entry.parts:
            groups.setdefault(str(entry.path), []).append(entry)
    return list(groups.values())
