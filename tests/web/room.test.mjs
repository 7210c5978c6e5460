import assert from "node:assert/strict";
import { test } from "node:test";
import { Room } from "../../signaling/web/js/room.js";

/** A room, and what it tells, one word and a name each. */
function observed() {
  const told = [];
  const room = new Room({
    participantJoined: ({ name }, news) => told.push(`${news ? "joined" : "found"} ${name}`),
    participantChanged: ({ name }) => told.push(`changed ${name}`),
    participantLeft: ({ name }, news) => told.push(`${news ? "left" : "lost"} ${name}`),
  });
  return { room, told };
}

const ada = { participant_id: "a", name: "Ada", muted: false, publisher_id: "pa", track_id: "ta" };
const alan = { participant_id: "b", name: "Alan", muted: true, publisher_id: null, track_id: null };
const joined = (id, ...participants) => ({ type: "room_joined", participant_id: id, participants });
const self = { name: "Hedy", muted: false };

test("oneself comes first", () => {
  const { room, told } = observed();
  room.enter(joined("me", ada, alan), self);
  assert.deepEqual(told, ["found Hedy", "found Ada", "found Alan"]);
  assert.deepEqual([...room].map(({ id }) => id), ["me", "a", "b"]);
  assert.equal(room.get("a").publisherId, "pa");
});

test("people come, publish, mute, stop and go", () => {
  const { room, told } = observed();
  room.enter(joined("me"), self);
  room.handle({ type: "participant_joined", participant_id: "a", name: "Ada" });
  room.handle({ type: "new_publisher", participant_id: "a", publisher_id: "p1", track_id: "t" });
  assert.equal(room.get("a").publisherId, "p1");
  room.handle({ type: "participant_muted", participant_id: "a", muted: true });
  assert.equal(room.get("a").muted, true);
  room.handle({ type: "publisher_closed", publisher_id: "p1", reason: "closed" });
  assert.equal(room.get("a").publisherId, null);
  room.handle({ type: "participant_left", participant_id: "a" });
  assert.equal(room.get("a"), undefined);
  assert.deepEqual(told, ["found Hedy", "joined Ada", "changed Ada", "changed Ada", "changed Ada", "left Ada"]);
});

test("after a reconnect only differences are told", () => {
  const { room, told } = observed();
  room.enter(joined("me", ada, alan), self);
  told.length = 0;
  room.enter(joined("me2", ada, { ...ada, participant_id: "c", name: "Grace" }), self);
  assert.deepEqual(told, ["lost Hedy", "lost Alan", "found Hedy", "changed Ada", "found Grace"]);
  assert.equal(room.selfId, "me2");
});

test("what concerns nobody here is ignored", () => {
  const { room, told } = observed();
  room.enter(joined("me"), self);
  told.length = 0;
  room.handle({ type: "participant_left", participant_id: "x" });
  room.handle({ type: "publisher_closed", publisher_id: "x" });
  room.handle({ type: "stats" });
  assert.deepEqual(told, []);
});
