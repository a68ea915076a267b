"""Files of a trial: written beside their place, synced, and renamed, so that readers see all of a file or nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def replace_file(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Replace a file atomically.

    Args:
        path: The file.
        write: Writes the content to the open file it is given.

    Raises:
        OSError: The file cannot be written. The old one stays.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file by `content` atomically."""

    def write(file: BinaryIO) -> None:
        file.write(content)

    replace_file(path, write)


def fnv1a(content: bytes, value: int = 0xCBF2_9CE4_8422_2325) -> int:
    """Return the FNV-1a checksum of bytes, 64 bits."""
    for byte in content:
        value = ((value ^ byte) * 0x100_0000_01B3) & 0xFFFF_FFFF_FFFF_FFFF
    return value


def peak_memory_bytes() -> int:
    """Return the largest resident size of this process so far, in bytes; 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
