import assert from "node:assert/strict";
import { test } from "node:test";
import { liveOf } from "../../signaling/web/dashboard/js/data.js";
import { Steady } from "../../signaling/web/dashboard/js/steady.js";
import { band, headline, overload, roomScore, troubles, troubleWords, worstFirst } from "../../signaling/web/dashboard/js/quality.js";

const connection = (score, changes = {}) => ({ state: "connected", score, loss: 0, jitter: 0, round_trip_time: 0.02, ...changes });

/** A participant as `live` tells one: how it is heard, and how it hears whom. */
const participant = (name, { up = 4.3, hears = [], ...changes } = {}) => ({
  participant_id: name,
  name,
  identity: null,
  muted: false,
  away: false,
  joined_at: 1,
  level: -127,
  speaking: false,
  publisher: up === null ? null : connection(up),
  consumers: hears.map(([speaker, score, figures]) => ({ ...connection(score, figures), speaker_id: speaker })),
  ...changes,
});

const live = (participants, server = {}, drops = {}) =>
  liveOf({
    at: 100,
    server: { loop_delay: 0.001, busiest_thread: 0.1, drops, ...server },
    rooms: participants.length > 0 ? [{ room: "tea", session_id: "1", started_at: 1, participants }] : [],
    truncated: false,
  });

const said = (state) => headline(state, troubles(state), overload(state));

test("a score has one of three bands", () => {
  assert.deepEqual([4.4, 4.03, 4.02, 3.6, 3.59, 1, null, undefined].map(band), ["good", "good", "fair", "fair", "bad", "bad", "none", "none"]);
});

test("what is bad is bad steadily, and a hiccup is none", () => {
  const steady = new Steady();
  const look = (score, loss = 0) => {
    const state = steady.update(live([participant("Ada", { hears: [["Bob", score, { loss }]] }), participant("Bob")]));
    return headline(state, troubles(state), "").tone;
  };
  assert.deepEqual([4.4, 4.4, 3.4, 4.4].map((score) => look(score)), ["good", "good", "good", "good"]);
  assert.deepEqual([1.8, 4.4, 4.4, 1.8].map((score) => look(score, 0.16)), ["bad", "bad", "bad", "bad"]);
  assert.deepEqual([4.4, 4.4, 4.4].map((score) => look(score)), ["bad", "bad", "good"]);
});

test("what is unknown for two seconds is as it was, but not for long", () => {
  const steady = new Steady();
  const look = (score, muted = false) => {
    const ada = participant("Ada", { publisher: connection(score), muted, hears: [["Bob", score]] });
    const [{ up, down }] = steady.update(live([ada, participant("Bob")])).rooms[0].people;
    return [up.score, down.score];
  };
  assert.deepEqual(look(2.5), [2.5, 2.5]);
  assert.deepEqual(look(null), [2.5, 2.5]);
  assert.deepEqual(look(null, true), [null, 2.5]);
  assert.deepEqual(look(null), [null, null]);
});

test("who is muted has no score at once", () => {
  const steady = new Steady();
  steady.update(live([participant("Ada")]));
  assert.equal(steady.update(live([participant("Ada", { up: null })])).rooms[0].people[0].up, null);
});

test("nobody is there", () => {
  assert.deepEqual(said(live([])), { tone: "none", text: "Nobody is here. The relay is ready.", rest: "" });
});

test("everybody is fine", () => {
  const { tone, text } = said(live([participant("Ada", { hears: [["Bob", 4.3]] }), participant("Bob")]));
  assert.deepEqual([tone, text], ["good", "1 room, 2 people, everybody fine."]);
});

test("a listener's network is the listener's trouble", () => {
  const state = live([
    participant("Ada", { hears: [["Bob", 2.1, { loss: 0.081 }]] }),
    participant("Bob", { hears: [["Ada", 4.2]] }),
    participant("Cyd"),
  ]);
  const [trouble, ...others] = troubles(state);
  assert.equal(others.length, 0);
  assert.deepEqual([trouble.person.name, troubleWords(trouble), trouble.why], ["Ada", "hears badly", "8.1\u00a0% loss on the way to them"]);
  assert.deepEqual(said(state), { tone: "bad", text: "Ada hears badly.", rest: "1 room, 3 people: the other 2 are fine." });
});

