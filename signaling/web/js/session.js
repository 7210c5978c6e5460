/**
 * One stay in a room: joins, publishes, consumes everybody, and comes back by itself when the
 * WebSocket is lost: to the same place while the server keeps it, with the media going on meanwhile,
 * else by joining anew. It knows neither the microphone nor the page; an observer is told everything.
 */

import { Attempts, pause } from "./backoff.js";
import { Doubt } from "./doubt.js";
import { onNetworkChange } from "./network.js";
import { Media } from "./media.js";
import { Room } from "./room.js";
import { Signaling, SignalingError } from "./signaling.js";

/**
 * @typedef {import("./signaling.js").Message} Message
 * @typedef {import("./room.js").Participant} Participant
 *
 * @typedef {object} StayObserver
 * @property {(id: string, speaking: boolean) => void} speechReported by the server
 * @property {(id: string | null) => void} floorTaken by whom the conversation goes to; null: by nobody yet
 * @property {(code: string) => void} lost the WebSocket is gone, or coming back did not work yet
 * @property {() => void} returned
 * @property {(id: string, held: boolean, self: boolean) => void} holdChanged a moderator keeps
 *     somebody muted, or does no longer
 * @property {(seconds: number) => void} draining the server stops when the room is empty, and then at
 *     the latest
 * @property {(code: string) => void} expelled coming back was refused; the session is over
 *
 * @typedef {import("./room.js").RoomObserver & Omit<import("./media.js").MediaObserver, "pathChanged"> & StayObserver} SessionObserver
 *
 * @typedef {object} Entrance
 * @property {string} room
 * @property {string} name
 * @property {string} [token]
 */

/** What says nothing about whether the server still keeps the place. */
const UNDECIDED = new Set(["unreachable", "timeout", "rate_limited", "internal"]);

/** How long to wait before something is said again that came too fast. Milliseconds. */
const PATIENCE = 1000;

/** Answers to `join_room` that will not change by asking again. */
const REFUSALS = new Set(["unauthorized", "forbidden", "bad_message", "unknown_type"]);

export class Session {
  #url;
  #entrance;
  #observer;
  #room;
  #media;
  #left = new AbortController();
  #doubt = new Doubt((patience) => this.#ask(patience), this.#left.signal);
  #draining = false;
  /** @type {Signaling | null} */
  #signaling = null;
  /** To come back by, null when that is off or refused. @type {string | null} */
  #token = null;
  #muted;

