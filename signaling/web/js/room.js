/**
 * Who is in the room, as the server tells it. No I/O: messages in, changes out to an observer.
 */

/**
 * @typedef {import("./signaling.js").Message} Message
 *
 * @typedef {object} Participant
 * @property {string} id
 * @property {string} name
 * @property {boolean} muted
 * @property {string | null} publisherId null while nothing can be consumed
 * @property {boolean} self
 *
 * @typedef {object} RoomObserver
 * @property {(participant: Participant, news: boolean) => void} participantJoined `news` is false
 *     for those who were in the room before oneself
 * @property {(participant: Participant) => void} participantChanged
 * @property {(participant: Participant, news: boolean) => void} participantLeft
 */

export class Room {
  /** @type {Map<string, Participant>} */
  #participants = new Map();
  #observer;
  #selfId = "";

  /** @type {Record<string, (message: Message) => void>} */
  #handlers = {
    participant_joined: (message) => this.#join(listed(message), true),
    participant_left: (message) => this.#leave(message.participant_id, true),
    participant_muted: (message) =>
      this.#change(message.participant_id, { muted: message.muted }),
    new_publisher: (message) =>
      this.#change(message.participant_id, { publisherId: message.publisher_id }),
    audio_published: (message) => this.#change(this.#selfId, { publisherId: message.publisher_id }),
    publisher_closed: (message) => this.#unpublish(message.publisher_id),
  };

  /** @param {RoomObserver} observer */
  constructor(observer) {
    this.#observer = observer;
  }

  get selfId() {
    return this.#selfId;
  }

  /** @returns {IterableIterator<Participant>} oneself first, the others as they came */
  [Symbol.iterator]() {
    return this.#participants.values();
  }

  /** @param {string} id */
  get(id) {
    return this.#participants.get(id);
  }

  /** @param {Message} message one that is not of the room is ignored */
  handle(message) {
    this.#handlers[message.type]?.(message);
  }

  /**
   * Takes the room as `room_joined` or `room_resumed` lists it. After a reconnect most of the others are
   * still the same: only differences are told.
   *
   * @param {Message} joined
   * @param {{name: string, muted: boolean}} self
   */
  enter(joined, self) {
    /** @type {Map<string, Participant>} */
    const listing = new Map();
    const id = joined.participant_id;
    listing.set(id, { ...self, id, publisherId: null, self: true });
    for (const entry of joined.participants) {
      listing.set(entry.participant_id, listed(entry));
    }
    for (const gone of [...this.#participants.keys()].filter((known) => !listing.has(known))) {
      this.#leave(gone, false);
    }
    this.#selfId = id;
    for (const participant of listing.values()) {
      if (this.#participants.has(participant.id)) {
        this.#change(participant.id, participant);
      } else {
        this.#join(participant, false);
      }
    }
  }

  /**
   * @param {Participant} participant
   * @param {boolean} news
   */
  #join(participant, news) {
    this.#participants.set(participant.id, participant);
    this.#observer.participantJoined(participant, news);
  }

  /**
   * @param {string} id
   * @param {Partial<Participant>} changes
   */
  #change(id, changes) {
    const participant = this.#participants.get(id);
    if (participant) {
      Object.assign(participant, changes);
      this.#observer.participantChanged(participant);
    }
  }

  /**
   * @param {string} id
   * @param {boolean} news
   */
  #leave(id, news) {
    const participant = this.#participants.get(id);
    if (participant) {
      this.#participants.delete(id);
      this.#observer.participantLeft(participant, news);
    }
  }

  /** @param {string} publisherId */
  #unpublish(publisherId) {
    for (const participant of this.#participants.values()) {
      if (participant.publisherId === publisherId) {
        this.#change(participant.id, { publisherId: null });
      }
    }
  }
}

/**
 * @param {{[field: string]: any}} entry of `room_joined`, or `participant_joined` itself
 * @returns {Participant}
 */
function listed(entry) {
  return {
    id: entry.participant_id,
    name: entry.name,
    muted: entry.muted ?? false,
    publisherId: entry.publisher_id ?? null,
    self: false,
  };
}
