/**
 * Whether the WebSocket still works: a lost path of the media, or another network, is a reason to ask. It
 * takes the same network, and says nothing: in the dark TCP waits ever longer before it tries again, and
 * goes on waiting when it is light.
 */

import { pause } from "./backoff.js";

/** How long the socket may take to prove that it works. Milliseconds. */
const PROOF = 3000;

/** How long such a proof is good: in a large room many paths are lost at once. Milliseconds. */
const PROVEN = 1000;

export class Doubt {
  #prove;
  #signal;
  #proving = false;

  /** Its event `wake` tells that the network is back: waiting makes no sense any more. */
  alarm = new EventTarget();

  /**
   * @param {(patience: number) => Promise<unknown>} prove asks the server for anything, and gives the socket
   *     up when nothing comes within so many milliseconds
   * @param {AbortSignal} signal ends it
   */
  constructor(prove, signal) {
    this.#prove = prove;
    this.#signal = signal;
  }

  /** @param {boolean} alive whether a path of the media is back, or was lost */
  pathChanged(alive) {
    if (alive) {
      this.alarm.dispatchEvent(new Event("wake"));
    }
    this.raise();
  }

  /** Asks, unless that was done just now. */
  async raise() {
    if (!this.#proving) {
      this.#proving = true;
      await this.#prove(PROOF);
      await pause(PROVEN, this.#signal);
      this.#proving = false;
    }
  }
}
