/** One open room: a line that says enough, and everybody in it when it is unfolded. */

import { setText } from "../../js/dom.js";
import { Chip } from "./chip.js";
import { h, icon, KeyedList, setAttribute } from "./elements.js";
import { count, duration, milliseconds, percent } from "./format.js";
import { band, BAND_WORDS, personScore, roomScore, worst, worstFirst } from "./quality.js";
import { formatRoute } from "./route.js";

/**
 * @typedef {import("./data.js").LiveRoom} LiveRoom
 * @typedef {import("./data.js").Person} Person
 * @typedef {import("./data.js").Quality} Quality
 */

const COLUMNS = ["Person", "Voice", "Is heard", "Hears", "Loss from / to", "Jitter", "Round trip"];

export class RoomCard {
  /** Whether rooms in which everybody is fine begin folded. */
  static foldFine = false;

  #name = h("h3");
  #facts = h("span.room-facts");
  #dots = h("span.dots", { "aria-hidden": "true" });
  #dotList = new KeyedList(
    this.#dots,
    (/** @type {Person} */ { id }) => id,
    () => dot(),
  );
  #score = new Chip();
  #people = h("tbody", { role: "rowgroup" });
  #rows = new KeyedList(
    this.#people,
    (/** @type {Person} */ { id }) => id,
    () => new PersonRow(),
  );
  #link = h("a", {}, "This room’s call so far");
  #linkRow = h("p.room-link", { hidden: true }, this.#link);
  #touched = false;
  #caption = h("caption.visually-hidden");
  element = /** @type {HTMLDetailsElement} */ (
    h(
      "details.room",
      {},
      h("summary", {}, this.#name, this.#facts, this.#dots, this.#score.element),
      h(
        "table.people",
        { role: "table" },
        this.#caption,
        h(
          "thead",
          { role: "rowgroup" },
          h("tr", { role: "row" }, ...COLUMNS.map((text) => h("th", { role: "columnheader", scope: "col" }, text))),
        ),
        this.#people,
      ),
      this.#linkRow,
    )
  );

  constructor() {
    this.element.querySelector("summary")?.addEventListener("click", () => {
      this.#touched = true; // from here on the reader says what is unfolded
    });
    this.element.addEventListener("toggle", () => this.#drawPeople());
  }

  /** @type {LiveRoom | null} */
  #room = null;

  /** @param {LiveRoom} room */
  update(room) {
    this.#room = room;
    const score = roomScore(room);
    setText(this.#name, room.name);
    this.#name.title = room.name;
    const speaking = room.people.filter(({ speaking: speaks }) => speaks).length;
    setText(
      this.#facts,
      [count(room.people.length, "person", "people"), speaking > 0 && `${speaking} speaking`]
        .filter(Boolean)
        .join(", "),
    );
    this.#score.show(score);
    setAttribute(this.element, "data-band", band(score));
    setText(this.#caption, `People in ${room.name}, the worst connection first`);
    this.#dotList.update(worstFirst(room.people, personScore));
    this.#linkRow.hidden = room.id === "";
    setAttribute(this.#link, "href", room.id ? formatRoute("room", room.id) : null);
    setText(this.#link, `This room’s call, ${duration(Math.max(0, Date.now() / 1000 - room.startedAt))} so far`);
    if (!this.#touched) {
      this.element.open = !RoomCard.foldFine || ["bad", "fair"].includes(band(score));
    }
    this.#drawPeople();
  }

  /** Only where somebody sees them: 200 people in folded rooms cost nothing. */
  #drawPeople() {
    if (this.#room && this.element.open) {
      this.#rows.update(worstFirst(this.#room.people, personScore));
    }
  }
}

function dot() {
  const element = h("span.dot");
  return {
    element,
    update: (/** @type {Person} */ person) => {
      setAttribute(
        element,
        "data-band",
        person.link === "lost" ? "fair" : person.link === "failed" ? "bad" : band(personScore(person)),
      );
      setAttribute(element, "data-speaking", person.speaking);
    },
  };
}

class PersonRow {
  #name = h("a.person-name");
  #identity = h("span.identity", { dir: "auto" });
  #state = h("span.voice-state");
  #level = h("span.level", { "aria-hidden": "true" }, h("span.level-bar"));
  #mic = icon("mic-off");
  #up = new Chip();
  #down = new Chip();
  #loss = h("span");
  #jitter = h("span");
  #rtt = h("span");
  element = h(
    "tr.person",
    { role: "row" },
    h("th", { role: "rowheader", scope: "row", dir: "auto" }, this.#name, this.#identity),
    cell("voice", "Voice", this.#level, this.#mic, this.#state),
    cell("score", "Is heard", this.#up.element),
    cell("score", "Hears", this.#down.element),
    cell("figure", "Loss from / to", this.#loss),
    cell("figure", "Jitter", this.#jitter),
    cell("figure", "Round trip", this.#rtt),
  );

  /** @param {Person} person */
  update(person) {
    setText(this.#name, person.name);
    setAttribute(this.#name, "href", person.call ? formatRoute("call", person.call) : null);
    this.#name.title = person.name;
    setText(this.#identity, person.identity && person.identity !== person.name ? person.identity : "");
    setText(this.#state, voiceWords(person));
    setAttribute(this.element, "data-voice", voiceState(person));
    const heard = person.muted ? 0 : Math.max(0, Math.min(1, 1 + person.level / 60));
    this.#level.style.setProperty("--level", heard.toFixed(2));
    this.#up.show(person.up?.score);
    this.#down.show(person.down?.score);
    setText(this.#loss, `${percent(person.up?.loss)} / ${percent(person.down?.loss)}`);
    setText(this.#jitter, milliseconds(highest([person.up?.jitter, person.down?.jitter])));
    setText(this.#rtt, milliseconds(highest([person.up?.rtt, person.down?.rtt])));
    this.#down.element.title = hears(person.down);
  }
}

/** @param {(number | null | undefined)[]} values */
function highest(values) {
  const known = worst(values.map((value) => (value === null || value === undefined ? null : -value)));
  return known === null ? null : -known;
}

/** @param {Quality | null} down */
function hears(down) {
  return down?.speaker ? `${down.speaker} sounds ${BAND_WORDS[band(down.score)]} to them` : "";
}

/** @param {Person} person */
function voiceState({ link, muted, speaking }) {
  return link !== "connected" ? link : muted ? "muted" : speaking ? "speaking" : "quiet";
}

/** @param {Person} person */
function voiceWords(person) {
  const words = {
    silent: "only listens",
    connecting: "connecting",
    lost: "reconnecting",
    failed: "no connection",
    muted: "muted",
    speaking: "speaking",
    quiet: "quiet",
  };
  return words[voiceState(person)];
}

/**
 * @param {string} kind
 * @param {string} label shown where there is no room for a table's head
 * @param {...Node} children
 */
function cell(kind, label, ...children) {
  return h(`td.${kind}`, { role: "cell", "data-label": label }, ...children);
}
