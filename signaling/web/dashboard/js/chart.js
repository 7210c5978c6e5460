/** One figure over time: lines for one or two directions, or a bar for each step, and what they were at the cursor. */

import { setText } from "../../js/dom.js";
import { h, s, setAttribute } from "./elements.js";
import { axes, markLines, plotOf, watchWidth } from "./frame.js";
import { linePath, niceTop, pointAt, thin } from "./scale.js";

/**
 * @typedef {import("./scale.js").Point} Point
 * @typedef {import("./frame.js").Axis} Axis
 * @typedef {import("./frame.js").Span} Span
 * @typedef {import("./frame.js").Mark} Mark
 * @typedef {import("./frame.js").Plot} Plot
 *
 * @typedef {object} Series
 * @property {string} key of its colour in the style sheet
 * @property {string} name
 * @property {Point[]} points
 *
 * @typedef {object} ChartKind
 * @property {string} title
 * @property {(value: number | null | undefined) => string} words a value with its unit
 * @property {"lines" | "bars"} [shape] bars are stacked
 * @property {number} [height] pixels
 * @property {[number, number]} [range] of the axis; else from 0 to what is needed
 * @property {number[]} [ticks]
 * @property {number} [least] what the axis reaches at least
 * @property {[number, number, string][]} [zones] from, to and name of what is coloured behind
 *
 * @typedef {object} ChartData
 * @property {Span} span
 * @property {Series[]} series
 * @property {Mark[]} marks
 * @property {number} step seconds between two points
 * @property {boolean} legend whether to say which line is which
 */

const HEIGHT = 132;

export class Chart {
  /** To be put into the page. */
  element;
  #kind;
  #drawing = s("svg.drawing", { role: "img" });
  #cursor = s("line.cursor");
  #legend = h("span.legend");
  #reading = h("span.reading");
  #width = 0;
  /** @type {ChartData | null} */
  #data = null;
  /** @type {Plot | null} */
  #plot = null;
  /** @type {number | null} */
  #at = null;
  #unwatch;

  /** @param {ChartKind} kind */
  constructor(kind) {
    this.#kind = kind;
    const head = h("figcaption", {}, h("span.chart-title", {}, kind.title), this.#legend, this.#reading);
    this.element = h("figure.chart", {}, head, this.#drawing);
    this.#unwatch = watchWidth(this.element, (width) => {
      this.#width = width;
      this.#draw();
    });
  }

  close() {
    this.#unwatch();
  }

