/** The rooms of a span: where they lie in it, and how they went. */

import { setText } from "../../js/dom.js";
import { Chip } from "./chip.js";
import { h, KeyedList, setAttribute } from "./elements.js";
import { clock, count, dayWords, duration, scoreText } from "./format.js";
import { band, pastScore, worstFirst } from "./quality.js";
import { formatRoute } from "./route.js";

/**
 * @typedef {import("./data.js").RoomTime} RoomTime
 * @typedef {import("./frame.js").Span} Span
 */

/** So many at first. */
const MOST = 60;

export class RoomList {
  #title = h("h2", { id: "past-rooms-title" }, "Rooms");
  #note = h("p.soft", {}, "With the score of the call that went worst, all in all");
  #search = /** @type {HTMLInputElement} */ (
    h("input", { type: "search", placeholder: "Name of a room", "aria-label": "Find a room" })
  );
  #order = /** @type {HTMLSelectElement} */ (
    h(
      "select",
      { "aria-label": "Order" },
      h("option", { value: "worst" }, "Worst first"),
      h("option", { value: "latest" }, "Latest first"),
      h("option", { value: "largest" }, "Most people first"),
    )
  );
  #list = h("ul.past-rooms", { role: "list" });
  #rows = new KeyedList(
    this.#list,
    (/** @type {{room: RoomTime}} */ { room }) => room.id,
    () => new Row(),
  );
  #nothing = h("p.empty", { hidden: true });
  #all = h("button.secondary.small", { type: "button", hidden: true });
  element = h(
    "section.past",
    { "aria-labelledby": "past-rooms-title" },
    h("div.section-head", {}, h("div", {}, this.#title, this.#note), h("div.filters", {}, this.#search, this.#order)),
    this.#list,
    this.#nothing,
    this.#all,
  );
  #showAll = false;
  /** @type {{rooms: RoomTime[], span: Span, now: number} | null} */
  #data = null;

  constructor() {
    this.#search.addEventListener("input", () => this.#draw());
    this.#order.addEventListener("change", () => this.#draw());
    this.#all.addEventListener("click", () => {
      this.#showAll = true;
      this.#draw();
    });
  }

  /**
   * @param {RoomTime[]} rooms the latest first
   * @param {Span} span
   * @param {number} now
   */
  show(rooms, span, now) {
    this.#data = { rooms, span, now };
    this.#draw();
  }

  #draw() {
    if (!this.#data) {
      return;
    }
    const { rooms, span, now } = this.#data;
    const wanted = this.#search.value.trim().toLowerCase();
    const found = rooms.filter(({ name }) => name.toLowerCase().includes(wanted));
    const sorted = this.#sorted(found);
    const shown = this.#showAll ? sorted : sorted.slice(0, MOST);
    this.#note.hidden = rooms.length === 0;
    setText(this.#title, rooms.length > 0 ? count(rooms.length, "room") : "Rooms");
    this.#rows.update(shown.map((room) => ({ room, span, now })));
    this.#nothing.hidden = found.length > 0;
    setText(
      this.#nothing,
      wanted && rooms.length > 0
        ? `No room of this time is called “${this.#search.value.trim()}”.`
        : "No room was open in this time.",
    );
    this.#all.hidden = shown.length === found.length;
    setText(this.#all, `Show all ${found.length}`);
  }

  /** @param {RoomTime[]} rooms */
  #sorted(rooms) {
    switch (this.#order.value) {
      case "worst":
        return worstFirst(rooms, pastScore);
      case "largest":
        return [...rooms].sort((one, other) => other.people - one.people);
      default:
        return rooms;
    }
  }
}

class Row {
  #name = h("a.past-name");
  #when = h("span.past-when");
  #people = h("span.past-people");
  #moments = h("span.past-moments");
  #bar = h("span.past-bar");
  #score = new Chip();
  element = h(
    "li.past-room",
    {},
    this.#score.element,
    h("span.past-who", {}, this.#name, this.#when),
    h("span.past-track", { "aria-hidden": "true" }, this.#bar),
    h("span.past-count", {}, this.#people, this.#moments),
  );

  /** @param {{room: RoomTime, span: Span, now: number}} item */
  update({ room, span, now }) {
    const end = room.endedAt ?? now;
    const how = band(pastScore(room));
    setText(this.#name, room.name);
    this.#name.title = room.name;
    setAttribute(this.#name, "href", formatRoute("room", room.id));
    const until = room.endedAt === null ? "now" : clock(room.endedAt);
    setText(
      this.#when,
      `${dayWords(room.startedAt, now)} ${clock(room.startedAt)}–${until}, ${duration(end - room.startedAt)}`,
    );
    setText(this.#people, count(room.people, "call"));
    const moments = how !== "good" && room.lowestScore !== null ? `at worst ${scoreText(room.lowestScore)}` : "";
    setText(this.#moments, moments);
    this.#score.show(room.worstScore, how);
    setAttribute(this.#bar, "data-band", how);
    const share = (/** @type {number} */ at) => Math.min(1, Math.max(0, (at - span.from) / (span.to - span.from)));
    this.#bar.style.setProperty("--from", share(room.startedAt).toFixed(4));
    this.#bar.style.setProperty("--to", share(end).toFixed(4));
  }
}
