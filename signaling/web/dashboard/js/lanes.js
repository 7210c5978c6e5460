/** Everybody in a room over its time: a bar for each person, coloured by how it went, with what happened on it. */

import { chip } from "./chip.js";
import { h, s, setAttribute } from "./elements.js";
import { clock, duration } from "./format.js";
import { axes, plotOf, watchWidth } from "./frame.js";
import { band } from "./quality.js";
import { linear } from "./scale.js";

/**
 * @typedef {import("./data.js").Participation} Participation
 * @typedef {import("./frame.js").Mark} Mark
 * @typedef {import("./frame.js").Span} Span
 *
 * @typedef {object} Lane
 * @property {string} name
 * @property {string} identity
 * @property {Participation[]} stays one after the other: somebody who came back
 * @property {Mark[]} marks
 */

const HEIGHT = 26;

/** How high a bar is: what is bad stands out without its colour, too. @type {Record<string, number>} */
const HEIGHTS = { good: 8, fair: 13, bad: 20, none: 4 };

/**
 * People, not participations: whoever was lost and came back is one line, as long as they were not there twice
 * at the same time.
 *
 * @param {Participation[]} participations
 * @param {Map<string, Mark[]>} marks by participation
 * @returns {Lane[]} by when they came
 */
export function lanesOf(participations, marks) {
  /** @type {Lane[]} */
  const lanes = [];
  for (const stay of [...participations].sort((one, other) => one.joinedAt - other.joinedAt)) {
    const known = lanes.find(({ name, identity, stays }) => {
      const last = stays[stays.length - 1];
      return (
        name === stay.name && identity === stay.identity && last.leftAt !== null && last.leftAt <= stay.joinedAt + 1
      );
    });
    const own = marks.get(stay.id) ?? [];
    if (known) {
      known.stays.push(stay);
      known.marks.push(...own);
    } else {
      lanes.push({ name: stay.name, identity: stay.identity, stays: [stay], marks: [...own] });
    }
  }
  return lanes;
}

/** @param {Lane} lane @returns {Participation} that fared worst */
export function worstStay({ stays }) {
  return stays.reduce((one, other) => ((other.worstScore ?? 9) < (one.worstScore ?? 9) ? other : one));
}

export class Lanes {
  #axis = s("svg.lane-axis", { "aria-hidden": "true", height: 22 });
  #list = h("ol.lane-list", { role: "list" });
  #bars = h("div.lane-bars");
  element = h("div.lanes", {}, h("div.lane-axis-row", {}, h("span"), this.#bars), this.#list);
  #hrefOf;
  #width = 0;
  /** @type {{span: Span, lanes: Lane[]} | null} */
  #data = null;
  /** @type {{svg: SVGElement, lane: Lane}[]} */
  #drawings = [];
  #unwatch;

  /** @param {(id: string) => string} hrefOf a participation */
  constructor(hrefOf) {
    this.#hrefOf = hrefOf;
    this.#bars.append(this.#axis);
    this.#unwatch = watchWidth(this.#bars, (width) => {
      this.#width = width;
      this.#draw();
    });
  }

  close() {
    this.#unwatch();
  }

  /**
   * @param {Span} span
   * @param {Lane[]} lanes
   */
  show(span, lanes) {
    this.#data = { span, lanes };
    this.#drawings = lanes.map((lane) => ({
      lane,
      svg: s("svg.lane", { height: HEIGHT, role: "img", "aria-label": words(lane) }),
    }));
    this.#list.replaceChildren(...this.#drawings.map(({ lane, svg }) => this.#row(lane, svg)));
    this.#draw();
  }

  /**
   * @param {Lane} lane
   * @param {SVGElement} svg
   */
  #row(lane, svg) {
    const stay = worstStay(lane);
    const name = h("a.lane-name", { dir: "auto", href: this.#hrefOf(stay.id), title: lane.name }, lane.name);
    return h("li", {}, h("span.lane-who", {}, chip(stay.worstScore), name), h("div.lane-frame", {}, svg));
  }

  #draw() {
    if (!this.#data || this.#width === 0) {
      return;
    }
    const { span } = this.#data;
    const plot = {
      ...plotOf(this.#width, 22, span, { min: 0, max: 1, ticks: [], words: String }),
      bottom: 0,
      left: 0,
      right: this.#width,
    };
    plot.x = linear(span.from, span.to, 0, this.#width);
    setAttribute(this.#axis, "width", this.#width);
    this.#axis.replaceChildren(axes(plot, span, { min: 0, max: 1, ticks: [], words: String }));
    for (const { svg, lane } of this.#drawings) {
      setAttribute(svg, "width", this.#width);
      svg.replaceChildren(
        ...lane.stays.flatMap((stay) => bars(stay, span, plot.x)),
        ...lane.marks.map((mark) => markOf(mark, plot.x)),
      );
    }
  }
}

/**
 * @param {Participation} stay
 * @param {Span} span
 * @param {(at: number) => number} x
 */
function bars(stay, span, x) {
  const end = stay.leftAt ?? span.to;
  const strip =
    stay.strip.length > 0 ? stay.strip : /** @type {[number, number | null][]} */ ([[stay.joinedAt, stay.score]]);
  const base = s("rect.stay", {
    x: x(stay.joinedAt).toFixed(1),
    width: Math.max(2, x(end) - x(stay.joinedAt)).toFixed(1),
    y: HEIGHT - 3,
    height: 2,
  });
  const pieces = runs(strip, end).map(({ from, to, how }) => {
    const start = x(Math.max(from, stay.joinedAt));
    return s("rect.piece", {
      "data-band": how,
      x: start.toFixed(1),
      width: Math.max(1, x(Math.min(to, end)) - start).toFixed(1),
      y: HEIGHT - 3 - HEIGHTS[how],
      height: HEIGHTS[how],
    });
  });
  return [base, ...pieces];
}

/**
 * Neighbours of one band as one piece.
 *
 * @param {readonly (readonly [number, number | null])[]} strip
 * @param {number} end
 * @returns {{from: number, to: number, how: string}[]}
 */
export function runs(strip, end) {
  /** @type {{from: number, to: number, how: string}[]} */
  const found = [];
  for (const [index, [at, score]] of strip.entries()) {
    const how = band(score);
    const to = strip[index + 1]?.[0] ?? end;
    const last = found[found.length - 1];
    if (last?.how === how) {
      last.to = to;
    } else {
      found.push({ from: at, to, how });
    }
  }
  return found;
}

/**
 * @param {Mark} mark
 * @param {(at: number) => number} x
 */
function markOf({ at, kind, words: text }, x) {
  const left = Math.round(x(at)) + 0.5;
  return s("line.lane-mark", { "data-kind": kind, x1: left, x2: left, y1: 2, y2: HEIGHT - 2 }, s("title", {}, text));
}

/** @param {Lane} lane */
function words({ stays }) {
  return stays
    .map(
      ({ joinedAt, leftAt }) =>
        `from ${clock(joinedAt)}${leftAt === null ? " on" : ` for ${duration(leftAt - joinedAt)}`}`,
    )
    .join(", ");
}
