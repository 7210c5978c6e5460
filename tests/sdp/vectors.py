"""The descriptions of real browsers in tests/vectors/sdp, by name. Its README says where they are from."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent.parent / "vectors" / "sdp"

VECTORS: dict[str, str] = {
    path.stem: path.read_bytes().decode() for path in sorted(_FOLDER.glob("*.txt"))
}
