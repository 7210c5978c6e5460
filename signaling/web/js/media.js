/**
 * The media connections of one stay in a room: one's own publisher, and a consumer for each of the others who
 * can be heard. What is there when the stay is resumed is made to agree with what the server says.
 */

import { Consumer } from "./consumer.js";
import { Publisher } from "./publisher.js";

/**
 * @typedef {import("./signaling.js").Message} Message
 * @typedef {import("./signaling.js").Signaling} Signaling
 * @typedef {import("./room.js").Participant} Participant
 * @typedef {import("./link.js").LinkState} LinkState
 *
 * @typedef {object} MediaObserver
 * @property {(id: string, state: LinkState) => void} linkChanged
 * @property {(id: string, receiver: RTCRtpReceiver) => void} receiverChanged a participant's sound
 * @property {(alive: boolean) => void} pathChanged media stops for want of a path, or goes on
 */

export class Media {
  #observer;
  /** @type {Signaling | null} */
  #signaling = null;
  /** @type {RTCIceServer[]} */
  #iceServers = [];
  #selfId = "";
  /** @type {MediaStreamTrack | null} */
  #track = null;
  /** @type {Publisher | null} */
  #publisher = null;
  /** By participant. @type {Map<string, Consumer>} */
  #consumers = new Map();

  /** @param {MediaObserver} observer */
  constructor(observer) {
    this.#observer = observer;
  }

  /**
   * One is in the room; to be called before anybody is consumed.
   *
   * @param {Signaling} signaling
   * @param {RTCIceServer[]} iceServers
   * @param {string} selfId
   */
  begin(signaling, iceServers, selfId) {
    this.#signaling = signaling;
    this.#iceServers = iceServers;
    this.#selfId = selfId;
  }

  /** Closes everything; the track stays, for the next stay. May be called at any time, and again. */
  end() {
    this.#signaling = null;
    this.#publisher?.stop();
    this.#publisher = null;
    for (const id of [...this.#consumers.keys()]) {
      this.release(id);
    }
  }

  /** Publishes the track, or replaces the one that is being published. @param {MediaStreamTrack} track */
  async publish(track) {
    this.#track = track;
    if (this.#publisher) {
      await this.#publisher.replaceTrack(track);
    } else {
      this.publishAgain();
    }
  }

  /** The track of the stay before, if there was one. */
  publishAgain() {
    if (this.#track && this.#signaling) {
      this.#publisher = new Publisher(this.#track, this.#options(this.#signaling, this.#selfId));
    }
  }

  /** Publishes no longer: one only listens. */
  unpublish() {
    this.#track = null;
    this.#publisher?.stop();
    this.#publisher = null;
    this.#observer.linkChanged(this.#selfId, "none");
  }

  /** Makes the consumer be what the participant's publisher asks for. @param {Participant} participant */
  consume({ id, publisherId, self }) {
    if (self || this.#consumers.get(id)?.publisherId === publisherId) {
      return;
    }
    this.release(id);
    if (publisherId === null) {
      this.#observer.linkChanged(id, "none");
    } else if (this.#signaling) {
      const consumer = new Consumer(publisherId, this.#options(this.#signaling, id), (receiver) =>
        this.#observer.receiverChanged(id, receiver),
      );
      this.#consumers.set(id, consumer);
    }
  }

  /** Consumes a participant no longer. @param {string} id */
  release(id) {
    this.#consumers.get(id)?.stop();
    this.#consumers.delete(id);
  }

  /** Looks for other paths, while media goes on by the present ones. */
  restart() {
    this.#publisher?.restart();
    this.#consumers.forEach((consumer) => consumer.restart());
  }

  /** @param {Message} message one that is about none of these connections is ignored */
  handle(message) {
    this.#publisher?.handle(message);
    this.#consumers.forEach((consumer) => consumer.handle(message));
  }

  /** @param {Message} resumed how the server says that things stand */
  resumed({ publisher, consumers }) {
    /** @type {Map<string, string>} */
    const states = new Map(consumers.map((/** @type {Message} */ it) => [it.consumer_id, it.state]));
    if (publisher && publisher.publisher_id !== this.#publisher?.id) {
      this.#signaling?.send("close_publisher", { publisher_id: publisher.publisher_id });
    }
    this.#publisher?.resumed(publisher?.publisher_id === this.#publisher.id ? publisher?.state : undefined);
    for (const consumer of this.#consumers.values()) {
      consumer.resumed(states.get(consumer.id ?? ""));
      states.delete(consumer.id ?? "");
    }
    for (const consumer_id of states.keys()) {
      this.#signaling?.send("close_consumer", { consumer_id }); // nobody here ever heard of it
    }
  }

  /**
   * For statistics.
   *
   * @returns {{participantId: string, id: string | null, peer: RTCPeerConnection | null}[]}
   */
  links() {
    const links = [...this.#consumers].map(([participantId, { id, peer }]) => ({ participantId, id, peer }));
    if (this.#publisher) {
      const { id, peer } = this.#publisher;
      links.push({ participantId: this.#selfId, id, peer });
    }
    return links;
  }

  /**
   * @param {Signaling} signaling
   * @param {string} id of the participant
   */
  #options(signaling, id) {
    return {
      signaling,
      iceServers: this.#iceServers,
      onState: (/** @type {LinkState} */ state) => this.#observer.linkChanged(id, state),
      onPath: (/** @type {boolean} */ alive) => this.#observer.pathChanged(alive),
    };
  }
}
