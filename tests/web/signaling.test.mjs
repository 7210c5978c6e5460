import assert from "node:assert/strict";
import { test } from "node:test";
import { Signaling } from "../../signaling/web/js/signaling.js";

/** In the browser's place: opens at once, and answers when the test says. */
class FakeSocket {
  static OPEN = 1;
  static made = [];
  readyState = FakeSocket.OPEN;
  sent = [];
  constructor() {
    FakeSocket.made.push(this);
    queueMicrotask(() => this.onopen());
  }
  send(frame) {
    this.sent.push(JSON.parse(frame));
  }
  close(code) {
    this.readyState = 3;
    this.code = code;
  }
  lose() {
    this.readyState = 3;
    this.onclose?.();
  }
  receive(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}
globalThis.WebSocket = FakeSocket;

const forever = new AbortController().signal;
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function opened() {
  const told = [];
  const signaling = await Signaling.open("ws://x", (message) => told.push(message.type), forever);
  return { signaling, told, socket: FakeSocket.made.at(-1) };
}

/** Resumes on another socket, which is returned with the promise, after the token was sent. */
async function resuming(signaling) {
  const resumed = signaling.resume("ws://x", "token", forever);
  resumed.catch(() => {});
  await turn();
  const socket = FakeSocket.made.at(-1);
  assert.deepEqual(socket.sent.map(({ type }) => type), ["resume_room"]);
  return { resumed, socket, id: socket.sent[0].id };
}

test("a reply resolves its request, an error rejects it", async () => {
  const { signaling, socket, told } = await opened();
  const good = signaling.request("a");
  const bad = signaling.request("b");
  socket.receive({ type: "error", id: socket.sent[1].id, code: "not_found", message: "no" });
  socket.receive({ type: "done", id: socket.sent[0].id });
  assert.equal((await good).type, "done");
  await assert.rejects(bad, { code: "not_found" });
  assert.deepEqual(told, ["done"]);
  signaling.close();
  assert.equal(socket.code, 1000);
});

test("with the socket requests are lost, but for those that last", async () => {
  const { signaling, socket } = await opened();
  const short = signaling.request("short");
  const lasting = signaling.request("lasting", {}, 1000, true);
  const { id } = socket.sent[1];
  socket.lose();
  await assert.rejects(short, { code: "interrupted" });
  await signaling.lost;
  assert.equal(signaling.connected, false);

  const next = await resuming(signaling);
  next.socket.receive({ type: "room_resumed", id: next.id });
  await next.resumed;
  next.socket.receive({ type: "done", id });
  assert.equal((await lasting).type, "done");
  signaling.close();
});

test("what is said meanwhile comes after what the room says, in order", async () => {
  const { signaling, socket } = await opened();
  socket.lose();
  signaling.send("one");
  const two = signaling.request("two");
  const next = await resuming(signaling);
  next.socket.receive({ type: "room_resumed", id: next.id });
  await next.resumed;
  signaling.send("three");
  assert.deepEqual(next.socket.sent.map(({ type }) => type), ["resume_room", "one", "two", "three"]);
  next.socket.receive({ type: "done", id: next.socket.sent[2].id });
  assert.equal((await two).type, "done");
  signaling.close();
});

test("who is refused knows why, and has left nothing open", async () => {
  const { signaling, socket } = await opened();
  socket.lose();
  const next = await resuming(signaling);
  next.socket.receive({ type: "error", id: next.id, code: "not_found", message: "no" });
  await assert.rejects(next.resumed, { code: "not_found" });
  assert.equal(next.socket.code, 1000);
  signaling.close();
});

test("a socket that is lost before it answers says nothing about the place", async () => {
  const { signaling, socket } = await opened();
  socket.lose();
  const next = await resuming(signaling);
  next.socket.lose();
  await assert.rejects(next.resumed, { code: "unreachable" });
  assert.equal(next.socket.code, 4000);
  const again = await resuming(signaling);
  again.socket.receive({ type: "room_resumed", id: again.id });
  await again.resumed;
  assert.equal(signaling.connected, true);
  signaling.close();
});

test("a socket that is given up says that this is no leaving", async () => {
  const { signaling, socket } = await opened();
  signaling.abandon();
  assert.equal(socket.code, 4000);
  await signaling.lost;
  signaling.close();
});

test("what nobody waits for any more is not said later", async () => {
  const { signaling, socket } = await opened();
  socket.lose();
  await assert.rejects(signaling.request("stale", {}, 1), { code: "timeout" });
  signaling.send("fresh");
  const next = await resuming(signaling);
  next.socket.receive({ type: "room_resumed", id: next.id });
  await next.resumed;
  assert.deepEqual(next.socket.sent.map(({ type }) => type), ["resume_room", "fresh"]);
  signaling.close();
});

test("a socket that does not open in time is given up", async () => {
  const { signaling } = await opened();
  signaling.abandon();
  const silent = class extends FakeSocket {
    set onopen(_) {}
    get onopen() {
      return () => {};
    }
  };
  globalThis.WebSocket = silent;
  try {
    await assert.rejects(signaling.resume("ws://x", "token", forever, 1), { code: "timeout" });
    assert.equal(FakeSocket.made.at(-1).readyState, 3);
  } finally {
    globalThis.WebSocket = FakeSocket;
  }
  signaling.close();
});

test("when the stay is over nothing waits", async () => {
  const { signaling, socket } = await opened();
  const lasting = signaling.request("lasting", {}, 1000, true);
  signaling.close();
  await assert.rejects(lasting, { code: "connection_lost" });
  await assert.rejects(signaling.request("more"), { code: "connection_lost" });
  signaling.send("more");
  assert.equal(socket.sent.length, 1);
});
