/** What every chart has: a size in pixels, a value axis, a time axis, and the instants that are marked. */

import { s } from "./elements.js";
import { clock, clockWithSeconds, dayWords } from "./format.js";
import { linear, timeTicks } from "./scale.js";

/** Pixels around the plot: the value axis has its numbers at the left. */
export const MARGIN = { left: 44, right: 8, top: 8, bottom: 22 };

/** Room that a label of the time axis takes, in pixels. */
const LABEL_WIDTH = 72;

/**
 * @typedef {object} Axis
 * @property {number} min
 * @property {number} max
 * @property {number[]} ticks
 * @property {(value: number) => string} words
 *
 * @typedef {object} Span
 * @property {number} from Unix seconds
 * @property {number} to
 *
 * @typedef {object} Mark an instant that something happened at
 * @property {number} at
 * @property {string} kind
 * @property {string} words
 *
 * @typedef {object} Plot
 * @property {(at: number) => number} x
 * @property {(value: number) => number} y
 * @property {(x: number) => number} at
 * @property {number} left
 * @property {number} right
 * @property {number} top
 * @property {number} bottom
 */

/**
 * @param {number} width
 * @param {number} height
 * @param {Span} span
 * @param {Axis} axis
 * @returns {Plot}
 */
export function plotOf(width, height, { from, to }, { min, max }) {
  const left = MARGIN.left;
  const right = Math.max(left + 1, width - MARGIN.right);
  const top = MARGIN.top;
  const bottom = height - MARGIN.bottom;
  return {
    x: linear(from, to, left, right),
    y: linear(min, max, bottom, top),
    at: linear(left, right, from, to),
    left,
    right,
    top,
    bottom,
  };
}

/**
 * @param {Plot} plot
 * @param {Span} span
 * @param {Axis} axis
 * @returns {SVGElement}
 */
export function axes(plot, { from, to }, { ticks, words }) {
  const group = s("g.axes");
  for (const tick of ticks) {
    const y = Math.round(plot.y(tick)) + 0.5;
    group.append(
      s("line.grid", { x1: plot.left, x2: plot.right, y1: y, y2: y }),
      s("text", { x: plot.left - 8, y: y + 4, "text-anchor": "end" }, words(tick)),
    );
  }
  const room = (plot.right - plot.left) / LABEL_WIDTH;
  const { step, ticks: times } = timeTicks(from, to, room, offsetAt(from));
  for (const time of times) {
    const x = Math.round(plot.x(time)) + 0.5;
    const anchor = x < plot.left + 18 ? "start" : x > plot.right - 18 ? "end" : "middle";
    group.append(
      s("line.tick", { x1: x, x2: x, y1: plot.bottom, y2: plot.bottom + 4 }),
      s("text", { x, y: plot.bottom + 17, "text-anchor": anchor }, timeWords(time, step)),
    );
  }
  return group;
}

/**
 * @param {Plot} plot
 * @param {readonly Mark[]} marks
 * @returns {SVGElement}
 */
export function markLines(plot, marks) {
  const seen = marks.filter(({ at }) => plot.x(at) >= plot.left - 1 && plot.x(at) <= plot.right + 1);
  return s(
    "g.marks",
    {},
    ...seen.map(({ at, kind }) => {
      const x = Math.round(plot.x(at)) + 0.5;
      return s("line", { "data-kind": kind, x1: x, x2: x, y1: plot.top, y2: plot.bottom });
    }),
  );
}

/** @param {number} at @returns {number} of the reader's time zone from UTC, then; seconds */
export function offsetAt(at) {
  return -60 * new Date(1000 * at).getTimezoneOffset();
}

/**
 * @param {number} at
 * @param {number} step of the axis
 */
function timeWords(at, step) {
  if (step >= 86_400) {
    return dayWords(at, Date.now() / 1000);
  }
  return step < 60 ? clockWithSeconds(at) : clock(at);
}

/**
 * Calls back whenever the element has another width, and once it has one at all.
 *
 * @param {Element} element
 * @param {(width: number) => void} onWidth whole pixels
 * @returns {() => void} ends it
 */
export function watchWidth(element, onWidth) {
  let last = 0;
  const observer = new ResizeObserver(([{ contentRect }]) => {
    const width = Math.floor(contentRect.width);
    if (width > 0 && width !== last) {
      last = width;
      onWidth(width);
    }
  });
  observer.observe(element);
  return () => observer.disconnect();
}
