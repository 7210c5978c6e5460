/**
 * How often something is tried again, and how patiently: exponential back-off with jitter, so that a room
 * full of pages does not come back to a restarted server in one instant.
 */

/** The first wait is at most this long: most lost sockets come back at once. Milliseconds. */
const FIRST = 400;

/** No wait is longer than this. Milliseconds. */
const LONGEST = 5000;

/** An attempt that nobody answers is given this time at least. Milliseconds. */
const SHORTEST_ATTEMPT = 2000;

/** No attempt is given more than this. Milliseconds. */
const LONGEST_ATTEMPT = 10_000;

/** Of the time since the loss: so much of it an attempt may waste that began just before the network came back. */
const SHARE = 0.1;

/** An attempt is given so many times what the first socket took to open. */
const MARGIN = 4;

/** Each third one is given twice the time: for a server that is there, and has everybody come at once. */
const LONGER = [1, 1, 2];

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
 * The attempts to come back after one loss. Who refuses is asked less and less often. Where nobody answers
 * at all, packets are lost on the way: TCP would wait twice as long before each next one, so that sound
 * came back half a minute after the network. So the attempts are short, and follow each other closely.
 */
export class Attempts {
  #backoff;
  #random;
  #began;
  #openedIn;
  #count = 0;

  /**
   * @param {number} now milliseconds, as below
   * @param {number} openedIn how long the first socket took to open, in milliseconds
   * @param {() => number} [random] draws from [0, 1)
   */
  constructor(now, openedIn, random = Math.random) {
    this.#backoff = new Backoff(random);
    this.#random = random;
    this.#began = now;
    this.#openedIn = openedIn;
  }

  /**
   * @param {string} code why the attempt before failed, `timeout` when nobody answered; "" before the first
   * @returns {number} how long to wait before the next one, in milliseconds
   */
  wait(code) {
    return code === "timeout" ? FIRST * (0.5 + 0.5 * this.#random()) : this.#backoff.next();
  }

  /**
   * @param {number} now
   * @returns {number} how long the attempt that begins now may take, in milliseconds
   */
  patience(now) {
    const wanted = Math.max(SHORTEST_ATTEMPT, MARGIN * this.#openedIn, SHARE * (now - this.#began));
    const longer = LONGER[this.#count % LONGER.length];
    this.#count += 1;
    return Math.min(LONGEST_ATTEMPT, longer * wanted);
  }
}

/**
 * Waits, but no longer than until the device is online again.
 *
 * @param {number} milliseconds
 * @param {AbortSignal} signal ends the wait early
 * @param {EventTarget} [alarm] its event `wake` ends the wait early, too
 * @returns {Promise<void>} resolves in each of these cases; look at the signal afterwards
 */
export function pause(milliseconds, signal, alarm) {
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
    alarm?.addEventListener("wake", finish, { signal: over.signal });
    signal.addEventListener("abort", finish, { signal: over.signal });
  });
}
