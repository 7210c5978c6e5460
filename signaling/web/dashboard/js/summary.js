/** A span of time in one sentence. Pure, but for the element that it ends in. */

import { h } from "./elements.js";
import { clock, count, scoreText } from "./format.js";
import { band } from "./quality.js";

/**
 * @typedef {import("./data.js").Json} Json
 * @typedef {import("./data.js").RoomTime} RoomTime
 */

/**
 * @param {Json[]} points of the time line
 * @param {RoomTime[]} rooms
 * @param {boolean} more whether there are more rooms than these
 * @param {number} bucket seconds
 * @returns {HTMLElement}
 */
export function summaryOf(points, rooms, more, bucket) {
  return h("span", {}, summaryWords(points, rooms, more, bucket));
}

/**
 * @param {Json[]} points
 * @param {RoomTime[]} rooms
 * @param {boolean} more
 * @param {number} bucket
 * @returns {string}
 */
export function summaryWords(points, rooms, more, bucket) {
  if (rooms.length === 0) {
    return "Nobody was here.";
  }
  const people = rooms.reduce((sum, room) => sum + room.people, 0);
  const here = `${more ? "More than " : ""}${count(rooms.length, "room")} with ${count(people, "call")}`;
  const bad = rooms.filter(({ worstScore }) => band(worstScore) === "bad").length;
  const moments = rooms.filter((room) => band(room.worstScore) !== "bad" && band(room.lowestScore) === "bad").length;
  if (bad + moments === 0) {
    return `${here}, everybody fine.`;
  }
  const faults = [
    bad > 0 && `in ${bad} of the rooms somebody had a bad call`,
    moments > 0 && `in ${moments} ${bad > 0 ? "more" : "of the rooms"} somebody had bad moments`,
  ];
  const low = points
    .filter(({ worst_score: score }) => band(score) === "bad")
    .reduce(
      (one, other) => (one && one.worst_score <= other.worst_score ? one : other),
      /** @type {Json | null} */ (null),
    );
  const when = low
    ? ` The worst was at ${clock(low.at + bucket / 2)}, with a score of ${scoreText(low.worst_score)}.`
    : "";
  return `${here}; ${faults.filter(Boolean).join(", ")}.${when}`;
}
