/**
 * One RTCPeerConnection whose other end is the server. The server always offers and the browser
 * always answers; publisher and consumer differ only in the words of a table.
 */

import { withNack } from "./feedback.js";
import { SignalingError } from "./signaling.js";

/**
 * @typedef {import("./signaling.js").Message} Message
 * @typedef {import("./signaling.js").Signaling} Signaling
 *
 * @typedef {object} Vocabulary the protocol's words for one kind of connection
 * @property {string} create
 * @property {string} answer
 * @property {string} candidate
 * @property {string} close
 * @property {string} closed
 * @property {string} id
 */

/** @type {Vocabulary} */
export const PUBLISHER = {
  create: "create_publisher",
  answer: "publish_audio",
  candidate: "publisher_ice_candidate",
  close: "close_publisher",
  closed: "publisher_closed",
  id: "publisher_id",
};

/** @type {Vocabulary} */
export const CONSUMER = {
  create: "create_consumer",
  answer: "consumer_answer",
  candidate: "consumer_ice_candidate",
  close: "close_consumer",
  closed: "consumer_closed",
  id: "consumer_id",
};

/**
 * How long a path that the browser has called failed may take to come back by an ICE restart. Milliseconds.
 */
const RECOVERY = 15_000;

/** The server answers `negotiation_failed` within 30 s; a little more for the way. Milliseconds. */
const NEGOTIATION_PATIENCE = 35_000;

export class Connection {
  #words;
  #signaling;
  #closed = false;
  #established = false;
  #restarting = false;
  /** @type {number | undefined} */
  #recovery;
  /** Whether an answer is on its way, or was. */
  #answered = false;
  /** @type {() => void} */
  #resolveFlowing = () => {};
  /** Resolves when the server tells after a loss that media flows. @type {Promise<void>} */
  #flowing;
  /** Server candidates that came before its offer was applied. @type {Message[]} */
  #early = [];
  /** @type {(reason: string) => void} */
  #resolveEnded = () => {};

  /** The server's id of this connection, null until it is told. @type {string | null} */
  id = null;

  /** @type {RTCPeerConnection} */
  peer;

  /**
   * Told when media stops for want of a path, and when it goes on.
   *
   * @type {(alive: boolean) => void}
   */
  onPath = () => {};

  /** Resolves with the reason (of the protocol) once it is over. @type {Promise<string>} */
  ended;