  /**
   * @param {URL} url of the WebSocket
   * @param {Entrance} entrance
   * @param {boolean} muted
   * @param {SessionObserver} observer
   */
  constructor(url, entrance, muted, observer) {
    this.#url = url;
    this.#entrance = entrance;
    this.#muted = muted;
    this.#observer = observer;
    this.#media = new Media({
      linkChanged: (id, state) => observer.linkChanged(id, state),
      receiverChanged: (id, receiver) => observer.receiverChanged(id, receiver),
      pathChanged: (alive) => this.#doubt.pathChanged(alive),
    });
    this.#room = new Room({
      participantJoined: (participant, news) => {
        observer.participantJoined(participant, news);
        this.#media.consume(participant);
      },
      participantChanged: (participant) => {
        observer.participantChanged(participant);
        this.#media.consume(participant);
      },
      participantLeft: (participant, news) => {
        this.#media.release(participant.id);
        observer.participantLeft(participant, news);
      },
    });
  }

  /**
   * Joins; from then on the session keeps itself in the room.
   *
   * @throws {SignalingError} and the session is over
   */
  async start() {
    await this.#enter();
    this.#remain();
    onNetworkChange(() => this.#networkChanged(), this.#left.signal);
  }

  /** Publishes the track, or replaces the one that is being published. @param {MediaStreamTrack} track */
  async publish(track) {
    await this.#media.publish(track);
  }

  /** Publishes no longer: one only listens. */
  unpublish() {
    this.#media.unpublish();
  }

  /** @param {boolean} muted */
  setMuted(muted) {
    this.#muted = muted;
    this.#tellMuted();
  }

  async #tellMuted() {
    try {
      await this.#signaling?.request("set_muted", { muted: this.#muted });
    } catch (error) {
      // After anything else the socket is gone, and the state is told again after the reconnect.
      if (error instanceof SignalingError && error.code === "rate_limited") {
        await pause(PATIENCE, this.#left.signal);
        if (!this.#left.signal.aborted) {
          this.#tellMuted();
        }
      }
    }
  }

  /**
   * Keeps somebody muted, or lets them unmute; for moderators.
   *
   * @param {string} id of a participant
   * @param {boolean} muted
   * @throws {SignalingError} and nothing was done
   */
  async hold(id, muted) {
    await this.#signaling?.request("mute_participant", { participant_id: id, muted });
  }

  /**
   * Takes somebody out of the room; for moderators.
   *
   * @param {string} id of a participant
   * @throws {SignalingError} and nothing was done
   */
  async remove(id) {
    await this.#signaling?.request("remove_participant", { participant_id: id });
  }

  /** Leaves the room and frees everything. May be called at any time, and again. */
  leave() {
    this.#left.abort();
    // The socket first: with its end the server frees everything, and needs no word about each.
    this.#signaling?.close();
    this.#signaling = null;
    this.#media.end();
  }

  /** The media connections, for statistics: see `Media.links`. */
  links() {
    return this.#media.links();
  }

  /**
   * The server's statistics. As they are asked for regularly they also prove that the socket is
   * alive: when no answer comes, the session reconnects.
   *
   * @returns {Promise<Message | null>} null when there are none
   */
  relayStats() {
    return this.#ask();
  }

  /**
   * @param {number} [patience] milliseconds
   * @returns {Promise<Message | null>}
   */
  async #ask(patience) {
    const signaling = this.#signaling;
    if (!signaling?.connected) {
      return null;
    }
    try {
      return await signaling.request("get_stats", {}, patience);
    } catch (error) {
      if (error instanceof SignalingError && error.code === "timeout") {
        signaling.abandon();
      }
      return null;
    }
  }

  /** The device has another network: everything is looked at before anybody hears that something is wrong. */
  #networkChanged() {
    this.#media.restart();
    this.#doubt.raise();
  }

  /** @param {number} [patience] milliseconds, for opening */
  async #enter(patience) {
    const { signal } = this.#left;
    const signaling = await Signaling.open(this.#url, (message) => this.#handle(message), signal, patience);
    this.#signaling = signaling;
    try {
      await signaling.request("join_room", this.#entrance);
    } catch (error) {
      signaling.close();
      this.#signaling = null;
      const refused = this.#draining && error instanceof SignalingError && error.code === "server_full";
      throw refused ? new SignalingError("draining") : error;
    }
  }

  async #remain() {
    const openedIn = this.#signaling?.openedIn ?? 0;
    while (!this.#left.signal.aborted) {
      await this.#signaling?.lost;
      if (this.#left.signal.aborted) {
        return;
      }
      this.#observer.lost("connection_lost");
      if (this.#token === null) {
        this.#startOver();
      }
      await this.#return(new Attempts(performance.now(), openedIn));
    }
  }

  /** @param {Attempts} attempts */
  async #return(attempts) {
    const { signal } = this.#left;
    let code = "";
    for (;;) {
      await pause(attempts.wait(code), signal, this.#doubt.alarm);
      if (signal.aborted) {
        return;
      }
      const patience = attempts.patience(performance.now());
      try {
        if (!(await this.#resume(patience))) {
          await this.#enter(patience);
        }
        this.#observer.returned();
        return;
      } catch (error) {
        code = error instanceof SignalingError ? error.code : "internal";
        this.#explain(code);
      }
    }
  }

  /**
   * Takes the place back.
   *
   * @param {number} patience milliseconds, for opening
   * @returns {Promise<boolean>} false when there is none any more
   * @throws {SignalingError} when nobody knows yet
   */
  async #resume(patience) {
    if (this.#token === null || !this.#signaling) {
      return false;
    }
    try {
      await this.#signaling.resume(this.#url, this.#token, this.#left.signal, patience);
      return true;
    } catch (error) {
      if (this.#left.signal.aborted || (error instanceof SignalingError && UNDECIDED.has(error.code))) {
        throw error;
      }
      this.#startOver();
      return false;
    }
  }

  /** The stay is over; the next one begins by joining. */
  #startOver() {
    this.#token = null;
    this.#signaling?.close();
    this.#signaling = null;
    const links = this.links();
    this.#media.end();
    for (const { participantId } of links) {
      this.#observer.linkChanged(participantId, "connecting");
    }
  }

  /** @param {string} code why coming back did not work */
  #explain(code) {
    if (this.#left.signal.aborted) {
      return;
    }
    if (REFUSALS.has(code)) {
      this.leave();
      this.#observer.expelled(code);
    } else {
      this.#observer.lost(code);
    }
  }

  /** @param {Message} message */
  #handle(message) {
    if (message.type === "room_joined") {
      this.#entered(message);
    } else if (message.type === "room_resumed") {
      this.#resumed(message);
    } else if (message.type === "mute_held") {
      const { participant_id: id, held } = message;
      this.#observer.holdChanged(id, held, id === this.#room.selfId);
    } else if (message.type === "participant_removed" && message.participant_id === this.#room.selfId) {
      this.leave();
      this.#observer.expelled("removed");
    } else if (message.type === "server_draining") {
      this.#draining = true;
      this.#observer.draining(message.seconds);
    } else if (message.type === "audio_levels") {
      for (const { participant_id, speaking } of message.levels) {
        this.#observer.speechReported(participant_id, speaking);
      }
    } else if (message.type === "dominant_speaker") {
      this.#observer.floorTaken(message.participant_id);
    } else {
      // Connections first: they must know the reason before the room takes a publisher away.
      this.#media.handle(message);
      this.#room.handle(message);
    }
  }

  /** @param {Message} joined */
  #entered(joined) {
    this.#draining = false;
    this.#token = joined.resume_token;
    const signaling = /** @type {Signaling} */ (this.#signaling);
    this.#media.begin(signaling, joined.ice_servers, joined.participant_id);
    this.#room.enter(joined, { name: this.#entrance.name, muted: this.#muted });
    if (this.#muted) {
      this.setMuted(true);
    }
    this.#media.publishAgain();
  }

  /**
   * Makes everything agree with how the server says that things stand: what it told while the socket was
   * lost never came.
   *
   * @param {Message} resumed
   */
  #resumed(resumed) {
    this.#token = resumed.resume_token;
    this.#media.resumed(resumed);
    this.#room.enter(resumed, { name: this.#entrance.name, muted: this.#muted });
    this.#ask(); // whatever is said next tells the server that the new token has come
    if (resumed.muted !== this.#muted) {
      this.setMuted(this.#muted);
    }
  }
}
