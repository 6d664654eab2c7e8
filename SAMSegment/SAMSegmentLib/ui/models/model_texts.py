"""What users read about models and their weights."""

from __future__ import annotations

import os
from html import escape
from itertools import groupby

from slicer.i18n import tr as _

from ...weights.catalogue import ModelEntry
from ...weights.download import MIRROR, host_of
from ...weights.progress import Transfer, in_megabytes
from .model_states import DAMAGED, GONE, INCLUDED, INSTALLED, OWN, PARTLY, ModelState

MB = 1e6


def megabytes(count: int) -> str:
    """A number of bytes, in MB of 10^6 bytes."""
    return _("{count} MB").format(count=in_megabytes(count, count))


def amount(done: int, total: int) -> str:
    """How much of it is there."""
    return _("{done} of {total} MB").format(
        done=in_megabytes(done, total), total=in_megabytes(total, total)
    )


def duration(seconds: float) -> str:
    """In seconds, minutes, or hours and minutes."""
    if seconds < 99.5:
        return _("{seconds} s").format(seconds=max(1, round(seconds)))
    minutes = round(seconds / 60)
    if minutes < 60:
        return _("{minutes} min").format(minutes=minutes)
    return _("{hours} h {minutes} min").format(hours=minutes // 60, minutes=minutes % 60)


def transfer_text(look: Transfer) -> str:
    """Such as "Downloading from huggingface.co: 120 of 402 MB, 8.1 MB/s, 35 s left"."""
    facts = []
    if look.total > 0:
        facts.append(amount(look.done, look.total))
    elif look.done > 0:
        facts.append(megabytes(look.done))
    if look.bytes_per_s is not None:
        facts.append(_("{speed:.1f} MB/s").format(speed=look.bytes_per_s / MB))
    if look.seconds_left is not None:
        facts.append(_("{time} left").format(time=duration(look.seconds_left)))
    return f"{look.message}: {', '.join(facts)}" if facts else look.message


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
    if hosts := hosts_of(entry):
        facts.append(_("from {host}").format(host=hosts[0]))
    return ", ".join(facts)


def place_text(entry: ModelEntry) -> str:
    """Which computers a download asks, in their order."""
    first, *others = hosts_of(entry) or [""]
    if not first:
        return _("There is no download: get the file by other means.")
    if not others:
        return _("From {host}.").format(host=first)
    text = _("From {host}; if that fails, from {others}.")
    return text.format(host=first, others=", ".join(others))


def hosts_of(entry: ModelEntry) -> list[str]:
    """The computers that a download asks, in their order."""
    if not entry.downloads:
        return []
    places = [os.environ.get(MIRROR, "").strip(), *entry.downloads]
    return list(dict.fromkeys(host_of(place) for place in places if place))


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
