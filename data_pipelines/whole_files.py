"""Whether a file still has its end, where the libraries that read it do not mind.

Both PNG and TIFF are chains: of chunks up to one called IEND, and of directories (one a
frame), each with the offset of the next. Of a file that was cut short, Pillow and tifffile
silently give what comes before the cut.
"""

from __future__ import annotations

import struct
from pathlib import Path

from data_pipelines.bad_file import BadFile


def check_png_is_whole(path: Path) -> None:
    """Follows the chunks of a PNG file to IEND. Raises BadFile."""
    with open(path, "rb") as file:
        file.seek(8)  # The signature.
        while True:
            head = file.read(8)
            length, kind = struct.unpack(">I4s", head) if len(head) == 8 else (0, b"")
            if kind == b"IEND" and len(file.read(4)) == 4:  # Its checksum.
                return
            if kind in (b"", b"IEND"):
                raise BadFile(path, "is truncated: a PNG ends with IEND; copy it again")
            file.seek(length + 4, 1)  # The chunk's data and checksum.


def check_tiff_is_whole(path: Path) -> None:
    """Follows the chain of directories, classic or BigTIFF, to its end. Raises BadFile."""
    with open(path, "rb") as file:
        order = "<" if file.read(2) == b"II" else ">"
        (version,) = struct.unpack(order + "H", file.read(2))
        # Formats of an offset and of a number of entries, the size of an entry, and where the
        # offset of the first directory stands.
        offset_format, count_format, entry_size, at = (
            ("Q", "Q", 20, 8) if version == 43 else ("I", "H", 12, 4)
        )

        def read(format_: str, position: int) -> int:
            file.seek(position)
            (value,) = struct.unpack(order + format_, file.read(struct.calcsize(format_)))
            return value

        seen: set[int] = set()
        try:
            while (directory := read(offset_format, at)) != 0:
                if directory in seen:
                    raise BadFile(path, "is damaged: its frames form a circle; copy it again")
                seen.add(directory)
                entries = read(count_format, directory)
                at = directory + struct.calcsize(count_format) + entries * entry_size
        except (struct.error, OverflowError, OSError):
            raise BadFile(
                path, f"is truncated or damaged after {len(seen)} frames; copy it again"
            ) from None
