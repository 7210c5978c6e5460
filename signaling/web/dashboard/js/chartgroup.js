/**
 * Charts above each other over the same time, with one cursor through all of them: by pointer, or by a
 * slider that a keyboard and a screen reader know how to use. Below them the same figures as a table.
 */

import { setText } from "../../js/dom.js";
import { Chart } from "./chart.js";
import { h, s, setAttribute } from "./elements.js";
import { clockWithSeconds } from "./format.js";
import { MARGIN, watchWidth } from "./frame.js";
import { band } from "./quality.js";
import { linear } from "./scale.js";

/**
 * @typedef {import("./chart.js").ChartKind} ChartKind
 * @typedef {import("./chart.js").Series} Series
 * @typedef {import("./frame.js").Mark} Mark
 * @typedef {import("./frame.js").Span} Span
 */

/** Rows of the table at most: more than that is what the CSV is for. */
const MOST_ROWS = 400;

/** The drawings of what happened, 12 pixels wide around 0, 0. @type {Record<string, string>} */
const SYMBOLS = {
  joined: "M-4-5L5 0L-4 5Z",
  left: "M-4-4H4V4H-4Z",
  lost: "M-4-4L4 4M4-4L-4 4",
  resumed: "M-5 0H5M0-5V5",
  network: "M-5-3H5M2-6L5-3M5 3H-5M-2 6L-5 3",
  fell: "M-5-4H5L0 5Z",
  other: "M0-4L4 0L0 4L-4 0Z",
};

export class ChartGroup {
  /** To be put into the page. */
  element;
  #charts;
  #kinds;
  #symbols = s("svg.symbols", { "aria-hidden": "true", height: ROW });
  #slider = /** @type {HTMLInputElement} */ (h("input", { type: "range", min: 0, max: 1, step: 1 }));
  #time = h("output.cursor-time");
  #table = h("div.table-frame", { tabindex: "0", role: "region", "aria-label": "Figures over time" });
  #fold = h("details.figures-fold", {}, h("summary", {}, "The same figures as a table"), this.#table);
  #onCursor;
  /** @type {{span: Span, step: number, series: Series[][], marks: Mark[]} | null} */
  #data = null;
  #width = 0;
  #unwatch;

  /**
   * @param {ChartKind[]} kinds from top to bottom
   * @param {string} label of the cursor
   * @param {(at: number) => void} onCursor the reader has moved it
   */
  constructor(kinds, label, onCursor) {
    this.#kinds = kinds;
    this.#onCursor = onCursor;
    this.#charts = kinds.map((kind) => new Chart(kind));
    setAttribute(this.#slider, "aria-label", label);
    this.#slider.addEventListener("input", () => this.#moveTo(Number(this.#slider.value)));
    for (const chart of this.#charts) {
      this.#follow(chart);
    }
    this.#fold.addEventListener("toggle", () => this.#fillTable());
    this.element = h(
      "div.chart-group",
      {},
      h(
        "div.cursor-head",
        {},
        h("span.soft", {}, "Point at a curve, or move the slider below, to read it"),
        this.#time,
      ),
      this.#symbols,
      ...this.#charts.map(({ element }) => element),
      h("div.cursor-row", {}, this.#slider),
      this.#fold,
    );
    this.#unwatch = watchWidth(this.element, (width) => {
      this.#width = width;
      this.#drawSymbols();
    });
  }

  close() {
    this.#unwatch();
    for (const chart of this.#charts) {
      chart.close();
    }
  }

