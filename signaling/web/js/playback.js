/** Plays remote sound, also where the browser wants a gesture of the user first. */

export class Playback {
  /** Elements that the browser refused to play. @type {Set<HTMLMediaElement>} */
  #refused = new Set();
  #onRefused;

  /** @param {(refused: boolean) => void} onRefused whether there is sound that waits for a gesture */
  constructor(onRefused) {
    this.#onRefused = onRefused;
  }

  /**
   * @param {HTMLMediaElement} element
   * @param {MediaStreamTrack} track
   */
  async play(element, track) {
    element.srcObject = new MediaStream([track]);
    await this.#try(element);
  }

  /** @param {HTMLMediaElement} element */
  stop(element) {
    element.srcObject = null;
    this.#refused.delete(element);
    this.#onRefused(this.#refused.size > 0);
  }

  /** Plays everything that waits; to be called from a gesture. */
  async resume() {
    await Promise.all([...this.#refused].map((element) => this.#try(element)));
  }

  /** @param {HTMLMediaElement} element */
  async #try(element) {
    try {
      await element.play();
      this.#refused.delete(element);
    } catch (error) {
      // Anything else, such as AbortError, means that another sound took this one's place.
      if (/** @type {DOMException} */ (error).name === "NotAllowedError" && element.isConnected) {
        this.#refused.add(element);
      }
    }
    this.#onRefused(this.#refused.size > 0);
  }
}
