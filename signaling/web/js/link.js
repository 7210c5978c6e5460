/**
 * Keeps one media connection alive for as long as it is wanted: when it fails, or can't be
 * negotiated, another one is made after a while.
 */

import { Backoff, pause } from "./backoff.js";
import { Connection } from "./connection.js";
import { SignalingError } from "./signaling.js";

/**
 * @typedef {import("./connection.js").Vocabulary} Vocabulary
 * @typedef {import("./signaling.js").Message} Message
 * @typedef {import("./signaling.js").Signaling} Signaling
 * @typedef {"none" | "connecting" | "connected" | "failed"} LinkState
 *
 * @typedef {object} LinkOptions
 * @property {Signaling} signaling
 * @property {RTCIceServer[]} iceServers
 * @property {(state: LinkState) => void} onState `failed` while waiting for the next attempt
 * @property {(alive: boolean) => void} onPath told when media stops for want of a path, and when it goes on
 */

/**
 * What ends a link for good, reasons of the protocol and error codes alike. Everything else is
 * tried again. `not_found` means that the publisher has gone; its next one will be announced.
 */
const FINAL = new Set([
  "closed",
  "publisher_closed",
  "left",
  "disconnected",
  "removed",
  "shutdown",
  "not_found",
  "forbidden",
  "unauthorized",
  "connection_lost",
]);

export class Link {
  #words;
  #options;
  #stopped = new AbortController();
  /** @type {Connection | null} */
  #connection = null;

  /**
   * @param {Vocabulary} words
   * @param {LinkOptions} options
   */
  constructor(words, options) {
    this.#words = words;
    this.#options = options;
  }

  /** The server's id of the present connection. */
  get id() {
    return this.#connection?.id ?? null;
  }

  /** The present connection's peer, for statistics. */
  get peer() {
    return this.#connection?.peer ?? null;
  }

  /**
   * @param {object} fields of the create message
   * @param {(peer: RTCPeerConnection) => Promise<void>} prepare called for each new connection
   *     between the server's offer and the answer
   * @returns {Promise<void>} resolves when the link is over for good
   */
  async run(fields, prepare) {
    const { signal } = this.#stopped;
    const backoff = new Backoff();
    while (!signal.aborted) {
      this.#tell("connecting");
      const outcome = await this.#attempt(fields, prepare, backoff);
      if (FINAL.has(outcome)) {
        this.#tell("none");
        return;
      }
      this.#tell("failed");
      await pause(backoff.next(), signal);
    }
  }

  /** @param {Message} message */
  handle(message) {
    this.#connection?.handle(message);
  }

  /** Has the present connection look for another path. */
  restart() {
    this.#connection?.restart();
  }

  /** @param {string | undefined} state of the present connection at the server, after a loss */
  resumed(state) {
    this.#connection?.resumed(state);
  }

  /** Closes the connection and tries no more. */
  stop() {
    this.#stopped.abort();
    this.#connection?.close();
  }

  /**
   * @param {object} fields
   * @param {(peer: RTCPeerConnection) => Promise<void>} prepare
   * @param {Backoff} backoff
   * @returns {Promise<string>} why the connection is over, or was never made
   */
  async #attempt(fields, prepare, backoff) {
    const { signaling, iceServers } = this.#options;
    const connection = new Connection(this.#words, signaling, iceServers);
    this.#connection = connection;
    try {
      const established = connection.establish(fields, prepare).then(() => "");
      let outcome = await Promise.race([established, connection.ended]);
      if (outcome === "") {
        backoff.reset();
        this.#tell("connected");
        let wasAlive = true;
        connection.onPath = (alive) => {
          this.#tell(alive ? "connected" : "connecting");
          if (alive !== wasAlive) {
            wasAlive = alive;
            this.#options.onPath(alive);
          }
        };
        outcome = await connection.ended;
      }
      return outcome;
    } catch (error) {
      return error instanceof SignalingError ? error.code : "failed";
    } finally {
      connection.close();
      this.#connection = null;
    }
  }

  /** @param {LinkState} state */
  #tell(state) {
    if (!this.#stopped.signal.aborted) {
      this.#options.onState(state);
    }
  }
}
