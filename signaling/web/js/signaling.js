/**
 * One stay at the server: JSON text frames over a WebSocket, and requests that are matched to their
 * replies by `id`. When the socket is lost, the stay can go on over another one (`resume`); what is to
 * be said meanwhile waits for that. It knows nothing of rooms, and it does not come back by itself.
 *
 *     connected --the socket is lost, or abandon()--> lost --resume() succeeds--> connected
 *     any       --close()-->                          over
 */

/** How long the socket may take to open, and a request to be answered, where nobody says otherwise. Milliseconds. */
const PATIENCE = 10_000;

/** How long a socket that has opened may take to give the place back. Milliseconds. */
const RESUMPTION = 5000;

/** Normal Closure (RFC 6455 §7.4.1): tells the server that the participant left on purpose. */
const NORMAL_CLOSURE = 1000;

/** For private use (RFC 6455 §7.4.2): the socket is given up, and the participant comes back by another. */
const ABANDONED = 4000;

/** What is said while there is no socket; the rest is dropped. */
const MAX_BACKLOG = 500;

/**
 * @typedef {{type: string, id?: string, [field: string]: any}} Message
 */

/**
 * Why a request failed: a `code` of the protocol, or one of ours: `unreachable`, `timeout`, `interrupted`
 * (the socket was lost before the reply came, and nobody knows what became of it), `connection_lost` (the
 * stay is over).
 */
export class SignalingError extends Error {
  /**
   * @param {string} code
   * @param {string} [message]
   */
  constructor(code, message = code) {
    super(message);
    this.name = "SignalingError";
    this.code = code;
  }
}

/**
 * @typedef {object} Waiting a request whose reply is to come
 * @property {(reply: Message) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {number} timer
 * @property {boolean} lasting
 */

export class Signaling {
  /** @type {WebSocket | null} */
  #socket = null;
  #onMessage;
  #nextId = 1;
  /** @type {Map<string, Waiting>} */
  #waiting = new Map();
  /** For the next socket. @type {{frame: string, id: string | undefined}[]} */
  #backlog = [];
  #over = false;
  /** @type {() => void} */
  #resolveLost = () => {};

  /** How long the first socket took to open. Milliseconds. */
  openedIn = 0;

  /** Resolves once the present socket is gone, whoever ended it. @type {Promise<void>} */
  lost = Promise.resolve();

  /**
   * @param {WebSocket} socket an open one
   * @param {(message: Message) => void} onMessage
   */
  constructor(socket, onMessage) {
    this.#onMessage = onMessage;
    this.#attach(socket);
  }

  /**
   * @param {URL} url
   * @param {(message: Message) => void} onMessage gets every message but errors, replies too, and
   *     each reply before the request that it answers resolves
   * @param {AbortSignal} signal gives up opening
   * @param {number} [patience] milliseconds
   * @returns {Promise<Signaling>}
   * @throws {SignalingError} `unreachable`, `timeout`
   */
  static async open(url, onMessage, signal, patience = PATIENCE) {
    const began = performance.now();
    const signaling = new Signaling(await openSocket(url, signal, patience), onMessage);
    signaling.openedIn = performance.now() - began;
    return signaling;
  }

