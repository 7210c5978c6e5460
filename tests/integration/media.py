"""Tones to send, and an ear that tells which tone it hears."""

from __future__ import annotations

import asyncio
import fractions
from collections import deque

import numpy as np
from aiortc import MediaStreamTrack
from av import AudioFrame

RATE = 48_000
"""Samples a second."""

FRAME = 960
"""Samples in a frame of 20 ms."""

WINDOW = 25
"""Frames that the ear listens to at once: half a second tells tones apart by 2 Hz."""

TOLERANCE = 10.0
"""Hz between the tone that was sent and the peak that is heard."""

LOUD = 500.0
"""Amplitude, of 32,767, above which there is a tone; the tones have 8,000."""


class Tone(MediaStreamTrack):
    """A sine of `frequency` Hz, 20 ms at a time, in real time."""

    kind = "audio"

    def __init__(self, frequency: float) -> None:
        super().__init__()
        self.frequency = frequency
        self._frames = 0
        self._started = 0.0

    async def recv(self) -> AudioFrame:
        """The next frame, when it is due."""
        loop = asyncio.get_running_loop()
        if self._frames == 0:
            self._started = loop.time()
        await asyncio.sleep(self._started + self._frames * FRAME / RATE - loop.time())
        start = self._frames * FRAME
        phase = 2 * np.pi * self.frequency / RATE * np.arange(start, start + FRAME)
        samples = (8_000 * np.sin(phase)).astype(np.int16)
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.pts = start
        frame.time_base = fractions.Fraction(1, RATE)
        self._frames += 1
        return frame


def dominant(samples: np.ndarray) -> float | None:
    """The frequency in Hz of the strongest tone in mono samples; None for silence."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) * 4 / len(samples)
    peak = int(np.argmax(spectrum))
    return peak * RATE / len(samples) if spectrum[peak] > LOUD else None


async def heard(track: MediaStreamTrack) -> float:
    """The tone that sounds on a track of aiortc's, once there is half a second of it."""
    window: deque[np.ndarray] = deque(maxlen=WINDOW)
    while True:
        frame = await track.recv()
        assert isinstance(frame, AudioFrame)
        assert frame.sample_rate == RATE
        stereo = frame.to_ndarray().reshape(-1, 2)
        window.append(stereo[:, 0].astype(np.float64))
        if len(window) == WINDOW:
            quietest = min(np.abs(samples).max() for samples in window)
            tone = dominant(np.concatenate(window))
            if tone is not None and quietest > LOUD:
                return tone
