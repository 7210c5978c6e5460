/** One person's call: why it was bad, its curves, and what happened. */

import { chip } from "./chip.js";
import { ChartGroup, symbolLegend } from "./chartgroup.js";
import { happeningsOf, mergedCurve, participationOf, stepOf } from "./data.js";
import { callDiagnosis } from "./diagnosis.js";
import { h, renew } from "./elements.js";
import { eventList } from "./eventlist.js";
import { duration, milliseconds, percent, span } from "./format.js";
import { loading, pageHead } from "./pagehead.js";
import { diagnosed, follow, marksOf, meanOf, SCORE_CHART } from "./past.js";
import { worstFirst } from "./quality.js";
import { formatRoute, numberIn } from "./route.js";
import { MARK_WORDS, reasonWords } from "./words.js";

/**
 * @typedef {import("./chart.js").ChartKind} ChartKind
 * @typedef {import("./dashboard.js").Context} Context
 * @typedef {import("./data.js").Json} Json
 * @typedef {import("./data.js").Participation} Participation
 * @typedef {import("./route.js").Route} Route
 */

/** @type {(ChartKind & {field: string, bad: "low" | "high"})[]} */
const CHARTS = [
  { ...SCORE_CHART, field: "score", bad: "low" },
  { title: "Loss", field: "loss", bad: "high", words: percent, least: 0.02 },
  { title: "Jitter", field: "jitter", bad: "high", words: milliseconds, least: 0.02 },
  { title: "Round trip", field: "round_trip_time", bad: "high", words: milliseconds, least: 0.05 },
];

export class CallView {
  element = h("div.call", {}, loading("Loading this call"));
  #context;
  #id;
  /** @type {ChartGroup | null} */
  #charts = null;
  #headPlace = h("div");
  #diagnosisPlace = h("div", {}, h("p.soft", { role: "status" }, "Looking for the cause…"));
  #rest = h("div.call-rest");
  /** @type {number | null} */
  #at = null;

  /**
   * @param {Context} context
   * @param {Route} route
   */
  constructor(context, route) {
    this.#context = context;
    this.#id = route.id;
  }

  /** @param {Route} route */
  show(route) {
    const at = numberIn(route, "at");
    const again = this.#at !== null || this.#charts !== null;
    this.#at = at;
    if (again) {
      this.#look(at);
      return;
    }
    this.#context.setTitle("A call");
    follow(
      this.#context,
      `history/participations/${encodeURIComponent(this.#id)}`,
      "left_at",
      (answer, diagnosis) => this.#draw(answer, diagnosis),
      (page) => this.element.replaceChildren(page),
      "This call is not known",
    );
  }

  close() {
    this.#charts?.close();
  }

