"""How a voice sounds, on a scale of 1 to 5, from what a network did to it. Arithmetic only.

The E-model of ITU-T G.107 (06/2015), with every value at its default but delay and loss, which is the
form that is used for voice over IP (R. G. Cole and J. H. Rosenbluth, "Voice over IP performance
monitoring", ACM SIGCOMM Computer Communication Review 31(2), 2001):

    R = 93.2 - Id(delay) - Ie_eff(loss)             93.2: all default values, nothing lost, no delay
    Id     = 0.024 d + 0.11 (d - 177.3) H(d - 177.3)            d: one way, mouth to ear, in ms
    Ie_eff = Ie + (95 - Ie) Ppl / (Ppl / BurstR + Bpl)          Ppl: percent; G.107 §7.5
    MOS    = 1 + 0.035 R + R (R - 60) (100 - R) 7e-6            G.107 Annex B

The scale is that of the telephone, which ends at 4.5: wideband speech without loss sounds better than its
best value says. What it tells well is how much a network takes away.
"""

from __future__ import annotations

DEFAULT_RATING = 93.2
"""R of a path without delay or loss."""

OPUS_IE = 0.0
"""Ie of Opus. ITU-T G.113 lists none; 0 is G.711's, which Opus surpasses at the bitrates of browsers
(24 kbit/s and more), and the scale ends there."""

OPUS_BPL = 11.28
"""Bpl of Opus under random loss, superwideband at 25 kbit/s VBR, without in-band FEC: M. Alahmadi, P.
Pocta, H. Melvin, "An Adaptive Bitrate Switching Algorithm for Speech Applications in Context of
WebRTC", ACM TOMM 17(4), 2021. G.711 with concealment has 25.1, without it 4.3 (G.113 Appendix I)."""

OPUS_DELAY = 0.0265
"""Seconds: a frame of 20 ms and the encoder's look-ahead (RFC 6716 §2)."""

FRAME = 0.020
"""Seconds of an Opus packet as browsers send it."""

DISSATISFIED = 3.6
"""Under this score many people are dissatisfied (R 70, G.107 Annex B)."""

BAD = 3.1
"""Under this score nearly all people are dissatisfied (R 60, likewise)."""


def jitter_buffer_delay(jitter: float) -> float:
    """What a receiver's buffer adds, in seconds, estimated: one frame, and two of the interarrival jitter
    (RFC 3550 §6.4.1, in seconds), which is a mean deviation."""
    return FRAME + 2 * max(0.0, jitter)


def mouth_to_ear_delay(network: float, jitter: float) -> float:
    """One way, in seconds. network: that on the wire, one way."""
    return OPUS_DELAY + max(0.0, network) + jitter_buffer_delay(jitter)


def delay_impairment(delay: float) -> float:
    """Id. delay: one way, mouth to ear, in seconds."""
    if delay <= 0:
        return 0.0
    milliseconds = 1000 * delay
    impairment = 0.024 * milliseconds
    return impairment if milliseconds < 177.3 else impairment + 0.11 * (milliseconds - 177.3)


def loss_impairment(
    loss: float, burst_ratio: float = 1.0, ie: float = OPUS_IE, bpl: float = OPUS_BPL
) -> float:
    """Ie_eff. loss: share of packets, 0 to 1. burst_ratio: BurstR, the mean length of a burst of losses
    by that of random ones; 1 for random loss. ie, bpl: of the codec."""
    if loss <= 0:
        return ie
    percent = 100 * min(1.0, loss)
    return ie + (95 - ie) * percent / (percent / max(1.0, burst_ratio) + bpl)


def rating(loss: float, delay: float, burst_ratio: float = 1.0) -> float:
    """R of a voice in Opus; may be negative. loss: share; delay: one way, mouth to ear, in seconds."""
    return DEFAULT_RATING - delay_impairment(delay) - loss_impairment(loss, burst_ratio)


def opinion_score(rating: float) -> float:
    """The mean opinion score, 1 to 4.5, of a rating R. The polynomial falls under 1 for R up to 6.5; 1
    is the worst there is."""
    if rating <= 0:
        return 1.0
    if rating >= 100:
        return 4.5
    score = 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6
    return score if score > 1 else 1.0


def score(loss: float, delay: float, burst_ratio: float = 1.0) -> float:
    """The score, 1 to 4.5, of a voice in Opus; arguments as of `rating`."""
    return opinion_score(rating(loss, delay, burst_ratio))
