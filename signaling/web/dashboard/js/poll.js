/** Asks again and again, while somebody looks: not while the page is hidden, and slower while nobody answers. */

/** The longest pause between two questions to a server that does not answer. Milliseconds. */
const MOST_PATIENT = 15_000;

/**
 * @typedef {object} PollObserver
 * @property {(error: unknown) => void} failed each time
 * @property {() => void} [answered] each time
 */

export class Poll {
  #ask;
  #interval;
  #observer;
  #timer = 0;
  #failures = 0;
  /** @type {AbortController | null} */
  #asking = null;
  #stopped = new AbortController();

  /**
   * @param {(signal: AbortSignal) => Promise<boolean | void>} ask true: nothing will change any more
   * @param {number} interval milliseconds from an answer to the next question
   * @param {PollObserver} observer
   */
  constructor(ask, interval, observer) {
    this.#ask = ask;
    this.#interval = interval;
    this.#observer = observer;
    document.addEventListener("visibilitychange", () => this.#look(), { signal: this.#stopped.signal });
    this.#look();
  }

  /** Asks at once, as after a new token. */
  now() {
    if (!this.#stopped.signal.aborted) {
      this.#pause();
      this.#failures = 0;
      this.#look();
    }
  }

  stop() {
    this.#stopped.abort();
    this.#pause();
  }

  #pause() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    this.#asking = null;
  }

  #look() {
    this.#pause();
    if (!document.hidden) {
      this.#run();
    }
  }

  async #run() {
    const asking = new AbortController();
    this.#asking = asking;
    try {
      const settled = await this.#ask(asking.signal);
      if (asking.signal.aborted) {
        return;
      }
      this.#failures = 0;
      this.#observer.answered?.();
      if (settled) {
        this.stop();
      }
    } catch (error) {
      if (asking.signal.aborted) {
        return;
      }
      this.#failures += 1;
      this.#observer.failed(error);
    }
    // The observer may have stopped or restarted this.
    if (this.#asking === asking && !this.#stopped.signal.aborted) {
      this.#timer = setTimeout(() => this.#run(), pauseAfter(this.#failures, this.#interval));
    }
  }
}

/**
 * @param {number} failures in a row
 * @param {number} interval milliseconds
 */
export function pauseAfter(failures, interval) {
  return Math.max(interval, Math.min(MOST_PATIENT, interval * 2 ** Math.max(0, failures - 1)));
}
