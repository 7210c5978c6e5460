import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Session } from "../../signaling/web/js/session.js";

/** In the browser's place: opens at once, but in the dark, where nothing is answered either. */
class FakeSocket {
  static OPEN = 1;
  static made = [];
  static dark = false;
  readyState = 0;
  sent = [];
  constructor() {
    FakeSocket.made.push(this);
    if (!FakeSocket.dark) {
      queueMicrotask(() => {
        this.readyState = 1;
        this.onopen?.();
      });
    }
  }
  send(frame) {
    const message = JSON.parse(frame);
    this.sent.push(message);
    const reply = FakeSocket.dark ? undefined : ANSWERS[message.type]?.(message);
    if (reply) {
      queueMicrotask(() => this.receive({ id: message.id, ...reply }));
    }
  }
  close(code) {
    this.readyState = 3;
    this.code = code;
  }
  receive(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  types() {
    return this.sent.map(({ type }) => type);
  }
}

class FakePeer {
  static made = [];
  connectionState = "new";
  remoteDescription = null;
  localDescription = null;
  constructor() {
    FakePeer.made.push(this);
  }
  async setRemoteDescription(description) {
    this.remoteDescription = description;
  }
  async createAnswer() {
    return { type: "answer", sdp: "" };
  }
  async setLocalDescription(description) {
    this.localDescription = description;
  }
  getTransceivers() {
    return [{ receiver: {} }];
  }
  close() {
    this.connectionState = "closed";
  }
  become(state) {
    this.connectionState = state;
    this.onconnectionstatechange();
  }
}

const BEN = { participant_id: "ben", name: "Ben", muted: false, publisher_id: "p", track_id: "t" };
const ROOM = { room: "r", participant_id: "ann", participants: [BEN], ice_servers: [] };
const OFFER = { type: "offer", sdp: "" };
const NOBODY = { ...ROOM, type: "room_joined", participants: [], resume_token: "anew" };
const ANSWERS = {
  join_room: () => ({ ...ROOM, type: "room_joined", resume_token: "first" }),
  create_consumer: () => ({ type: "consumer_created", consumer_id: "c", publisher_id: "p", offer: OFFER }),
  consumer_answer: () => ({ type: "consumer_connected", consumer_id: "c" }),
  resume_room: () => ({
    ...ROOM,
    type: "room_resumed",
    resume_token: "second",
    muted: false,
    publisher: null,
    consumers: [{ consumer_id: "c", publisher_id: "p", state: "connected" }],
  }),
  get_stats: () => ({ type: "stats", publisher: null, consumers: {} }),
  restart_ice: () => ({ type: "ice_restart", consumer_id: "c", offer: OFFER, offer_version: 3 }),
};

globalThis.WebSocket = FakeSocket;
globalThis.RTCPeerConnection = FakePeer;
globalThis.addEventListener = () => {};
globalThis.navigator ??= {};

/** Lets so many milliseconds pass, and everything happen that is due in them. */
async function pass(milliseconds) {
  for (let passed = 0; passed < milliseconds; passed += 50) {
    mock.timers.tick(50);
    for (let turns = 0; turns < 3; turns += 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** Ann, who listens to Ben; what her observer is told is noted. */
async function listening() {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  FakeSocket.dark = false;
  const told = [];
  const observer = new Proxy({}, { get: (_, name) => (...details) => told.push([name, ...details]) });
  const session = new Session(new URL("ws://x/ws"), { room: "r", name: "Ann" }, false, observer);
  await session.start();
  await pass(50);
  const peer = FakePeer.made.at(-1);
  peer.become("connected");
  await pass(50);
  const end = () => {
    session.leave();
    mock.timers.reset();
  };
  return { session, told, peer, socket: FakeSocket.made.at(-1), end };
}

test("a socket that is silent when a path is lost is given up, and others are tried until it is light", async () => {
  const { told, peer, socket, end } = await listening();
  const before = FakeSocket.made.length;
  FakeSocket.dark = true;
  peer.become("disconnected");
  await pass(2500);
  assert.equal(socket.code, undefined);
  await pass(1000);
  assert.equal(socket.code, 4000);
  assert.deepEqual(told.filter(([name]) => name === "lost"), [["lost", "connection_lost"]]);

  peer.become("failed");
  await pass(20_000);
  const tried = FakeSocket.made.slice(before);
  assert.ok(tried.length >= 7, `${tried.length} attempts in 20 s`);
  assert.ok(tried.slice(0, -1).every(({ readyState }) => readyState === 3));

  FakeSocket.dark = false;
  await pass(4500); // the longest attempt, and the pause after it
  const back = FakeSocket.made.at(-1);
  assert.equal(back.sent[0].resume_token, "first");
  assert.deepEqual(back.types().slice(0, 4).sort(), ["get_stats", "ice_restart_answer", "resume_room", "restart_ice"].sort());
  assert.equal(told.filter(([name]) => name === "returned").length, 1);
  assert.equal(FakePeer.made.at(-1), peer);
  assert.equal(peer.connectionState, "failed"); // it is being restarted, not replaced
  end();
});

test("a socket that works is kept when a path is lost", async () => {
  const { told, peer, socket, end } = await listening();
  peer.become("disconnected");
  await pass(10_000);
  assert.deepEqual(socket.types().filter((type) => type === "restart_ice" || type === "get_stats").sort(), [
    "get_stats",
    "restart_ice",
  ]);
  assert.equal(socket.code, undefined);
  assert.equal(told.filter(([name]) => name === "lost").length, 0);
  end();
});

test("an answer to a restart tells which offer it is for, and when it came too late the next offer is answered", async () => {
  const { peer, socket, end } = await listening();
  const answered = () => socket.sent.filter(({ type }) => type === "ice_restart_answer");
  socket.receive({ type: "ice_restart", consumer_id: "c", offer: OFFER, offer_version: 2 });
  await pass(50);
  assert.deepEqual(answered().map(({ offer_version }) => offer_version), [2]);
  assert.equal(socket.types().includes("restart_ice"), false);
  socket.receive({ type: "error", id: answered()[0].id, code: "wrong_state", message: "" });
  await pass(50);
  assert.deepEqual(answered().map(({ offer_version }) => offer_version), [2, 3]);
  socket.receive({ type: "error", id: answered()[1].id, code: "negotiation_failed", message: "" });
  await pass(50);
  assert.equal(answered().length, 2);
  assert.equal(peer.connectionState, "connected");
  end();
});

test("a socket that is silent when a path is back is given up, too", async () => {
  const { peer, socket, end } = await listening();
  peer.become("disconnected");
  await pass(1100);
  FakeSocket.dark = true;
  peer.become("connected");
  await pass(3500);
  assert.equal(socket.code, 4000);
  end();
});

test("a path that is back wakes who waits to try again", async () => {
  const { peer, socket, end } = await listening();
  const open = FakeSocket.prototype.constructor;
  globalThis.WebSocket = class extends open {
    constructor() {
      super();
      queueMicrotask(() => this.onclose?.()); // refused
    }
  };
  FakeSocket.dark = true;
  socket.onclose();
  peer.become("disconnected");
  await pass(20_000);
  globalThis.WebSocket = FakeSocket;
  FakeSocket.dark = false;
  const before = FakeSocket.made.length;
  peer.become("connected");
  await pass(50);
  assert.equal(FakeSocket.made.length, before + 1);
  assert.equal(FakeSocket.made.at(-1).sent[0].type, "resume_room");
  end();
});

test("who is refused because the server stops is told so", async () => {
  const { told, socket, end } = await listening();
  const { resume_room, join_room } = ANSWERS;
  ANSWERS.resume_room = () => ({ type: "error", code: "not_found", message: "too late" });
  ANSWERS.join_room = () => {
    queueMicrotask(() => undefined);
    FakeSocket.made.at(-1).receive({ type: "server_draining", seconds: 20 });
    return { type: "error", code: "server_full", message: "about to stop" };
  };
  socket.onclose();
  await pass(500);
  assert.ok(told.some(([name, code]) => name === "lost" && code === "draining"));
  ANSWERS.join_room = () => NOBODY;
  await pass(3000);
  assert.equal(told.at(-1)[0], "returned");
  Object.assign(ANSWERS, { resume_room, join_room });
  end();
});

test("that one is muted is told again when it came too fast", async () => {
  const { session, socket, end } = await listening();
  ANSWERS.set_muted = () => ({ type: "error", code: "rate_limited", message: "slower" });
  session.setMuted(true);
  session.setMuted(false);
  await pass(500);
  ANSWERS.set_muted = ({ muted }) => ({ type: "participant_muted", participant_id: "ann", muted });
  const before = socket.sent.length;
  await pass(1500);
  const again = socket.sent.slice(before).filter(({ type }) => type === "set_muted");
  assert.ok(again.length > 0);
  assert.ok(again.every(({ muted }) => muted === false)); // as it is now, not as it was
  session.setMuted(true);
  ANSWERS.set_muted = () => ({ type: "error", code: "rate_limited", message: "slower" });
  await pass(50);
  session.leave();
  const after = socket.sent.length;
  await pass(3000);
  assert.equal(socket.sent.length, after);
  delete ANSWERS.set_muted;
  end();
});

test("who moderates is told what was not done", async () => {
  const { session, end } = await listening();
  ANSWERS.mute_participant = () => ({ type: "error", code: "not_found", message: "gone" });
  await assert.rejects(session.hold("ben", true), { code: "not_found" });
  delete ANSWERS.mute_participant;
  end();
});