test("a speaker's network is the speaker's trouble, not that of everybody who hears it", () => {
  const state = live([
    participant("Ada", { up: 2.2, publisher: connection(2.2, { loss: 0.1 }) }),
    participant("Bob", { hears: [["Ada", 2.2]] }),
    participant("Cyd", { hears: [["Ada", 2.1]] }),
  ]);
  assert.deepEqual(troubles(state).map(({ person, what }) => [person.name, what]), [["Ada", "heard"]]);
  assert.equal(said(state).text, "Ada is heard badly.");
  assert.equal(state.rooms[0].people[1].down.score, 2.2); // but it is shown with whoever hears it
});

test("both can be at fault", () => {
  const state = live([participant("Ada", { up: 2.2 }), participant("Bob", { hears: [["Ada", 1.5, { loss: 0.08 }]] })]);
  assert.deepEqual(troubles(state).map(({ person, what }) => [person.name, what]), [["Bob", "hears"], ["Ada", "heard"]]);
});

test("small faults are no alarm", () => {
  const state = live([participant("Ada", { hears: [["Bob", 3.8]] }), participant("Bob")]);
  assert.deepEqual(said(state), { tone: "fair", text: "Ada hears with small faults.", rest: "1 room, 2 people: the other one is fine." });
});

test("who is away is named", () => {
  const [trouble] = troubles(live([participant("Ada", { away: true })]));
  assert.equal(troubleWords(trouble), "is reconnecting");
});

test("the relay's own trouble comes first", () => {
  const people = [participant("Ada", { hears: [["Bob", 2.1]] }), participant("Bob")];
  assert.match(said(live(people, { loop_delay: 0.4 })).text, /^The relay is overloaded: it answers 400/);
  assert.match(said(live(people, { busiest_thread: 0.97 })).text, /^The relay is overloaded/);
  const { text, rest } = said(live(people, {}, { send_buffer_full: { total: 9, per_second: 4.5 } }));
  assert.equal(text, "The relay itself loses packets (send_buffer_full).");
  assert.equal(rest, "1 room, 2 people. 1 person hears badly.");
  const missed = live(people, { datagrams_missed: { total: 9, per_second: 4.5 } });
  assert.equal(said(missed).text, "The relay itself loses packets (datagrams_missed).");
});

test("what was dropped for usual reasons, or long ago, is no trouble", () => {
  const drops = { rtp_muted: { total: 900, per_second: 50 }, send_buffer_full: { total: 9, per_second: 0 }, oversized: { total: 0, per_second: 0 } };
  const state = live([participant("Ada")], {}, drops);
  assert.equal(said(state).tone, "good");
  assert.deepEqual(state.drops.map(({ reason }) => reason), ["rtp_muted", "send_buffer_full"]);
});

test("the worst comes first, and what is fine keeps its order", () => {
  const sorted = worstFirst([4.4, 2.4, 4.1, null, 3.7, 2.3], (score) => score);
  assert.deepEqual(sorted, [2.4, 2.3, 3.7, 4.4, 4.1, null]);
});

test("a room is as good as its worst call", () => {
  const { rooms } = live([participant("Ada", { hears: [["Bob", 3.1]] }), participant("Bob", { up: 4.2 })]);
  assert.equal(roomScore(rooms[0]), 3.1);
});

test("fields that are missing are unknown", () => {
  const state = liveOf({ at: 1, rooms: [{ room: "x", started_at: 1, participants: [{ participant_id: "a", name: "A", joined_at: 1 }] }] });
  assert.equal(state.rooms[0].people[0].link, "silent");
  assert.equal(said(state).tone, "good");
});
