/** One room's call: whom it went badly for and why, everybody over time, its curve, and what happened. */

import { ChartGroup, symbolLegend } from "./chartgroup.js";
import { happeningsOf, participationOf, roomTimeOf, series, stepOf } from "./data.js";
import { roomDiagnosis } from "./diagnosis.js";
import { h, renew } from "./elements.js";
import { eventList } from "./eventlist.js";
import { count, duration, percent, span, whole } from "./format.js";
import { Lanes, lanesOf, worstStay } from "./lanes.js";
import { loading, pageHead } from "./pagehead.js";
import { diagnosed, follow, marksOf, meanOf, SCORE_CHART } from "./past.js";
import { worst, worstFirst } from "./quality.js";
import { formatRoute, numberIn } from "./route.js";
import { markKind, MARK_WORDS } from "./words.js";

/**
 * @typedef {import("./chart.js").ChartKind} ChartKind
 * @typedef {import("./dashboard.js").Context} Context
 * @typedef {import("./data.js").Json} Json
 * @typedef {import("./frame.js").Mark} Mark
 * @typedef {import("./route.js").Route} Route
 */

/** So many lanes at first; the worst are among them. */
const MOST_LANES = 40;

/** What everybody does all the time says little about a room. */
const SMALL = new Set(["hearing", "heard", "muted", "unmuted", "publishing", "published"]);

/** @type {ChartKind[]} */
const CHARTS = [
  SCORE_CHART,
  { title: "Loss", words: percent, least: 0.02 },
  { title: "People", words: whole, least: 4 },
];