  /**
   * @param {Json} answer
   * @param {Json} diagnosis
   */
  #draw(answer, diagnosis) {
    const call = participationOf(answer);
    const first = this.#charts === null;
    const hadFocus = this.element.contains(document.activeElement);
    this.#context.setTitle(`${call.name} in ${answer.room}`);
    const charts = (this.#charts ??= new ChartGroup(CHARTS, "Time in this call", (at) => this.#settle(at)));
    if (first) {
      const section = h(
        "section.curves",
        { "aria-labelledby": "curves-title" },
        h("h2", { id: "curves-title" }, "The call as a curve"),
        charts.element,
      );
      this.element.replaceChildren(this.#headPlace, this.#diagnosisPlace, section, this.#rest);
    }
    renew(this.#headPlace, this.#head(call, answer));
    const show = (/** @type {number} */ at) => {
      this.#settle(at);
      this.#look(at, true);
    };
    renew(
      this.#diagnosisPlace,
      diagnosed(diagnosis, (known) => callDiagnosis(known, show)),
    );
    const names = (answer.connections ?? []).map((/** @type {Json} */ each) => [
      each.speaker_id,
      each.speaker_name ?? "",
    ]);
    const events = happeningsOf(answer.events ?? [], new Map([...names, [call.id, call.name]]));
    this.#drawCurves(charts, call, answer, events);
    this.element.querySelector(".symbol-legend")?.remove();
    charts.element.before(h("p.symbol-legend", {}, ...symbolLegend(marksOf(events), MARK_WORDS)));
    renew(this.#rest, voices(answer.connections ?? [], call), eventList(events, false, show));
    if (first) {
      this.#look(this.#at);
      if (hadFocus) {
        this.element.querySelector("h1")?.focus({ preventScroll: true });
      }
    }
  }

  /**
   * @param {Participation} call
   * @param {Json} answer
   */
  #head(call, answer) {
    const now = Date.now() / 1000;
    const room = answer.session_id ? formatRoute("room", answer.session_id) : undefined;
    const until = call.leftAt ?? now;
    return pageHead(this.#context, {
      crumbs: [{ words: answer.room, href: room }, { words: call.name }],
      facts: [
        span(call.joinedAt, call.leftAt, now),
        duration(until - call.joinedAt),
        call.identity && `identity ${call.identity}`,
        call.reason && call.reason !== "left" && reasonWords(call.reason),
      ],
      path: `history/participations/${encodeURIComponent(call.id)}`,
      name: `call-${call.id}`,
      scores: [
        ["Is heard", call.sentScore],
        ["Hears", call.heardScore],
        ["At worst", call.worstScore],
      ],
    });
  }

  /**
   * @param {ChartGroup} charts
   * @param {Participation} call
   * @param {Json} answer
   * @param {import("./data.js").Happening[]} events
   */
  #drawCurves(charts, call, answer, events) {
    const ways = ["up", "down"].map((way) =>
      (answer.connections ?? [])
        .filter((/** @type {Json} */ { direction }) => direction === way)
        .map((/** @type {Json} */ { curve }) => curve ?? []),
    );
    const names = ["is heard", "hears"];
    const series = CHARTS.map(({ field, bad }) =>
      ways.map((curves, index) => ({
        key: ["up", "down"][index],
        name: names[index],
        points: mergedCurve(curves, field, bad),
      })),
    );
    const last = series.flatMap((each) => each.flatMap(({ points }) => points.at(-1)?.[0] ?? call.joinedAt));
    const to = call.leftAt ?? Math.max(call.joinedAt + 60, ...last);
    charts.show({ from: call.joinedAt, to }, stepOf(ways.flat(2)), series, marksOf(events));
  }

  /** @param {number | null} at @param {boolean} [scroll] */
  #look(at, scroll = false) {
    if (at !== null) {
      this.#charts?.read(at);
      if (scroll) {
        this.#charts?.element.scrollIntoView({ block: "nearest" });
      }
    }
  }

  /** @param {number} at */
  #settle(at) {
    this.#at = Math.round(at);
    this.#context.settle(formatRoute("call", this.#id, { at: this.#at }));
  }
}

/**
 * Whom this person heard, and how: it tells a speaker's fault from one's own.
 *
 * @param {Json[]} connections
 * @param {Participation} call
 */
function voices(connections, call) {
  /** @type {Map<string, {name: string, id: string, curve: Json[]}>} */
  const bySpeaker = new Map();
  for (const { direction, speaker_name: name, speaker_id: id, curve } of connections) {
    if (direction === "down") {
      const known = bySpeaker.get(id ?? name)?.curve ?? [];
      bySpeaker.set(id ?? name, { name, id, curve: [...known, ...(curve ?? [])] });
    }
  }
  if (bySpeaker.size === 0) {
    return h("p", { hidden: true });
  }
  const rows = [...bySpeaker.values()].map(({ name, id, curve }) => ({
    name,
    id,
    score: meanOf(curve, "score"),
    loss: meanOf(curve, "loss"),
  }));
  const sorted = worstFirst(rows, ({ score }) => score);
  return h(
    "section.voices",
    { "aria-labelledby": "voices-title" },
    h("h2", { id: "voices-title" }, `Whom ${call.name} heard`),
    h(
      "ul",
      { role: "list" },
      ...sorted.map(({ name, id, score, loss }) =>
        h(
          "li",
          {},
          chip(score),
          h(id ? "a" : "span", { dir: "auto", href: id ? formatRoute("call", id) : null }, name ?? "Somebody"),
          h("span.soft", {}, `${percent(loss)} loss`),
        ),
      ),
    ),
  );
}