  /** Whether there is a socket now. */
  get connected() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /**
   * Goes on over another socket. `onMessage` gets `room_resumed` before anything that waits is sent.
   *
   * @param {URL} url
   * @param {string} token
   * @param {AbortSignal} signal gives up opening
   * @param {number} [patience] milliseconds, for opening
   * @throws {SignalingError} `unreachable`, `timeout`, or what the server answered
   */
  async resume(url, token, signal, patience = PATIENCE) {
    const socket = await openSocket(url, signal, patience);
    const id = this.#newId();
    try {
      await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new SignalingError("timeout")), RESUMPTION);
        socket.onclose = () => reject(new SignalingError("unreachable"));
        socket.onmessage = ({ data }) => {
          clearTimeout(timer);
          const reply = /** @type {Message} */ (JSON.parse(data));
          if (reply.type === "room_resumed" && !this.#over) {
            this.#attach(socket);
            this.#onMessage(reply);
            this.#backlog.splice(0).forEach(({ frame }) => socket.send(frame));
            resolve(undefined);
          } else {
            reject(new SignalingError(reply.code ?? "connection_lost", reply.message));
          }
        };
        socket.send(JSON.stringify({ type: "resume_room", id, resume_token: token }));
      });
    } catch (error) {
      socket.onmessage = socket.onclose = null;
      // Where nobody knows whether the server took the token, this is no leaving.
      const refused = error instanceof SignalingError && !["timeout", "unreachable"].includes(error.code);
      socket.close(refused ? NORMAL_CLOSURE : ABANDONED);
      throw error;
    }
  }

  /**
   * @param {string} type
   * @param {object} [fields]
   * @param {number} [patience] milliseconds
   * @param {boolean} [lasting] whether the reply may come by a later socket, as those that wait for media do
   * @returns {Promise<Message>} the reply
   * @throws {SignalingError} the server's `error`, `timeout`, `interrupted` or `connection_lost`
   */
  request(type, fields = {}, patience = PATIENCE, lasting = false) {
    return new Promise((resolve, reject) => {
      if (this.#over) {
        reject(new SignalingError("connection_lost"));
        return;
      }
      const id = this.#newId();
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        // Said later, it would do what nobody waits for any more.
        this.#backlog = this.#backlog.filter((item) => item.id !== id);
        reject(new SignalingError("timeout", `no reply to ${type}`));
      }, patience);
      // What has to wait for the next socket is not lost with the present one.
      this.#waiting.set(id, { resolve, reject, timer, lasting: lasting || !this.connected });
      this.send(type, { ...fields, id });
    });
  }

  /**
   * Sends now, or by the next socket.
   *
   * @param {string} type
   * @param {{[field: string]: any}} [fields]
   */
  send(type, fields = {}) {
    const frame = JSON.stringify({ type, ...fields });
    if (this.connected) {
      this.#socket?.send(frame);
    } else if (!this.#over && this.#backlog.length < MAX_BACKLOG) {
      this.#backlog.push({ frame, id: fields.id });
    }
  }

  /** Gives the present socket up: a half-open one would take minutes to notice by itself. */
  abandon() {
    this.#socket?.close(ABANDONED);
    this.#detach();
  }

  /** Ends the stay for good. */
  close() {
    this.#over = true;
    this.#socket?.close(NORMAL_CLOSURE);
    this.#detach();
    this.#backlog = [];
    this.#reject("connection_lost", () => true);
  }

  #newId() {
    const id = String(this.#nextId);
    this.#nextId += 1;
    return id;
  }

  /** @param {WebSocket} socket */
  #attach(socket) {
    this.#socket = socket;
    this.lost = new Promise((resolve) => {
      this.#resolveLost = resolve;
    });
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = () => this.#detach();
  }

  #detach() {
    if (this.#socket) {
      this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket = null;
    }
    this.#reject("interrupted", (waiting) => !waiting.lasting);
    this.#resolveLost();
  }

  /**
   * @param {string} code
   * @param {(waiting: Waiting) => boolean} which
   */
  #reject(code, which) {
    for (const [id, waiting] of this.#waiting) {
      if (which(waiting)) {
        this.#waiting.delete(id);
        clearTimeout(waiting.timer);
        waiting.reject(new SignalingError(code));
      }
    }
  }

  /** @param {string} text */
  #receive(text) {
    const message = /** @type {Message} */ (JSON.parse(text));
    if (message.type !== "error") {
      this.#onMessage(message);
    }
    const request = message.id === undefined ? undefined : this.#waiting.get(message.id);
    if (!request) {
      return;
    }
    this.#waiting.delete(/** @type {string} */ (message.id));
    clearTimeout(request.timer);
    if (message.type === "error") {
      request.reject(new SignalingError(message.code, message.message));
    } else {
      request.resolve(message);
    }
  }
}

/**
 * @param {URL} url
 * @param {AbortSignal} signal gives up
 * @param {number} patience milliseconds
 * @returns {Promise<WebSocket>} an open one
 * @throws {SignalingError} `unreachable`, or `timeout` when nobody answered
 */
function openSocket(url, signal, patience) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    const settled = new AbortController();
    const settle = () => {
      settled.abort();
      clearTimeout(timer);
      socket.onopen = socket.onclose = null;
    };
    const fail = (/** @type {string} */ code) => {
      settle();
      socket.close();
      reject(new SignalingError(code));
    };
    const timer = setTimeout(fail, patience, "timeout");
    signal.addEventListener("abort", () => fail("unreachable"), { signal: settled.signal });
    socket.onclose = () => fail("unreachable");
    socket.onopen = () => {
      settle();
      resolve(socket);
    };
  });
}
