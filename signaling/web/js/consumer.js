/** Receives one remote publisher. */

import { CONSUMER } from "./connection.js";
import { Link } from "./link.js";

/**
 * @typedef {import("./link.js").LinkOptions} LinkOptions
 * @typedef {import("./signaling.js").Message} Message
 */

export class Consumer {
  #link;

  /** @type {string} */
  publisherId;

  /**
   * @param {string} publisherId
   * @param {LinkOptions} options
   * @param {(receiver: RTCRtpReceiver) => void} onReceiver called for each new connection
   */
  constructor(publisherId, options, onReceiver) {
    this.publisherId = publisherId;
    this.#link = new Link(CONSUMER, options);
    this.#link.run({ publisher_id: publisherId }, async (peer) => {
      onReceiver(peer.getTransceivers()[0].receiver);
    });
  }

  get id() {
    return this.#link.id;
  }

  get peer() {
    return this.#link.peer;
  }

  /** @param {Message} message */
  handle(message) {
    this.#link.handle(message);
  }

  /** Looks for another path, while media goes on by the present one. */
  restart() {
    this.#link.restart();
  }

  /** @param {string | undefined} state of the present connection at the server, after a loss */
  resumed(state) {
    this.#link.resumed(state);
  }

  stop() {
    this.#link.stop();
  }
}
