"""Says in one plain message which shared library of the system is missing, and what brings it."""

from __future__ import annotations

import ctypes
import re
import sys

# library: (package on Debian and Ubuntu, package on Fedora)
PACKAGES = {
    "libEGL.so.1": ("libegl1", "mesa-libEGL"),
    "libGL.so.1": ("libgl1", "mesa-libGL"),
    "libGLU.so.1": ("libglu1-mesa", "mesa-libGLU"),
    "libOpenGL.so.0": ("libopengl0", "libglvnd-opengl"),
    "libSM.so.6": ("libsm6", "libSM"),
    "libICE.so.6": ("libice6", "libICE"),
    "libX11.so.6": ("libx11-6", "libX11"),
    "libX11-xcb.so.1": ("libx11-xcb1", "libX11-xcb"),
    "libXcursor.so.1": ("libxcursor1", "libXcursor"),
    "libXext.so.6": ("libxext6", "libXext"),
    "libXrender.so.1": ("libxrender1", "libXrender"),
    "libXt.so.6": ("libxt6", "libXt"),
    "libdbus-1.so.3": ("libdbus-1-3", "dbus-libs"),
    "libfontconfig.so.1": ("libfontconfig1", "fontconfig"),
    "libfreetype.so.6": ("libfreetype6", "freetype"),
    "libgcc_s.so.1": ("libgcc-s1", "libgcc"),
    "libglib-2.0.so.0": ("libglib2.0-0", "glib2"),
    "libgthread-2.0.so.0": ("libglib2.0-0", "glib2"),
    "libgomp.so.1": ("libgomp1", "libgomp"),
    "libstdc++.so.6": ("libstdc++6", "libstdc++"),
    "libxcb-cursor.so.0": ("libxcb-cursor0", "xcb-util-cursor"),
    "libxkbcommon.so.0": ("libxkbcommon0", "libxkbcommon"),
    "libz.so.1": ("zlib1g", "zlib"),
    "libzstd.so.1": ("libzstd1", "libzstd"),
}

# VTK looks for these only when it draws, so an import does not tell.
FOR_DRAWING = ["libEGL.so.1", "libGL.so.1"]

_MISSING = re.compile(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object file")


def explain(error_text: str) -> str:
    """What to do about an import that failed, from the text of its traceback."""
    found = _MISSING.search(error_text)
    if found:
        return "VTK, Qt or slicer-core cannot be loaded.\n" + how_to_install([found.group(1)])
    last_line = (error_text.strip().splitlines() or ["no reason given"])[-1]
    message = f"VTK, Qt or slicer-core cannot be loaded: {last_line}"
    if "DLL load failed" in last_line:
        message += "\nWindows: install the Microsoft Visual C++ Redistributable (x64)."
    return message


def how_to_install(libraries: list[str]) -> str:
    """The libraries by name, with the packages that bring them."""
    lines = [f"This system lacks {', '.join(libraries)}."]
    known = [PACKAGES[library] for library in libraries if library in PACKAGES]
    if known:
        debian, fedora = (" ".join(names) for names in zip(*known, strict=True))
        lines.append(f"Debian, Ubuntu: sudo apt-get install {debian}")
        lines.append(f"Fedora:         sudo dnf install {fedora}")
    if len(known) < len(libraries):
        lines.append("Ask your system's package search which package holds it.")
    return "\n".join(lines)


def missing_for_drawing() -> str:
    """What to install so that VTK can draw without a screen; "" if nothing is missing."""
    if not sys.platform.startswith("linux"):
        return ""
    missing = [library for library in FOR_DRAWING if not _loads(library)]
    return how_to_install(missing) if missing else ""


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
