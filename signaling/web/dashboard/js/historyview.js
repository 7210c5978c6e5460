/** What went on before: a day, or any span, as a time line, and its rooms with the worst first. */

import { ChartGroup } from "./chartgroup.js";
import { roomTimeOf, series } from "./data.js";
import { h, renew } from "./elements.js";
import { addDays, dayStart, dayWords, isoDay, percent, rate, span, whole } from "./format.js";
import { PeopleFinder } from "./peoplefinder.js";
import { loading, nothingHere, takeAway } from "./pagehead.js";
import { SCORE_CHART } from "./past.js";
import { RoomList } from "./roomlist.js";
import { formatRoute } from "./route.js";
import { SpanPicker, spanOf } from "./spanpicker.js";
import { summaryOf } from "./summary.js";
import { faultWords } from "./words.js";

/**
 * @typedef {import("./chart.js").ChartKind} ChartKind
 * @typedef {import("./dashboard.js").Context} Context
 * @typedef {import("./data.js").Json} Json
 * @typedef {import("./frame.js").Span} Span
 * @typedef {import("./route.js").Route} Route
 */

/** Milliseconds; only while the span reaches until now. */
const INTERVAL = 30_000;

/** Rooms in one answer. */
const ROOMS = 500;

/** @type {ChartKind[]} */
const CHARTS = [
  SCORE_CHART,
  { title: "People at once", words: whole, least: 4, shape: "bars" },
  {
    title: "Forwarded",
    words: (value) => (value === null || value === undefined ? "–" : `${rate(value)}/s`),
    least: 10,
  },
  { title: "CPU of a core", words: percent, least: 0.1, height: 110 },
];

export class HistoryView {
  element = h("div.history", {}, loading("Loading the history"));
  #context;
  #picker = new SpanPicker((from, to) => {
    location.hash = formatRoute("history", "", { from, to });
  });
  #charts = new ChartGroup(CHARTS, "Time in this span", () => {});
  #rooms = new RoomList();
  #people = new PeopleFinder((query) => this.#find(query));
  #summary = h("p.summary", { role: "status" });
  #title = h("h1", { tabindex: "-1" });
  #line = h("section.curves", { "aria-labelledby": "line-title" }, h("h2", { id: "line-title" }, "Time line"));
  #none = h(
    "p.empty",
    { hidden: true },
    "Nothing was noted in this time: the relay was not running, or it is longer ago than the history goes back.",
  );
  /** @type {Span} */
  #span = { from: 0, to: 0 };
  /** @type {import("./poll.js").Poll | null} */
  #poll = null;
  #arranged = false;

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    this.#line.append(this.#none, this.#charts.element);
  }

  /** @param {Route} route */
  show(route) {
    const now = Date.now() / 1000;
    this.#span = spanOf(route, now);
    this.#context.setTitle(`History, ${span(this.#span.from, this.#span.to, now)}`);
    this.#picker.show(this.#span, now);
    this.#poll?.stop();
    this.element.setAttribute("aria-busy", "true");
    this.#poll = this.#context.poll(
      async (signal) => {
        const { from, to } = this.#span;
        const [line, rooms] = await Promise.all([
          this.#context.api.get("history/timeline", { from, to }, signal),
          this.#context.api.get("history/rooms", { from, to, limit: ROOMS }, signal),
        ]);
        this.#draw(line, rooms);
        return to < Date.now() / 1000 - 60;
      },
      INTERVAL,
      (error) => {
        this.#arranged = false; // another span may be answered
        this.element.replaceChildren(nothingHere("No history", faultWords(error)));
      },
    );
  }

  close() {
    this.#charts.close();
  }

  /**
   * @param {Json} line
   * @param {Json} answer of `history/rooms`
   */
  #draw(line, answer) {
    this.#arrange();
    this.element.removeAttribute("aria-busy");
    const points = line.points ?? [];
    const rooms = answer.rooms.map(roomTimeOf);
    const now = Date.now() / 1000;
    this.#title.textContent = titleOf(this.#span, now);
    renew(this.#summary, summaryOf(points, rooms, answer.next !== null, line.bucket ?? 300));
    this.#none.hidden = points.length > 0;
    this.#charts.element.hidden = points.length === 0;
    const score = [
      { key: "worst", name: "the worst", points: series(points, "worst_score") },
      { key: "mean", name: "all", points: series(points, "score") },
    ];
    const one = (/** @type {string} */ field, factor = 1) => [
      { key: "mean", name: "", points: series(points, field, factor) },
    ];
    this.#charts.show(
      this.#span,
      line.bucket ?? 300,
      [score, one("participants"), one("packets_forwarded", 1 / (line.bucket ?? 300)), one("cpu")],
      [],
    );
    this.#rooms.show(rooms, this.#span, now);
    this.#people.show(this.#span);
  }

  /** @param {{name: string, from: number, to: number, limit: number}} query */
  async #find(query) {
    try {
      return /** @type {Json} */ (await this.#context.api.get("history/participations", query));
    } catch {
      return null; // the other questions of this page tell that there is no answer
    }
  }

  #arrange() {
    if (this.#arranged) {
      return;
    }
    this.#arranged = true;
    const hadFocus = this.element.contains(document.activeElement);
    const save = takeAway(this.#context, () => ({ path: "history/rooms", query: { ...this.#span }, name: "rooms" }));
    this.element.replaceChildren(
      h(
        "header.page-head",
        {},
        h("div.page-title", {}, h("div", {}, this.#title, this.#summary), save),
        this.#picker.element,
      ),
      this.#line,
      this.#people.element,
      this.#rooms.element,
    );
    if (hadFocus) {
      this.#title.focus({ preventScroll: true });
    }
  }
}

/**
 * @param {Span} when
 * @param {number} now
 * @returns {string} "Yesterday", "The last hour", or from when to when
 */
function titleOf({ from, to }, now) {
  const hours = Math.round((to - from) / 3600);
  if (Math.abs(to - now) < 120 && (hours === 1 || hours === 24)) {
    return hours === 1 ? "The last hour" : "The last 24 hours";
  }
  const wholeDay = from === dayStart(isoDay(from)) && to === addDays(from, 1);
  const title = wholeDay ? dayWords(from, now) : span(from, Math.min(to, now), now);
  return `${title[0].toUpperCase()}${title.slice(1)}`;
}
