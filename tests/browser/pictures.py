"""PNG files made small: with a palette of 256 colours, which is what a page with flat surfaces needs."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

COLOURS = 256

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BYTES = {2: 3, 6: 4}
"""A pixel, by the colour type: with and without alpha (PNG specification, 11.2.1)."""

_COLOUR_TYPE = 25
"""Where it stands: behind the signature, the header's length and name, width, height and depth."""
_PALETTE = 3

Pixels = NDArray[np.uint8]


def shrink(png: bytes) -> bytes:
    """The same picture with a palette. png: of 8 bits, not interlaced, as browsers make it; one that has a
    palette stays as it is."""
    if png[_COLOUR_TYPE] == _PALETTE:
        return png
    pixels = decode(png)[:, :, :3]
    places, palette = _quantize(pixels)
    height, width, _ = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _PALETTE, 0, 0, 0)
    lines = np.hstack([np.zeros((height, 1), np.uint8), places])  # no filter: best for a palette
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", palette.tobytes()),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)),
            _chunk(b"IEND", b""),
        )
    )


def decode(png: bytes) -> Pixels:
    """Height, width, channels."""
    chunks = dict[bytes, bytes]()
    for kind, data in _chunks(png):
        chunks[kind] = chunks.get(kind, b"") + data
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if (depth, interlaced) != (8, 0) or colour not in _BYTES:
        raise ValueError("expected 8 bits a channel, no palette and no interlacing")
    size = _BYTES[colour]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    pixels = np.zeros((height, width * size), np.uint8)
    above = np.zeros(width * size, np.uint8)
    for row, line in enumerate(lines):
        above = pixels[row] = _unfilter(int(line[0]), line[1:], above, size)
    return pixels.reshape(height, width, size)


def _unfilter(kind: int, line: Pixels, above: Pixels, size: int) -> Pixels:
    """One line (PNG specification, 9.2)."""
    if kind == 0:
        return line
    if kind == 2:
        return line + above
    if kind == 1:
        return np.cumsum(line.reshape(-1, size), axis=0, dtype=np.uint8).reshape(-1)
    left, corner = [0] * size, [0] * size
    done = bytearray(len(line))
    for place, value in enumerate(line.tolist()):
        channel, up = place % size, int(above[place])
        mean, paeth = (left[channel] + up) // 2, _paeth(left[channel], up, corner[channel])
        guess = mean if kind == 3 else paeth
        left[channel] = done[place] = (value + guess) & 0xFF
        corner[channel] = up
    return np.frombuffer(bytes(done), np.uint8)


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda each: abs(guess - each))


def _quantize(pixels: Pixels) -> tuple[Pixels, Pixels]:
    """Which colour of the palette each pixel has, and the palette: as fine as fits."""
    flat = pixels.reshape(-1, 3).astype(np.uint32)
    for bits in range(8, 1, -1):
        shift = 8 - bits
        keys = ((flat[:, 0] >> shift) << 16) | ((flat[:, 1] >> shift) << 8) | (flat[:, 2] >> shift)
        found, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
        if bits <= 6 or len(found) <= COLOURS:
            break
    # The most frequent ones; each other goes to its nearest among them.
    kept = np.argsort(-counts)[:COLOURS]
    sums = np.stack([np.bincount(places, flat[:, channel]) for channel in range(3)], axis=1)
    means = sums / counts[:, None]
    nearest = np.array([np.argmin(((means[kept] - mean) ** 2).sum(axis=1)) for mean in means])
    palette = np.round(means[kept]).astype(np.uint8)
    return nearest[places].astype(np.uint8).reshape(pixels.shape[:2]), palette


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_SIGNATURE)
    while place < len(png):
        (size,) = struct.unpack_from(">I", png, place)
        yield png[place + 4 : place + 8], png[place + 8 : place + 8 + size]
        place += 12 + size
