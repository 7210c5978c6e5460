/**
 * What a score means, and from all scores the one sentence that an operator needs first. Pure.
 *
 * A score is an estimated mean opinion score, 1 to 5 (ITU-T G.107); null where there is nothing to
 * judge. Each person has two: `up`, the way from them to the relay, which the others hear, and `down`,
 * the way from the relay to them, which they hear themselves.
 */

import { count, milliseconds, percent } from "./format.js";

/**
 * @typedef {import("./data.js").Live} Live
 * @typedef {import("./data.js").LiveRoom} LiveRoom
 * @typedef {import("./data.js").Person} Person
 * @typedef {import("./data.js").Quality} Quality
 * @typedef {"good" | "fair" | "bad" | "none"} Band
 */

/** G.107 Annex B: from here on users are satisfied (R = 80). */
export const GOOD_FROM = 4.03;

/** G.107 Annex B: below this many users are dissatisfied (R = 70). */
export const BAD_BELOW = 3.6;

/** Share of a thread's time: above this, packets wait. */
const BUSY_THREAD = 0.9;

/** Event loop this late: joining is slow, and without the native plane voices are late. Seconds. */
const BUSY_LAG = 0.1;

/** How bad a figure must be to be named as the reason. */
const NOTABLE_LOSS = 0.01;
const NOTABLE_JITTER = 0.03;
const NOTABLE_RTT = 0.3;

/** Packets lost inside the relay or its host, which every listener hears. */
const OVERLOAD_DROPS = new Set([
  "send_buffer_full",
  "inbox_full",
  "control_queue_full",
  "internal_error",
  "send_failed",
  "datagrams_missed",
]);

/** @type {Record<Band, string>} */
export const BAND_WORDS = { good: "good", fair: "fair", bad: "bad", none: "no score" };

/** @param {number | null | undefined} score @returns {Band} */
export function band(score) {
  if (score === null || score === undefined) {
    return "none";
  }
  return score >= GOOD_FROM ? "good" : score >= BAD_BELOW ? "fair" : "bad";
}

/** @param {(number | null | undefined)[]} scores @returns {number | null} the lowest that is known */
export function worst(scores) {
  const known = scores.filter((score) => typeof score === "number");
  return known.length > 0 ? Math.min(.../** @type {number[]} */ (known)) : null;
}

/** @param {Person} person */
export function personScore({ up, down }) {
  return worst([up?.score, down?.score]);
}

/** @param {LiveRoom} room */
export function roomScore({ people }) {
  return worst(people.map(personScore));
}

/**
 * A whole room that is over: fair when all calls were good, but somebody had bad moments.
 *
 * @param {{worstScore: number | null, lowestScore: number | null}} room
 * @returns {number | null} a score that ranks it
 */
export function pastScore({ worstScore, lowestScore }) {
  const moments = band(lowestScore) === "bad" ? BAD_BELOW : lowestScore;
  return worst([worstScore, band(worstScore) === "good" ? moments : null]);
}

/**
 * Worst first; among equals the one that was there first stays first, so that rows do not dance: a
 * score counts by its band and by half points.
 *
 * @template T
 * @param {T[]} items
 * @param {(item: T) => number | null} score
 * @returns {T[]}
 */
export function worstFirst(items, score) {
  const rank = (/** @type {T} */ item) => {
    const value = score(item);
    return band(value) === "good" || value === null ? 9 : Math.floor(value * 2);
  };
  return items
    .map((item, index) => ({ item, index, rank: rank(item) }))
    .sort((one, other) => one.rank - other.rank || one.index - other.index)
    .map(({ item }) => item);
}

/**
 * @typedef {object} Trouble
 * @property {string} key the same as long as it is the same trouble
 * @property {Band} band
 * @property {LiveRoom} room
 * @property {Person} person
 * @property {"hears" | "heard" | "both" | "gone"} what
 * @property {number | null} score
 * @property {string} why the figure behind it, in words; may be empty
 */

/** @type {Record<Trouble["what"], Record<"fair" | "bad", string>>} */
const WHAT = {
  hears: { bad: "hears badly", fair: "hears with small faults" },
  heard: { bad: "is heard badly", fair: "is heard with small faults" },
  both: { bad: "hears badly and is heard badly", fair: "hears and is heard with small faults" },
  gone: { bad: "has lost the connection", fair: "is reconnecting" },
};

/** @param {Trouble} trouble @returns {string} a predicate, as "hears badly" */
export function troubleWords({ what, band: how }) {
  return WHAT[what][how === "bad" ? "bad" : "fair"];
}

/** @param {Live} live @returns {Trouble[]} worst first */
export function troubles(live) {
  /** @type {Trouble[]} */
  const found = [];
  for (const room of live.rooms) {
    for (const person of room.people) {
      const trouble = troubleOf(room, person);
      if (trouble) {
        found.push(trouble);
      }
    }
  }
  return worstFirst(found, ({ score, band: how }) => score ?? (how === "bad" ? 1 : BAD_BELOW));
}

/**
 * @param {LiveRoom} room
 * @param {Person} person
 * @returns {Trouble | null}
 */
