/**
 * The API's answers in the form that the pages draw. Pure. docs/api.md explains the fields; one that is missing,
 * as from an older or newer server, is as one that is unknown.
 */

import { band } from "./quality.js";

/**
 * @typedef {{[field: string]: any}} Json
 * @typedef {import("./scale.js").Point} Point
 *
 * @typedef {object} Quality one direction of one person, now
 * @property {number | null} score 1 to 5, as it is heard
 * @property {number | null} ownScore of this person's own network: without what a speaker's network spoils
 * @property {number | null} loss share of the packets
 * @property {number | null} jitter seconds
 * @property {number | null} rtt seconds
 * @property {string} speaker whose voice is worst; "" for the way up
 *
 * @typedef {"silent" | "connecting" | "connected" | "lost" | "failed"} LinkState silent: sends no voice;
 *     lost: the WebSocket is, and is waited for
 *
 * @typedef {object} Person
 * @property {string} id
 * @property {string} call id of the participation in the history, "" without a history
 * @property {string} name
 * @property {string} identity "" for none
 * @property {number} joinedAt
 * @property {LinkState} link
 * @property {boolean} muted
 * @property {boolean} speaking
 * @property {number} level dBov
 * @property {Quality | null} up
 * @property {Quality | null} down
 *
 * @typedef {object} LiveRoom
 * @property {string} id of the room's time in the history, "" without a history
 * @property {string} name
 * @property {number} startedAt
 * @property {Person[]} people
 *
 * @typedef {object} Server
 * @property {string} version
 * @property {number | null} startedAt
 * @property {number | null} cpu share of one core, all threads together
 * @property {number | null} busiest share of the time that the busiest thread took
 * @property {number | null} lag seconds
 * @property {number | null} received packets a second
 * @property {number | null} forwarded packets a second
 * @property {"on" | "off" | "failing"} history
 *
 * @typedef {object} Drop
 * @property {string} reason
 * @property {number} total
 * @property {number | null} rate a second
 *
 * @typedef {object} Live
 * @property {number} at
 * @property {Server} server
 * @property {Drop[]} drops what comes most often now first
 * @property {LiveRoom[]} rooms
 * @property {boolean} truncated
 */

/** @param {Json} answer of `live` @returns {Live} */
export function liveOf(answer) {
  const { server = {}, rooms = [] } = answer;
  return {
    at: answer.at,
    server: {
      version: server.version ?? "",
      startedAt: server.started_at ?? null,
      cpu: server.cpu ?? null,
      busiest: server.busiest_thread ?? null,
      lag: server.loop_delay ?? null,
      received: server.packets_received_per_second ?? null,
      forwarded: server.packets_forwarded_per_second ?? null,
      history: server.history ?? "off",
    },
    // What the kernel had no room for is none of the datagrams that came; people need to see it beside them.
    drops: dropsOf({ ...server.drops, datagrams_missed: server.datagrams_missed ?? { total: 0 } }),
    rooms: rooms.map(liveRoomOf),
    truncated: answer.truncated === true,
  };
}

/** @param {Json} drops @returns {Drop[]} */
function dropsOf(drops) {
  return Object.entries(drops)
    .map(([reason, { total, per_second: rate }]) => ({ reason, total, rate: rate ?? null }))
    .filter(({ total }) => total > 0)
    .sort((one, other) => (other.rate ?? 0) - (one.rate ?? 0) || other.total - one.total);
}

/** @param {Json} room @returns {LiveRoom} */
function liveRoomOf(room) {
  /** @type {Map<string, Json>} */
  const byId = new Map(room.participants.map((/** @type {Json} */ each) => [each.participant_id, each]));
  return {
    id: room.session_id ?? "",
    name: room.room,
    startedAt: room.started_at,
    people: [...byId.values()].map((each) => ({
      ...personOf(each, byId),
      call: room.session_id ? each.participant_id : "",
    })),
  };
}

/**
 * @param {Json} participant
 * @param {Map<string, Json>} byId everybody of the room
 * @returns {Omit<Person, "call">}
 */
function personOf(participant, byId) {
  const { publisher, consumers = [] } = participant;
  return {
    id: participant.participant_id,
    name: participant.name,
    identity: participant.identity ?? "",
    joinedAt: participant.joined_at,
    link: linkOf(participant),
    muted: participant.muted === true,
    speaking: participant.speaking === true,
    level: participant.level ?? -127,
    up: publisher ? qualityOf(publisher, "", publisher.score ?? null) : null,
    down: downOf(consumers, byId),
  };
}

/** @param {Json} participant @returns {LinkState} */
function linkOf({ publisher, away }) {
  if (away === true) {
    return "lost";
  }
  return publisher
    ? publisher.state === "connected"
      ? "connected"
      : publisher.state === "failed"
        ? "failed"
        : "connecting"
    : "silent";
}

/**
 * @param {Json} connection
 * @param {string} speaker
 * @param {number | null} ownScore
 * @returns {Quality}
 */
function qualityOf(connection, speaker, ownScore) {
  const { score = null, loss = null, jitter = null, round_trip_time: rtt = null } = connection;
  return { score, ownScore, loss, jitter, rtt, speaker };
}

