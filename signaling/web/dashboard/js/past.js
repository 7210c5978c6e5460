/** What the pages about a room's time and about one person's call share: how they ask, and what they draw. */

import { h } from "./elements.js";
import { scoreText } from "./format.js";
import { nothingHere } from "./pagehead.js";
import { BAD_BELOW, GOOD_FROM } from "./quality.js";
import { eventWords, faultWords, markKind } from "./words.js";

/**
 * @typedef {import("./api.js").ApiError} ApiError
 * @typedef {import("./chart.js").ChartKind} ChartKind
 * @typedef {import("./dashboard.js").Context} Context
 * @typedef {import("./data.js").Happening} Happening
 * @typedef {import("./data.js").Json} Json
 * @typedef {import("./frame.js").Mark} Mark
 */

/** What goes on gets a new point that often. Milliseconds. */
const INTERVAL = 10_000;

/** The score over time: what is bad is coloured behind it. @type {ChartKind} */
export const SCORE_CHART = {
  title: "Score",
  words: scoreText,
  range: [1, 4.5],
  ticks: [1, 2, 3, 4],
  zones: [
    [1, BAD_BELOW, "bad"],
    [BAD_BELOW, GOOD_FROM, "fair"],
  ],
  height: 168,
};

/**
 * Asks for something of the history and for its diagnosis until it is over.
 *
 * @param {Context} context
 * @param {string} path
 * @param {"left_at" | "ended_at"} end the field that is null as long as it goes on
 * @param {(answer: Json, diagnosis: Json) => void} draw
 * @param {(page: HTMLElement) => void} replace called where there is nothing, with what says so
 * @param {string} unknown the title of that
 */
export function follow(context, path, end, draw, replace, unknown) {
  context.poll(
    async (signal) => {
      const [answer, diagnosis] = await Promise.all([
        context.api.get(path, {}, signal),
        context.api.get(`${path}/diagnosis`, {}, signal).catch((/** @type {unknown} */ error) => ({ error })),
      ]);
      draw(answer, diagnosis);
      return answer[end] !== null;
    },
    INTERVAL,
    (error) =>
      replace(nothingHere(unknown, `${faultWords(error)} It may be older than the history goes back.`)),
  );
}

/**
 * @param {Json} diagnosis or why there is none
 * @param {(diagnosis: Json) => HTMLElement} draw
 * @returns {HTMLElement}
 */
export function diagnosed(diagnosis, draw) {
  return diagnosis.error ? h("p.soft", {}, faultWords(diagnosis.error)) : draw(diagnosis);
}

/** @param {Happening[]} events @returns {Mark[]} those that are drawn */
export function marksOf(events) {
  return events.flatMap((event) => {
    const kind = markKind(event);
    return kind ? [{ at: event.at, kind, words: [event.name, eventWords(event)].filter(Boolean).join(" ") }] : [];
  });
}

/**
 * @param {Json[]} points of a curve
 * @param {string} field
 * @returns {number | null} over the points that have it
 */
export function meanOf(points, field) {
  const values = points.flatMap((point) => (typeof point[field] === "number" ? [point[field]] : []));
  return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
}