function troubleOf(room, person) {
  const key = `${room.id}/${person.id}`;
  if (person.link === "lost" || person.link === "failed") {
    const how = person.link === "lost" ? "fair" : "bad";
    return { key: `${key}/gone`, band: how, room, person, what: "gone", score: null, why: "" };
  }
  const up = band(person.up?.ownScore);
  const down = band(person.down?.ownScore);
  for (const how of /** @type {const} */ (["bad", "fair"])) {
    if (up === how || down === how) {
      const what = up === down ? "both" : up === how ? "heard" : "hears";
      const side = what === "heard" ? person.up : person.down;
      const score = what === "both" ? personScore(person) : (side?.ownScore ?? null);
      return {
        key: `${key}/${what}/${how}`,
        band: how,
        room,
        person,
        what,
        score,
        why: reason(side, what === "heard"),
      };
    }
  }
  return null;
}

/**
 * @param {Quality | null} quality
 * @param {boolean} up
 * @returns {string} the figure that stands out
 */
export function reason(quality, up) {
  if (!quality) {
    return "";
  }
  const way = up ? "on the way from them" : "on the way to them";
  if ((quality.loss ?? 0) >= NOTABLE_LOSS) {
    return `${percent(quality.loss)} loss ${way}`;
  }
  if ((quality.jitter ?? 0) >= NOTABLE_JITTER) {
    return `${milliseconds(quality.jitter)} jitter ${way}`;
  }
  if ((quality.rtt ?? 0) >= NOTABLE_RTT) {
    return `${milliseconds(quality.rtt)} round trip`;
  }
  return "";
}

/** @param {Live} live @returns {string} what is wrong with the relay itself, or "" */
export function overload({ server, drops }) {
  const dropped = drops.find(({ reason: name, rate }) => OVERLOAD_DROPS.has(name) && (rate ?? 0) > 0);
  if (dropped) {
    return `The relay itself loses packets (${dropped.reason}).`;
  }
  if ((server.lag ?? 0) > BUSY_LAG) {
    return `The relay is overloaded: it answers ${milliseconds(server.lag)} late.`;
  }
  if ((server.busiest ?? 0) > BUSY_THREAD) {
    return `The relay is overloaded: its busiest thread has ${percent(1 - Math.min(1, server.busiest ?? 0))} of its time left.`;
  }
  return "";
}

/**
 * @typedef {object} Headline
 * @property {Band} tone "none" when nobody is there
 * @property {string} text what is to be known first
 * @property {string} rest what is fine beside it; may be empty
 */

/**
 * @param {Live} live
 * @param {Trouble[]} found
 * @param {string} strain what is wrong with the relay itself, or ""
 * @returns {Headline}
 */
export function headline(live, found, strain) {
  const people = live.rooms.reduce((sum, room) => sum + room.people.length, 0);
  const here = `${count(live.rooms.length, "room")}, ${count(people, "person", "people")}`;
  const bad = found.filter((each) => each.band === "bad");
  if (strain) {
    return { tone: "bad", text: strain, rest: bad.length > 0 ? `${here}. ${tally(bad, "bad")}.` : `${here}.` };
  }
  if (people === 0) {
    return { tone: "none", text: "Nobody is here. The relay is ready.", rest: "" };
  }
  if (found.length === 0) {
    return { tone: "good", text: `${here}, everybody fine.`, rest: "" };
  }
  const how = bad.length > 0 ? "bad" : "fair";
  const concerned = bad.length > 0 ? bad : found;
  const [first] = concerned;
  const who = concerned.length === 1 ? `${first.person.name} ${troubleWords(first)}` : tally(concerned, how);
  return { tone: how, text: `${who}.`, rest: `${here}: ${others(people - found.length)}.` };
}

/** @type {Record<Trouble["what"], Record<"fair" | "bad", [string, string]>>} */
const TALLY = {
  hears: { bad: ["hears badly", "hear badly"], fair: ["hears with small faults", "hear with small faults"] },
  heard: {
    bad: ["is heard badly", "are heard badly"],
    fair: ["is heard with small faults", "are heard with small faults"],
  },
  both: {
    bad: ["hears and is heard badly", "hear and are heard badly"],
    fair: ["has a call with small faults", "have calls with small faults"],
  },
  gone: { bad: ["has lost the connection", "have lost the connection"], fair: ["is reconnecting", "are reconnecting"] },
};

/**
 * @param {Trouble[]} concerned
 * @param {"bad" | "fair"} how
 * @returns {string} "2 people hear badly, 1 person is heard badly"
 */
function tally(concerned, how) {
  return /** @type {Trouble["what"][]} */ (["gone", "both", "hears", "heard"])
    .map((what) => ({ what, number: concerned.filter((each) => each.what === what).length }))
    .filter(({ number }) => number > 0)
    .map(({ what, number }) => `${count(number, "person", "people")} ${TALLY[what][how][number === 1 ? 0 : 1]}`)
    .join(", ");
}

/** @param {number} fine */
function others(fine) {
  return fine === 0 ? "nobody is fine" : fine === 1 ? "the other one is fine" : `the other ${fine} are fine`;
}
