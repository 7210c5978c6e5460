/** Sends one's own microphone to the server. */

import { PUBLISHER } from "./connection.js";
import { Link } from "./link.js";

/**
 * @typedef {import("./link.js").LinkOptions} LinkOptions
 * @typedef {import("./signaling.js").Message} Message
 */

export class Publisher {
  #link;
  #track;

  /**
   * @param {MediaStreamTrack} track
   * @param {LinkOptions} options
   */
  constructor(track, options) {
    this.#track = track;
    this.#link = new Link(PUBLISHER, options);
    this.#link.run({}, async (peer) => {
      const [transceiver] = peer.getTransceivers();
      await transceiver.sender.replaceTrack(this.#track);
      transceiver.direction = "sendonly";
    });
  }

  get id() {
    return this.#link.id;
  }

  get peer() {
    return this.#link.peer;
  }

  /**
   * Sends another track from now on, over the same connection and without renegotiation.
   *
   * @param {MediaStreamTrack} track
   */
  async replaceTrack(track) {
    this.#track = track;
    await this.peer?.getSenders()[0]?.replaceTrack(track);
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
