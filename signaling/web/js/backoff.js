/**
 * Waiting before trying again: exponential back-off with jitter, so that a room full of pages does
 * not come back to a restarted server in one instant.
 */

/** The first wait is at most this long: most lost sockets come back at once. Milliseconds. */
const FIRST = 400;

/** No wait is longer than this. Milliseconds. */
const LONGEST = 5000;

/** A growing sequence of waits; each is drawn from the upper half of its step. */
export class Backoff {
  #attempts = 0;
  #random;

  /** @param {() => number} [random] draws from [0, 1) */
  constructor(random = Math.random) {
    this.#random = random;
  }

  /** @returns {number} how long to wait before the next attempt, in milliseconds */
  next() {
    const step = Math.min(LONGEST, FIRST * 2 ** this.#attempts);
    this.#attempts += 1;
    return step * (0.5 + 0.5 * this.#random());
  }

  /** Starts over: to be called once an attempt has succeeded. */
  reset() {
    this.#attempts = 0;
  }
}

/**
 * Waits, but no longer than until the device is online again.
 *
 * @param {number} milliseconds
 * @param {AbortSignal} signal ends the wait early
 * @returns {Promise<void>} resolves in each of the three cases; look at the signal afterwards
 */
export function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const over = new AbortController();
    const finish = () => {
      over.abort();
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(finish, milliseconds);
    addEventListener("online", finish, { signal: over.signal });
    signal.addEventListener("abort", finish, { signal: over.signal });
  });
}