/**
 * The worst of what somebody hears. A voice that arrives at the relay as bad already is its speaker's
 * trouble: it counts in `score`, not in `ownScore`.
 *
 * @param {Json[]} consumers
 * @param {Map<string, Json>} byId
 * @returns {Quality | null}
 */
function downOf(consumers, byId) {
  const ranked = [...consumers].sort(
    (one, other) => (one.score ?? 9) - (other.score ?? 9) || (other.loss ?? 0) - (one.loss ?? 0),
  );
  if (ranked.length === 0) {
    return null;
  }
  const own = ranked.filter(({ score, loss, speaker_id: id }) => {
    const sent = byId.get(id)?.publisher?.score ?? null;
    return (
      sent === null ||
      score === null ||
      (loss ?? 0) >= OWN_LOSS ||
      ORDER.indexOf(band(score)) > ORDER.indexOf(band(sent))
    );
  });
  const shown = own[0]?.score !== null && own[0] !== undefined && own[0].score === ranked[0].score ? own[0] : ranked[0];
  const fine = band(shown.score) === "good" ? shown.score : null;
  return qualityOf(shown, byId.get(shown.speaker_id)?.name ?? "", own[0]?.score ?? fine);
}

/** The relay counts a listener's loss without the speaker's: from here on it is heard by itself. */
const OWN_LOSS = 0.02;

const ORDER = ["none", "good", "fair", "bad"];

/**
 * @typedef {object} Happening
 * @property {number} at
 * @property {string} kind of the API
 * @property {string} person id of the participation
 * @property {string} name
 * @property {string} reason
 * @property {number | null} gap seconds
 * @property {number | null} score
 * @property {string} speaker
 *
 * @typedef {object} Participation
 * @property {string} id
 * @property {string} name
 * @property {string} identity
 * @property {number} joinedAt
 * @property {number | null} leftAt null: still there
 * @property {string} reason
 * @property {number | null} score
 * @property {number | null} worstScore
 * @property {number | null} sentScore
 * @property {number | null} heardScore
 * @property {Point[]} strip score over time; empty where unknown
 *
 * @typedef {object} RoomTime
 * @property {string} id
 * @property {string} name
 * @property {number} startedAt
 * @property {number | null} endedAt
 * @property {number} people
 * @property {number | null} score
 * @property {number | null} worstScore of the call that went worst, all in all
 * @property {number | null} lowestScore of anybody's worst ten seconds
 */

/** @param {Json} room of `history/rooms` @returns {RoomTime} */
export function roomTimeOf(room) {
  return {
    id: room.session_id,
    name: room.room,
    startedAt: room.started_at,
    endedAt: room.ended_at ?? null,
    people: room.participations ?? 0,
    score: room.score ?? null,
    worstScore: room.worst_score ?? null,
    lowestScore: room.lowest_score ?? null,
  };
}

/** @param {Json} each @returns {Participation} */
export function participationOf(each) {
  return {
    id: each.participation_id,
    name: each.name,
    identity: each.identity ?? "",
    joinedAt: each.joined_at,
    leftAt: each.left_at ?? null,
    reason: each.reason ?? "",
    score: each.score ?? null,
    worstScore: each.worst_score ?? null,
    sentScore: each.sent_score ?? null,
    heardScore: each.heard_score ?? null,
    strip: each.strip ?? [],
  };
}

/**
 * @param {Json[]} events
 * @param {Map<string, string>} names by id of the participation
 * @returns {Happening[]} in order
 */
export function happeningsOf(events, names) {
  return events
    .map((event) => ({
      at: event.at,
      kind: event.kind,
      person: event.participation_id ?? "",
      name: event.name ?? names.get(event.participation_id) ?? "",
      reason: event.reason ?? "",
      gap: event.gap ?? null,
      score: event.score ?? null,
      speaker: event.speaker_name ?? names.get(event.speaker_id) ?? "",
    }))
    .sort((one, other) => one.at - other.at);
}

/**
 * One figure of several connections over time, one point for each instant: of voices from several speakers
 * the worst counts.
 *
 * @param {Json[]} curves
 * @param {string} field
 * @param {"low" | "high"} bad which end of the figure is the bad one
 * @returns {Point[]}
 */
export function mergedCurve(curves, field, bad) {
  /** @type {Map<number, number | null>} */
  const merged = new Map();
  for (const point of curves.flat()) {
    const at = Math.round(point.at * 10) / 10;
    const value = point[field] ?? null;
    const known = merged.get(at) ?? null;
    const both =
      known === null || value === null
        ? (known ?? value)
        : bad === "low"
          ? Math.min(known, value)
          : Math.max(known, value);
    merged.set(at, both);
  }
  return [...merged].sort(([one], [other]) => one - other);
}

/**
 * @param {Json[]} points of a curve
 * @returns {number} seconds between two of them, as most of them say
 */
export function stepOf(points) {
  const intervals = points.map(({ interval }) => interval ?? 10).sort((one, other) => one - other);
  return intervals[Math.floor(intervals.length / 2)] ?? 10;
}

/**
 * @param {Json[]} points with an `at`
 * @param {string} field
 * @param {number} [factor]
 * @returns {Point[]}
 */
export function series(points, field, factor = 1) {
  return points.map((point) => [point.at, typeof point[field] === "number" ? point[field] * factor : null]);
}