export class RoomView {
  element = h("div.room-page", {}, loading("Loading this room"));
  #context;
  #id;
  #charts = new ChartGroup(CHARTS, "Time in this room", (at) => this.#settle(at));
  #lanes = new Lanes((id) => formatRoute("call", id));
  #head = h("div");
  #diagnosis = h("div");
  #laneTitle = h("h2", { id: "lanes-title" }, "Everybody");
  #laneLegend = h("p.symbol-legend");
  #all = h("button.secondary.small", { type: "button", hidden: true });
  #happened = h("div");
  #showAll = false;
  /** @type {import("./frame.js").Span} */
  #until = { from: 0, to: 0 };
  /** @type {import("./lanes.js").Lane[]} */
  #people = [];
  #drawn = false;
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
    this.#at = numberIn(route, "at");
    if (this.#drawn) {
      this.#look();
      return;
    }
    this.#context.setTitle("A room");
    follow(
      this.#context,
      `history/rooms/${encodeURIComponent(this.#id)}`,
      "ended_at",
      (answer, diagnosis) => this.#draw(answer, diagnosis),
      (page) => this.element.replaceChildren(page),
      "This room is not known",
    );
    this.#all.addEventListener("click", () => {
      this.#showAll = true;
      this.#drawLanes(this.#until, this.#people);
    });
  }

  close() {
    this.#charts.close();
    this.#lanes.close();
  }

  /**
   * @param {Json} answer
   * @param {Json} diagnosis
   */
  #draw(answer, diagnosis) {
    const participations = answer.participations.map(participationOf);
    const names = new Map(
      participations.map((/** @type {import("./data.js").Participation} */ { id, name }) => [id, name]),
    );
    const events = happeningsOf(answer.events ?? [], names);
    const now = Date.now() / 1000;
    const until = { from: answer.started_at, to: answer.ended_at ?? Math.max(answer.started_at + 60, now) };
    const lanes = lanesOf(participations, marksByPerson(events));
    this.#context.setTitle(`${answer.room}, ${span(answer.started_at, answer.ended_at, now)}`);
    if (!this.#drawn) {
      this.#arrange();
    }
    renew(this.#head, this.#pageHead(answer, lanes.length));
    renew(
      this.#diagnosis,
      diagnosed(diagnosis, (known) => roomDiagnosis(known, (id) => formatRoute("call", id))),
    );
    this.#drawLanes(until, lanes);
    renew(this.#laneLegend, ...symbolLegend(marksOf(events), MARK_WORDS));
    const curve = answer.curve ?? [];
    const score = [
      { key: "worst", name: "the worst", points: series(curve, "worst_score") },
      { key: "mean", name: "all", points: series(curve, "score") },
    ];
    const loss = [
      { key: "up", name: "from people", points: series(curve, "loss_up") },
      { key: "down", name: "to people", points: series(curve, "loss_down") },
    ];
    this.#charts.show(
      until,
      stepOf(curve),
      [score, loss, [{ key: "mean", name: "", points: series(curve, "participants") }]],
      marksOf(events).filter(({ kind }) => kind !== "joined" && kind !== "left"),
    );
    const notable = events.filter(({ kind }) => !SMALL.has(kind));
    renew(
      this.#happened,
      eventList(notable, true, (at) => this.#settle(at, true)),
    );
    if (!this.#drawn) {
      this.#drawn = true;
      this.#look();
    }
  }

  /** Puts the parts in their places. */
  #arrange() {
    const hadFocus = this.element.contains(document.activeElement);
    this.element.replaceChildren(
      this.#head,
      this.#diagnosis,
      h(
        "section.everybody",
        { "aria-labelledby": "lanes-title" },
        this.#laneTitle,
        this.#laneLegend,
        this.#lanes.element,
        this.#all,
      ),
      h(
        "section.curves",
        { "aria-labelledby": "curves-title" },
        h("h2", { id: "curves-title" }, "The room as a curve"),
        this.#charts.element,
      ),
      this.#happened,
    );
    if (hadFocus) {
      queueMicrotask(() => this.element.querySelector("h1")?.focus({ preventScroll: true }));
    }
  }

  /**
   * @param {import("./frame.js").Span} until
   * @param {import("./lanes.js").Lane[]} lanes
   */
  #drawLanes(until, lanes) {
    this.#until = until;
    this.#people = lanes;
    const sorted = worstFirst(lanes, (lane) => worst([worstStay(lane).worstScore]));
    const shown = this.#showAll ? sorted : sorted.slice(0, MOST_LANES);
    this.#lanes.show(until, shown);
    this.#laneTitle.textContent = `${count(lanes.length, "person", "people")}, the worst call first`;
    this.#all.hidden = shown.length === lanes.length;
    this.#all.textContent = `Show all ${lanes.length}`;
  }

  /**
   * @param {Json} answer
   * @param {number} people
   */
  #pageHead(answer, people) {
    const room = roomTimeOf(answer);
    const now = Date.now() / 1000;
    const mean = worst([room.score]) ?? meanOf(answer.curve ?? [], "score");
    const low =
      room.worstScore ?? worst(answer.participations.map((/** @type {Json} */ { worst_score: score }) => score));
    return pageHead(this.#context, {
      crumbs: [{ words: room.name }],
      facts: [
        span(room.startedAt, room.endedAt, now),
        duration((room.endedAt ?? now) - room.startedAt),
        count(people, "person", "people"),
      ],
      path: `history/rooms/${encodeURIComponent(room.id)}`,
      name: `room-${room.id}`,
      scores: [
        ["On average", mean],
        ["At worst", low],
      ],
    });
  }

  #look() {
    if (this.#at !== null) {
      this.#charts.read(this.#at);
    }
  }

  /** @param {number} at @param {boolean} [look] */
  #settle(at, look = false) {
    this.#at = Math.round(at);
    this.#context.settle(formatRoute("room", this.#id, { at: this.#at }));
    if (look) {
      this.#look();
      this.#charts.element.scrollIntoView({ block: "nearest" });
    }
  }
}

/**
 * @param {import("./data.js").Happening[]} events
 * @returns {Map<string, Mark[]>}
 */
function marksByPerson(events) {
  /** @type {Map<string, Mark[]>} */
  const byPerson = new Map();
  for (const event of events) {
    if (markKind(event)) {
      byPerson.set(event.person, [...(byPerson.get(event.person) ?? []), ...marksOf([event])]);
    }
  }
  return byPerson;
}
