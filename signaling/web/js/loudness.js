/** From sound levels to what a meter shows and to "is speaking". Pure: time is an argument. */

/** The meter's lower end; below is room noise. dBov. */
const FLOOR = -60;

/** Speaking begins above the first and ends below the second, so that it does not flicker. dBov. */
const SPEECH_BEGINS = -42;
const SPEECH_ENDS = -50;

/** Speech has pauses between words: this long below the end is not yet silence. Milliseconds. */
const PAUSE_IN_SPEECH = 500;

/** How fast the meter falls after a peak; a rise shows at once. Full scale per second. */
const FALL = 1.6;

/**
 * @param {number} amplitude linear, 0 to 1
 * @returns {number} dBov, -127 (silence, RFC 6464 §3) to 0
 */
export function decibels(amplitude) {
  return amplitude > 0 ? Math.max(-127, Math.min(0, 20 * Math.log10(amplitude))) : -127;
}

/** What one participant's meter shows. */
export class Loudness {
  #shown = 0;
  #speaking = false;
  #at = 0;
  #lastSpeech = -Infinity;

  /** Whether the participant speaks. */
  get speaking() {
    return this.#speaking;
  }

  /**
   * @param {number} level dBov
   * @param {number} now milliseconds
   * @returns {number} what the meter is to show, 0 to 1
   */
  update(level, now) {
    const height = Math.max(0, 1 - level / FLOOR);
    const fallen = this.#shown - (FALL * (now - this.#at)) / 1000;
    this.#shown = Math.max(0, Math.min(1, height), fallen);
    this.#at = now;
    if (level > (this.#speaking ? SPEECH_ENDS : SPEECH_BEGINS)) {
      this.#speaking = true;
      this.#lastSpeech = now;
    } else if (now - this.#lastSpeech > PAUSE_IN_SPEECH) {
      this.#speaking = false;
    }
    return this.#shown;
  }
}
