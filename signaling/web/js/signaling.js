/**
 * One WebSocket to the server: JSON text frames, and requests that are matched to their replies by
 * `id`. It knows nothing of rooms, and it does not reconnect: a lost one is replaced by a new one,
 * so that no reply of an old socket can reach a new stay in the room.
 */

/** How long the socket may take to open, and a request to be answered. Milliseconds. */
const PATIENCE = 10_000;

/** Normal Closure (RFC 6455 §7.4.1): tells the server that the participant left on purpose. */
const NORMAL_CLOSURE = 1000;

/**
 * @typedef {{type: string, id?: string, [field: string]: any}} Message
 */

/** Why a request failed: a `code` of the protocol, or `unreachable`, `timeout`, `connection_lost`. */
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

export class Signaling {
  #socket;
  #onMessage;
  #nextId = 1;
  /** @type {Map<string, {resolve: (reply: Message) => void, reject: (error: Error) => void, timer: number}>} */
  #waiting = new Map();
  /** @type {() => void} */
  #resolveClosed = () => {};

  /** Resolves once the connection is over, whoever ended it. @type {Promise<void>} */
  closed;

  /**
   * @param {WebSocket} socket an open one
   * @param {(message: Message) => void} onMessage
   */
  constructor(socket, onMessage) {
    this.#socket = socket;
    this.#onMessage = onMessage;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = () => this.#end();
  }

  /**
   * @param {URL} url
   * @param {(message: Message) => void} onMessage gets every message but errors, replies too, and
   *     each reply before the request that it answers resolves
   * @param {AbortSignal} signal gives up opening
   * @returns {Promise<Signaling>}
   * @throws {SignalingError} `unreachable`
   */
  static open(url, onMessage, signal) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      const settled = new AbortController();
      const settle = () => {
        settled.abort();
        clearTimeout(timer);
        socket.onopen = socket.onclose = null;
      };
      const fail = () => {
        settle();
        socket.close();
        reject(new SignalingError("unreachable"));
      };
      const timer = setTimeout(fail, PATIENCE);
      signal.addEventListener("abort", fail, { signal: settled.signal });
      socket.onclose = fail;
      socket.onopen = () => {
        settle();
        resolve(new Signaling(socket, onMessage));
      };
    });
  }

  /**
   * @param {string} type
   * @param {object} [fields]
   * @param {number} [patience] milliseconds
   * @returns {Promise<Message>} the reply
   * @throws {SignalingError} the server's `error`, `timeout` or `connection_lost`
   */
  request(type, fields = {}, patience = PATIENCE) {
    return new Promise((resolve, reject) => {
      const id = String(this.#nextId);
      this.#nextId += 1;
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new SignalingError("timeout", `no reply to ${type}`));
      }, patience);
      this.#waiting.set(id, { resolve, reject, timer });
      if (!this.send(type, { ...fields, id })) {
        this.#end();
      }
    });
  }

  /**
   * @param {string} type
   * @param {object} [fields]
   * @returns {boolean} whether the connection was there to take it
   */
  send(type, fields = {}) {
    if (this.#socket.readyState !== WebSocket.OPEN) {
      return false;
    }
    this.#socket.send(JSON.stringify({ type, ...fields }));
    return true;
  }

  /** Ends the connection now: a half-open socket would take minutes to notice by itself. */
  close() {
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(NORMAL_CLOSURE);
    this.#end();
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

  #end() {
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new SignalingError("connection_lost"));
    }
    this.#waiting.clear();
    this.#resolveClosed();
  }
}