  /**
   * @param {Vocabulary} words
   * @param {Signaling} signaling
   * @param {RTCIceServer[]} iceServers
   */
  constructor(words, signaling, iceServers) {
    this.#words = words;
    this.#signaling = signaling;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#flowing = new Promise((resolve) => {
      this.#resolveFlowing = resolve;
    });
    this.peer = new RTCPeerConnection({ iceServers });
    this.peer.onicecandidate = (event) => this.#sendCandidate(event.candidate);
    this.peer.onconnectionstatechange = () => this.#pathChanged();
  }

  /**
   * Negotiates, and returns once media can flow.
   *
   * @param {object} fields of the create message
   * @param {(peer: RTCPeerConnection) => Promise<void>} prepare what to do between offer and answer
   * @throws {SignalingError} what the server answered, or `closed` when `close()` came first
   */
  async establish(fields, prepare) {
    const { create, answer, id } = this.#words;
    const created = await this.#signaling.request(create, fields);
    this.id = created[id];
    this.#checkOpen();
    await this.peer.setRemoteDescription(created.offer);
    this.#checkOpen();
    this.#early.splice(0).forEach((message) => this.#addCandidate(message));
    await prepare(this.peer);
    await this.#answer(created.offer);
    this.#checkOpen();
    this.#answered = this.#signaling.connected; // else it waits for the next socket
    const answering = { [id]: this.id, answer: this.peer.localDescription };
    const replied = this.#signaling.request(answer, answering, NEGOTIATION_PATIENCE, true);
    await Promise.race([replied, this.#flowing]);
    this.#checkOpen();
    this.#established = true;
  }

  /** @param {RTCSessionDescriptionInit} offer */
  async #answer(offer) {
    const { type, sdp } = await this.peer.createAnswer();
    const changed = withNack(offer.sdp ?? "", sdp ?? "");
    try {
      await this.peer.setLocalDescription({ type, sdp: changed });
    } catch (error) {
      if (changed === sdp) {
        throw error;
      }
      await this.peer.setLocalDescription({ type, sdp }); // a browser that takes only its own words
    }
  }

  /** @param {Message} message one that is not about this connection is ignored */
  handle(message) {
    if (this.id === null || message[this.#words.id] !== this.id) {
      return;
    }
    if (message.type === this.#words.closed) {
      this.id = null;
      this.#resolveEnded(message.reason);
    } else if (message.type === "ice_restart" && message.id === undefined) {
      this.#negotiateRestart(async () => message); // the server hears nothing any more
    } else if (message.type === this.#words.candidate) {
      if (this.peer.remoteDescription) {
        this.#addCandidate(message);
      } else {
        this.#early.push(message);
      }
    }
  }

  /**
   * Looks for another path, while media goes on by the present one. May be called at any time. Without a
   * socket nothing happens: `resumed` asks when there is one again.
   */
  restart() {
    if (!this.#signaling.connected) {
      return;
    }
    const { id } = this.#words;
    this.#negotiateRestart(() => this.#signaling.request("restart_ice", { [id]: this.id }));
  }

  /** @param {() => Promise<Message>} getOffer */
  #negotiateRestart(getOffer) {
    if (!this.#established || this.#restarting) {
      return;
    }
    this.#restarting = true;
    this.#restart(getOffer)
      .catch(() => {}) // things are as they were; the path may yet come back, or is given up in time
      .finally(() => {
        this.#restarting = false;
      });
  }

  /** @param {() => Promise<Message>} getOffer */
  async #restart(getOffer) {
    const { offer, offer_version } = await getOffer();
    if (this.#closed) {
      return;
    }
    await this.peer.setRemoteDescription(offer);
    await this.#answer(offer);
    const { id } = this.#words;
    const answering = { [id]: this.id, answer: this.peer.localDescription, offer_version };
    // Not waited for: when this one is of no use, another one may be.
    this.#signaling
      .request("ice_restart_answer", answering, NEGOTIATION_PATIENCE, true)
      .catch((/** @type {SignalingError} */ { code }) => {
        if (code === "wrong_state") {
          this.restart(); // it came too late, as after a sleep: another offer is out by now, or wanted
        }
      });
  }

  #pathChanged() {
    const { connectionState } = this.peer;
    if (connectionState === "failed" && !this.#established) {
      this.#resolveEnded("failed");
    } else if (connectionState === "connected") {
      clearTimeout(this.#recovery);
      this.onPath(true);
    } else if (connectionState === "disconnected" || connectionState === "failed") {
      this.onPath(false);
      this.restart();
      if (connectionState === "failed") {
        this.#awaitRecovery();
      }
    }
  }

  #awaitRecovery() {
    clearTimeout(this.#recovery);
    this.#recovery = setTimeout(() => {
      if (this.#signaling.connected) {
        this.#resolveEnded("failed");
      } else {
        this.#awaitRecovery(); // without the server there is no other connection to be had either
      }
    }, RECOVERY);
  }

  /**
   * Makes what it knows agree with what the server tells after a loss.
   *
   * @param {string | undefined} state the server's, undefined when it has no such connection any more
   */
  resumed(state) {
    if (this.id === null) {
      return; // it has not been created yet, and is going to be
    }
    if (state === "connected") {
      this.#resolveFlowing();
      if (this.peer.connectionState !== "connected") {
        this.restart();
      }
      if (this.peer.connectionState === "failed") {
        this.#awaitRecovery(); // it could not begin before now
      }
    } else if (state === undefined || (state === "new" && this.#answered)) {
      this.#resolveEnded("failed"); // its end was not heard, or the answer was not
    }
  }

  /** Closes both ends. May be called at any time, and again. */
  close() {
    this.#closed = true;
    this.#established = false;
    clearTimeout(this.#recovery);
    this.peer.onicecandidate = this.peer.onconnectionstatechange = null;
    this.peer.close();
    this.#closeRemote();
    this.#resolveEnded("closed");
  }

  #closeRemote() {
    if (this.id !== null) {
      this.#signaling.send(this.#words.close, { [this.#words.id]: this.id });
      this.id = null;
    }
  }

  #checkOpen() {
    if (this.#closed) {
      this.#closeRemote(); // the id may have come after close()
      throw new SignalingError("closed");
    }
  }

  /** @param {RTCIceCandidate | null} candidate null is the end of candidates */
  #sendCandidate(candidate) {
    // An empty candidate ends one generation (Firefox tells it); null follows and ends them all.
    if (this.id !== null && candidate?.candidate !== "") {
      this.#signaling.send(this.#words.candidate, { [this.#words.id]: this.id, candidate });
    }
  }

  /** @param {Message} message */
  #addCandidate({ candidate }) {
    // A candidate this browser can't use is no reason to give up: others may do.
    this.peer.addIceCandidate(candidate?.candidate ? candidate : undefined).catch(() => {});
  }
}
