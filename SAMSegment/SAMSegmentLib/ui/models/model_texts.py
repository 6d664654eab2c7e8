"""What users read about models and their weights."""

from __future__ import annotations

from html import escape
from itertools import groupby

from slicer.i18n import tr as _

from ...weights.catalogue import ModelEntry
from ...weights.download import host_of, hosts_of
from ...weights.progress import TransferTexts
from .model_states import DAMAGED, GONE, INCLUDED, INSTALLED, OWN, PARTLY, ModelState


def transfer_texts() -> TransferTexts:
    """How far work is, in the user's language."""
    return TransferTexts(
        amount=_("{done} of {total} MB"),
        size=_("{count} MB"),
        speed=_("{speed:.1f} MB/s"),
        left=_("{time} left"),
        seconds=_("{seconds} s"),
        minutes=_("{minutes} min"),
        hours=_("{hours} h {minutes} min"),
    )


def megabytes(count: int) -> str:
    """A number of bytes, in MB of 10^6 bytes."""
    return transfer_texts().size_of(count)


def amount(done: int, total: int) -> str:
    """How much of it is there."""
    return transfer_texts().amount_of(done, total)


def state_text(entry: ModelEntry, state: ModelState) -> str:
    """For a list of models; of half a download, how much is there."""
    if state.kind == PARTLY:
        return amount(state.partial, entry.size)
    names = {
        INCLUDED: _("included"),
        OWN: _("trained by you") if entry.trained else _("brought by you"),
        INSTALLED: _("installed"),
        DAMAGED: _("damaged"),
        GONE: _("missing"),
    }
    return names.get(state.kind, _("not installed"))


def facts_line(entry: ModelEntry) -> str:
    """What one wants to know before a download: how large, which licence, from where."""
    facts = [megabytes(entry.size), *filter(None, [entry.weights_licence])]
    if hosts := hosts_of(entry.downloads):
        facts.append(_("from {host}").format(host=hosts[0]))
    return ", ".join(facts)


def place_text(entry: ModelEntry) -> str:
    """Which computers a download asks, in their order."""
    first, *others = hosts_of(entry.downloads) or [""]
    if not first:
        return _("There is no download: get the file by other means.")
    if not others:
        return _("From {host}.").format(host=first)
    text = _("From {host}; if that fails, from {others}.")
    return text.format(host=first, others=", ".join(others))


def restriction_text(entry: ModelEntry) -> str:
    """What the licence of the weights forbids; "" if nothing unusual."""
    if not entry.restriction:
        return ""
    text = _("The licence {licence} sets a limit: {restriction}.")
    return text.format(licence=entry.weights_licence, restriction=entry.restriction.rstrip("."))


def download_text(entry: ModelEntry, state: ModelState, has_failed: bool) -> str:
    """What the button says that begins a download."""
    if state.kind == DAMAGED:
        return _("Download again")
    if entry.restriction and state.kind != PARTLY:
        return _("Accept and download")
    if has_failed:
        return _("Try again")
    return _("Carry on") if state.kind == PARTLY else _("Download")


def with_size(text: str, entry: ModelEntry, state: ModelState) -> str:
    """A button's text, and how much is to come."""
    has_part = 0 < state.partial < entry.size
    size = amount(state.partial, entry.size) if has_part else megabytes(entry.size)
    return _("{action} ({size})").format(action=text, size=size)


def details(entry: ModelEntry) -> str:
    """What the catalogue says of a model, as rich text."""
    kinds = {"roi": _("ROI"), "points": _("points"), "line": _("measured line")}
    prompts = ", ".join(kinds.get(kind, kind) for kind in entry.prompts)
    millions = _("{count} million").format(count=f"{entry.parameter_count / 1e6:.1f}")
    facts = [
        (_("Prompts:"), escape(prompts)),
        (_("Finds:"), escape(", ".join(structure.name for structure in entry.structures))),
        (_("Images:"), escape(", ".join(entry.modalities))),
        (_("Parameters:"), escape(millions) if entry.parameter_count else ""),
        (_("Licence:"), escape(_licences(entry))),
        (_("Source:"), _link(entry.source)),
        *((_("Measured:"), escape(timing)) for timing in _timings(entry)),
        (_("Cite:"), escape(entry.citation)),
    ]
    return "<br>".join(f"<b>{escape(name)}</b> {value}" for name, value in facts if value)


def breakable(text: str) -> str:
    """A text that fits a narrow panel: Qt breaks a path at slashes, but not one of Windows."""
    return text.replace("\\", "\\\u200b")


def _licences(entry: ModelEntry) -> str:
    if not (entry.code_licence and entry.weights_licence):
        return entry.code_licence or entry.weights_licence
    if entry.code_licence == entry.weights_licence:
        return _("{licence} (code and weights)").format(licence=entry.code_licence)
    text = _("{code} (code), {weights} (weights)")
    return text.format(code=entry.code_licence, weights=entry.weights_licence)


def _link(source: str) -> str:
    if not source.lower().startswith(("https://", "http://")):
        return escape(source)
    # A long address could not be wrapped, and would widen the panel.
    return f'<a href="{escape(source)}">{escape(host_of(source))}</a>'


def _timings(entry: ModelEntry) -> list[str]:
    lines = []
    for computer, timings in groupby(entry.timings, key=lambda timing: timing.computer):
        each = _("{what} {seconds} s")
        took = [each.format(what=one.what, seconds=f"{one.seconds:.2g}") for one in timings]
        lines.append(_("{took} ({computer})").format(took=", ".join(took), computer=computer))
    return lines
