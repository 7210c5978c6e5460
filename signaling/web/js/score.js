/**
 * How a voice sounds by what its network did to it: the E-model of ITU-T G.107 in the form that is used for
 * voice over IP, with the values for Opus that the server takes as well. Pure.
 */

/** @typedef {import("./statistics.js").Figures} Figures */

/** R with nothing lost and no delay; all values at their defaults. */
const BEST = 93.2;

/** How Opus bears random loss (Bpl of G.107 §7.5). */
const ROBUSTNESS = 11.28;

/** Encoder with its frame, and a buffer of one frame at the listener. Milliseconds. */
const CODEC_DELAY = 46.5;

/** G.107 Annex B: satisfied from the first on, many dissatisfied below the second. */
const GOOD_FROM = 4.03;
const BAD_BELOW = 3.6;

/**
 * @param {Figures | null} figures of one connection
 * @returns {number | null} 1 to 4.5; null while nothing came that could have been lost
 */
export function score(figures) {
  if (figures === null || figures.loss === null) {
    return null;
  }
  const delay = CODEC_DELAY + (figures.rtt ?? 0) / 2 + 2 * (figures.jitter ?? 0);
  const late = 0.024 * delay + 0.11 * Math.max(0, delay - 177.3);
  const lost = (95 * figures.loss) / (figures.loss + ROBUSTNESS);
  const rating = BEST - late - lost;
  return rating <= 0 ? 1 : Math.max(1, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6);
}

/**
 * @param {Figures | null} figures
 * @returns {"good" | "fair" | "bad" | "none"}
 */
export function quality(figures) {
  const value = score(figures);
  return value === null ? "none" : value >= GOOD_FROM ? "good" : value >= BAD_BELOW ? "fair" : "bad";
}