  /** @param {ChartData} data */
  show(data) {
    this.#data = data;
    const named = data.legend ? data.series.filter(({ name }) => name) : [];
    this.#legend.replaceChildren(...named.map(({ key, name }) => h("span.key", { "data-series": key }, name)));
    setAttribute(this.#drawing, "aria-label", this.#summary(data));
    this.#draw();
  }

  /** @param {number | null} at where to read the values; null for nowhere */
  read(at) {
    this.#at = at;
    this.#drawCursor();
    if (at === null || !this.#data) {
      setText(this.#reading, "");
      return;
    }
    setText(this.#reading, this.words(at));
  }

  /** @param {number} at @returns {string} the values then */
  words(at) {
    const series = this.#data?.series ?? [];
    return series
      .map(({ name, points }) => {
        const value = this.#kind.words(valueAt(points, at, this.#data?.step ?? 0));
        return series.length > 1 ? `${name} ${value}` : value;
      })
      .join(", ");
  }

  /** @param {number} clientX of a pointer @returns {number | null} the instant under it */
  instantAt(clientX) {
    if (!this.#plot || !this.#data) {
      return null;
    }
    const { from, to } = this.#data.span;
    const at = this.#plot.at(clientX - this.#drawing.getBoundingClientRect().left);
    return Math.min(to, Math.max(from, at));
  }

  get drawing() {
    return this.#drawing;
  }

  #draw() {
    if (!this.#data || this.#width === 0) {
      return;
    }
    const { span, marks } = this.#data;
    const height = this.#kind.height ?? HEIGHT;
    const axis = this.#axis(this.#data);
    const plot = plotOf(this.#width, height, span, axis);
    this.#plot = plot;
    setAttribute(this.#drawing, "width", this.#width);
    setAttribute(this.#drawing, "height", height);
    setAttribute(this.#drawing, "viewBox", `0 0 ${this.#width} ${height}`);
    const shapes = this.#kind.shape === "bars" ? bars(plot, this.#data) : lines(plot, this.#data);
    this.#drawing.replaceChildren(
      ...this.#zones(plot),
      axes(plot, span, axis),
      markLines(plot, marks),
      ...shapes,
      this.#cursor,
    );
    this.#drawCursor();
  }

  #drawCursor() {
    const { from, to } = this.#data?.span ?? { from: 0, to: 0 };
    const hidden = this.#at === null || !this.#plot || this.#at < from || this.#at > to;
    setAttribute(this.#cursor, "visibility", hidden ? "hidden" : null);
    if (!hidden && this.#plot) {
      const x = this.#plot.x(/** @type {number} */ (this.#at));
      for (const [name, value] of Object.entries({ x1: x, x2: x, y1: this.#plot.top, y2: this.#plot.bottom })) {
        setAttribute(this.#cursor, name, value);
      }
    }
  }

  /** @param {Plot} plot */
  #zones(plot) {
    return (this.#kind.zones ?? []).map(([low, high, name]) =>
      s("rect.zone", {
        "data-band": name,
        x: plot.left,
        width: plot.right - plot.left,
        y: plot.y(high),
        height: Math.max(0, plot.y(low) - plot.y(high)),
      }),
    );
  }

  /** @param {ChartData} data @returns {Axis} */
  #axis(data) {
    const { range, ticks, least = 1, words } = this.#kind;
    if (range) {
      return { min: range[0], max: range[1], ticks: ticks ?? range, words: (value) => String(value) };
    }
    const max = niceTop(highest(data, this.#kind.shape === "bars"), least);
    return { min: 0, max, ticks: [0, max / 2, max], words };
  }

  /** @param {ChartData} data @returns {string} what a glance at the chart says */
  #summary({ series }) {
    const parts = series.map(({ name, points }) => {
      const values = points.flatMap(([, value]) => (value === null || value === undefined ? [] : [value]));
      if (values.length === 0) {
        return `${name || this.#kind.title}: no figures`;
      }
      const low = this.#kind.words(Math.min(...values));
      const high = this.#kind.words(Math.max(...values));
      return `${name ? `${name}: ` : ""}${low === high ? low : `from ${low} to ${high}`}`;
    });
    return `${this.#kind.title} over time. ${parts.join("; ")}`;
  }
}

/**
 * @param {readonly Point[]} points
 * @param {number} at
 * @param {number} step
 * @returns {number | null}
 */
function valueAt(points, at, step) {
  const point = pointAt(points, at);
  return point && Math.abs(at - point[0]) <= 3 * step + 1 ? point[1] : null;
}

/**
 * @param {ChartData} data
 * @param {boolean} stacked
 */
function highest({ series }, stacked) {
  if (!stacked) {
    return Math.max(0, ...series.map(({ points }) => points.reduce((top, [, value]) => Math.max(top, value ?? 0), 0)));
  }
  const sums = new Map();
  for (const [at, value] of series.flatMap(({ points }) => points)) {
    sums.set(at, (sums.get(at) ?? 0) + (value ?? 0));
  }
  return [...sums.values()].reduce((top, sum) => Math.max(top, sum), 0);
}

/**
 * @param {Plot} plot
 * @param {ChartData} data
 */
function lines(plot, { series, step }) {
  const columns = Math.max(1, Math.floor(plot.right - plot.left));
  return series.map(({ key, points }) =>
    s("path.line", { "data-series": key, d: linePath(thin(points, columns), plot.x, plot.y, 3 * step + 1) }),
  );
}

/**
 * @param {Plot} plot
 * @param {ChartData} data
 */
function bars(plot, { series, step }) {
  const width = Math.max(1, plot.x(step) - plot.x(0) - 1);
  /** @type {Map<number, number>} */
  const bases = new Map();
  return series.map(({ key, points }) => {
    const rectangles = points.flatMap(([at, value]) => {
      if (!value || plot.x(at) + width <= plot.left || plot.x(at) >= plot.right) {
        return [];
      }
      const base = bases.get(at) ?? 0;
      bases.set(at, base + value);
      const x = Math.max(plot.left, plot.x(at));
      const y = plot.y(base + value);
      return [
        s("rect", {
          x: x.toFixed(1),
          y: y.toFixed(1),
          width: Math.min(width, plot.right - x).toFixed(1),
          height: (plot.y(base) - y).toFixed(1),
        }),
      ];
    });
    return s("g.bars", { "data-series": key }, ...rectangles);
  });
}