  /**
   * @param {Span} span
   * @param {number} step seconds between two points
   * @param {Series[][]} series of each chart
   * @param {Mark[]} marks
   */
  show(span, step, series, marks) {
    const first = this.#data === null;
    this.#data = { span, step, series, marks };
    const names = series.map((each) => each.map(({ name }) => name).join());
    for (const [index, chart] of this.#charts.entries()) {
      chart.show({ span, step, series: series[index], marks, legend: names[index] !== names[index - 1] });
    }
    this.#slider.min = String(Math.floor(span.from));
    this.#slider.max = String(Math.ceil(span.to));
    this.#slider.step = String(Math.max(1, Math.round(step)));
    if (first) {
      this.#slider.value = String(worstMoment(series[0]) ?? lastKnown(series) ?? span.to);
    }
    this.#drawSymbols();
    this.#fillTable();
    this.read(Number(this.#slider.value));
  }

  /** @param {number} at moves the cursor there, without telling the observer */
  read(at) {
    this.#slider.value = String(at);
    for (const chart of this.#charts) {
      chart.read(at);
    }
    setText(this.#time, clockWithSeconds(at));
    const words = this.#charts.map((chart, index) => `${this.#kinds[index].title}: ${chart.words(at)}`);
    setAttribute(this.#slider, "aria-valuetext", [clockWithSeconds(at), ...words].join(". "));
  }

  /** @param {number} at */
  #moveTo(at) {
    this.read(at);
    this.#onCursor(at);
  }

  /** @param {Chart} chart */
  #follow(chart) {
    const move = (/** @type {PointerEvent} */ event) => {
      const at = chart.instantAt(event.clientX);
      if (at !== null && (event.pointerType === "mouse" || event.buttons > 0)) {
        this.#moveTo(Math.round(at));
      }
    };
    chart.drawing.addEventListener("pointermove", move);
    chart.drawing.addEventListener("pointerdown", move);
  }

  #drawSymbols() {
    if (!this.#data || this.#width === 0) {
      return;
    }
    const { span, marks } = this.#data;
    const x = linear(span.from, span.to, MARGIN.left, this.#width - MARGIN.right);
    setAttribute(this.#symbols, "width", this.#width);
    const seen = marks.filter(({ at }) => at >= span.from - 1 && at <= span.to + 1);
    const rows = rowsOf(seen.map(({ at }) => x(at)));
    setAttribute(this.#symbols, "height", ROW * Math.max(0, 1, ...rows.map((row) => row + 1)));
    this.#symbols.replaceChildren(
      ...seen.map(({ at, kind, words }, index) =>
        s(
          "path.symbol",
          {
            d: SYMBOLS[kind] ?? SYMBOLS.other,
            "data-kind": kind,
            transform: `translate(${x(at).toFixed(1)} ${ROW * rows[index] + ROW / 2})`,
          },
          s("title", {}, `${clockWithSeconds(at)} ${words}`),
        ),
      ),
    );
  }

  #fillTable() {
    if (!this.#data || !this.#fold.hasAttribute("open")) {
      return;
    }
    const { series } = this.#data;
    const columns = this.#kinds.flatMap((kind, index) => series[index].map((each) => ({ kind, ...each })));
    const head = h(
      "tr",
      {},
      h("th", { scope: "col" }, "Time"),
      ...columns.map(({ kind, name }) => h("th", { scope: "col" }, [kind.title, name].filter(Boolean).join(", "))),
    );
    const times = columns[0]?.points.map(([at]) => at) ?? [];
    const every = Math.max(1, Math.ceil(times.length / MOST_ROWS));
    const rows = times.flatMap((at, index) =>
      index % every === 0
        ? [
            h(
              "tr",
              {},
              h("th", { scope: "row" }, clockWithSeconds(at)),
              ...columns.map(({ kind, points }) => h("td", {}, kind.words(points[index]?.[1]))),
            ),
          ]
        : [],
    );
    this.#table.replaceChildren(h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows)));
  }
}

/** A symbol's height and width with some air. Pixels. */
const ROW = 18;

/** Rows of symbols at most; more lie on each other. */
const MOST_SYMBOL_ROWS = 3;

/**
 * @param {number[]} places in order, pixels
 * @returns {number[]} the row of each, so that neighbours do not lie on each other
 */
export function rowsOf(places) {
  /** @type {number[]} */
  const ends = [];
  return places.map((place) => {
    const free = ends.findIndex((end) => end <= place);
    const row = free >= 0 ? free : Math.min(ends.length, MOST_SYMBOL_ROWS - 1);
    ends[row] = place + ROW;
    return row;
  });
}

/**
 * Where a reader looks first.
 *
 * @param {Series[]} scores
 * @returns {number | null} when the lowest score was, if it was a bad one
 */
export function worstMoment(scores) {
  const points = scores.flatMap(({ points: some }) => some).filter(([, value]) => band(value) === "bad");
  const lowest = points.reduce((one, other) => (one && Number(one[1]) <= Number(other[1]) ? one : other), points[0]);
  return lowest?.[0] ?? null;
}

/** @param {Series[][]} series @returns {number | null} when anything was known last */
function lastKnown(series) {
  const times = series.flat().map(({ points }) => points.findLast(([, value]) => value !== null)?.[0] ?? -Infinity);
  const last = Math.max(...times);
  return Number.isFinite(last) ? last : null;
}

/**
 * What the symbols mean, for those that occur.
 *
 * @param {readonly Mark[]} marks
 * @param {Record<string, string>} words of each kind
 */
export function symbolLegend(marks, words) {
  const kinds = [...new Set(marks.map(({ kind }) => kind))];
  return kinds.map((kind) =>
    h(
      "span.symbol-key",
      {},
      s(
        "svg",
        { width: 14, height: 14, viewBox: "-7 -7 14 14", "aria-hidden": "true" },
        s("path.symbol", { d: SYMBOLS[kind] ?? SYMBOLS.other, "data-kind": kind }),
      ),
      words[kind] ?? kind,
    ),
  );
}
