/** The relay itself in five figures. */

import { setText } from "../../js/dom.js";
import { h, setAttribute } from "./elements.js";
import { duration, milliseconds, percent, rate } from "./format.js";
import { Sparkline } from "./sparkline.js";
import { dropWords } from "./words.js";

/**
 * @typedef {import("./data.js").Live} Live
 *
 * @typedef {object} Vital
 * @property {string} name
 * @property {number} least of the small line's height
 * @property {(live: Live) => number | null} value
 * @property {(value: number | null) => string} words
 * @property {string} unit
 * @property {(live: Live) => string} note
 * @property {(live: Live) => boolean} [alarm]
 */

/** @type {Vital[]} */
const VITALS = [
  {
    name: "Forwarded",
    least: 50,
    value: ({ server }) => server.forwarded,
    words: rate,
    unit: "packets/s",
    note: ({ server }) => `${rate(server.received)} received`,
  },
  {
    name: "CPU",
    least: 1,
    value: ({ server }) => server.cpu,
    words: percent,
    unit: "of a core",
    note: ({ server }) => (server.busiest === null ? "" : `busiest thread ${percent(server.busiest)}`),
    alarm: ({ server }) => (server.busiest ?? 0) > 0.9,
  },
  {
    name: "Event loop",
    least: 0.01,
    value: ({ server }) => server.lag,
    words: milliseconds,
    unit: "late",
    note: ({ server }) => ((server.lag ?? 0) > 0.1 ? "joining takes longer" : "at worst"),
    alarm: ({ server }) => (server.lag ?? 0) > 0.1,
  },
  {
    name: "Dropped",
    least: 1,
    value: ({ drops }) => drops.reduce((sum, drop) => sum + (drop.rate ?? 0), 0),
    words: rate,
    unit: "packets/s",
    note: ({ drops }) => droppedWords(drops.filter((drop) => (drop.rate ?? 0) > 0)),
  },
];

/** @param {import("./data.js").Drop[]} now */
function droppedWords(now) {
  if (now.length === 0) {
    return "nothing now";
  }
  return now.every(({ reason }) => dropWords(reason).weight === "usual") ? "for usual reasons" : "reasons below";
}

export class Vitals {
  #parts = VITALS.map((vital) => new Part(vital));
  #up = h("dd.vital-value", {}, "–");
  #version = h("dd.vital-note");
  element = h(
    "dl.vitals",
    { "aria-label": "The relay itself" },
    ...this.#parts.map(({ element }) => element),
    h("div.vital", {}, h("dt", {}, "Running"), this.#up, this.#version),
  );

  /** @param {Live} live */
  show(live) {
    for (const part of this.#parts) {
      part.show(live);
    }
    const { startedAt, version, history } = live.server;
    setText(this.#up, startedAt === null ? "–" : duration(live.at - startedAt));
    const notes = { on: "", off: "keeps no history", failing: "the history fails" };
    setText(this.#version, [version && `version ${version}`, notes[history]].filter(Boolean).join(", "));
    setAttribute(this.#version, "data-alarm", history === "failing");
  }
}

class Part {
  element;
  #vital;
  #value = h("span", {}, "–");
  #note = h("dd.vital-note");
  #line;

  /** @param {Vital} vital */
  constructor(vital) {
    this.#vital = vital;
    this.#line = new Sparkline(vital.least);
    const value = h("dd.vital-value", {}, this.#value, " ", h("span.unit", {}, vital.unit));
    this.element = h(
      "div.vital",
      {},
      h("dt", {}, vital.name),
      value,
      this.#note,
      h("dd.vital-line", {}, this.#line.element),
    );
  }

  /** @param {Live} live */
  show(live) {
    const value = this.#vital.value(live);
    setText(this.#value, this.#vital.words(value));
    setText(this.#note, this.#vital.note(live));
    setAttribute(this.element, "data-alarm", this.#vital.alarm?.(live) ?? false);
    this.#line.add(value);
  }
}
