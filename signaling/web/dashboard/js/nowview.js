/** What goes on now: one sentence, then where it is not fine, then everything. */

import { setText } from "../../js/dom.js";
import { liveOf } from "./data.js";
import { Drops } from "./drops.js";
import { h, icon, KeyedList, setAttribute } from "./elements.js";
import { count } from "./format.js";
import { Chip } from "./chip.js";
import { headline, overload, roomScore, troubles, troubleWords, worstFirst } from "./quality.js";
import { RoomCard } from "./roomcard.js";
import { formatRoute } from "./route.js";
import { Steady } from "./steady.js";
import { Vitals } from "./vitals.js";

/**
 * @typedef {import("./dashboard.js").Context} Context
 * @typedef {import("./data.js").Live} Live
 * @typedef {import("./data.js").LiveRoom} LiveRoom
 * @typedef {import("./quality.js").Trouble} Trouble
 */

/** Milliseconds. */
const INTERVAL = 2000;

/** So many troubles are listed by name; the rest is found in the rooms, which are sorted. */
const MOST_TROUBLES = 6;

/** From so many people on the rooms that are fine are folded. */
const FOLD_FROM = 16;

/** From so many people on there is something to search for. */
const SEARCH_FROM = 8;

export class NowView {
  element;
  #context;
  #headline = h("section.headline", { "data-tone": "loading", "aria-label": "State of the relay" });
  #sentence = h("h1", { tabindex: "-1" }, "Asking the relay…");
  #others = h("p.others", { hidden: true });
  #glyph = h("span.glyph", { "aria-hidden": "true" });
  #troubleList = h("ul.troubles", { role: "list", hidden: true });
  #troubles = new KeyedList(
    this.#troubleList,
    (/** @type {Trouble} */ { key }) => key,
    (trouble) => troubleRow(trouble),
  );
  #more = h("p.more", { hidden: true });
  #vitals = new Vitals();
  #rooms = h("div.rooms");
  #cards;
  #roomsTitle = h("h2", { id: "rooms-title" }, "Rooms");
  #search = /** @type {HTMLInputElement} */ (
    h("input", { type: "search", placeholder: "Room or person", "aria-label": "Find a room or a person" })
  );
  #searchField = h("div.search", { hidden: true }, this.#search);
  #nothing = h("p.empty", { hidden: true });
  #drops = new Drops();
  /** @type {Live | null} */
  #live = null;
  #said = "";
  #strained = 0;
  #steady = new Steady();

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    this.#cards = new KeyedList(
      this.#rooms,
      (/** @type {LiveRoom} */ room) => room.id || room.name,
      () => new RoomCard(),
    );
    this.#headline.append(
      this.#glyph,
      h("div.headline-words", {}, h("div", {}, this.#sentence, this.#others), this.#troubleList, this.#more),
    );
    this.#search.addEventListener("input", () => this.#drawRooms());
    this.element = h(
      "div.now",
      {},
      this.#headline,
      this.#vitals.element,
      h(
        "section.rooms-section",
        { "aria-labelledby": "rooms-title" },
        h("div.section-head", {}, this.#roomsTitle, this.#searchField),
        this.#rooms,
        this.#nothing,
      ),
      this.#drops.element,
    );
    setAttribute(this.element, "data-loading", true);
  }

  show() {
    this.#context.setTitle("Now");
    this.#context.poll(async (signal) => {
      const answer = await this.#context.api.get("live", { consumers: "worst" }, signal);
      this.#draw(this.#steady.update(liveOf(answer)));
    }, INTERVAL);
  }

  close() {}

  /** @param {Live} live */
  #draw(live) {
    this.#live = live;
    setAttribute(this.element, "data-loading", false);
    const found = troubles(live);
    const { tone, text, rest } = headline(live, found, this.#strain(live));
    setAttribute(this.#headline, "data-tone", tone);
    if (this.#glyph.dataset.tone !== tone) {
      this.#glyph.dataset.tone = tone;
      this.#glyph.replaceChildren(icon(tone));
    }
    setText(this.#sentence, text);
    setText(this.#others, rest);
    this.#others.hidden = rest === "";
    this.#drawTroubles(found);
    this.#vitals.show(live);
    this.#drawRooms();
    this.#drops.show(live.drops);
    const bad = found.filter((each) => each.band === "bad").length;
    this.#context.setTitle(bad > 0 ? `(${bad}) bad calls` : "Now");
    this.#announce(tone, text, found);
  }

  /**
   * What is wrong with the relay itself: one answer alone may have met it at its start, or at a hiccup.
   *
   * @param {Live} live
   */
  #strain(live) {
    const strain = overload(live);
    this.#strained = strain ? this.#strained + 1 : 0;
    return this.#strained > 1 ? strain : "";
  }

  /** @param {Trouble[]} found */
  #drawTroubles(found) {
    this.#troubles.update(found.slice(0, MOST_TROUBLES));
    this.#troubleList.hidden = found.length === 0;
    const rest = found.length - MOST_TROUBLES;
    this.#more.hidden = rest <= 0;
    setText(this.#more, rest > 0 ? `and ${rest} more, who are marked in the rooms below` : "");
  }

  /**
   * Not every change of a number: only when it became better or worse, or somebody else is concerned.
   *
   * @param {string} tone
   * @param {string} text
   * @param {Trouble[]} found
   */
  #announce(tone, text, found) {
    const concerned = found.filter((each) => each.band === "bad").map(({ key }) => key);
    const state = [tone, ...concerned.sort()].join(" ");
    if (state !== this.#said) {
      if (this.#said !== "") {
        this.#context.announce(text);
      }
      this.#said = state;
    }
  }

  #drawRooms() {
    if (!this.#live) {
      return;
    }
    const { rooms, truncated } = this.#live;
    const people = rooms.reduce((sum, room) => sum + room.people.length, 0);
    const wanted = this.#search.value.trim().toLowerCase();
    const shown = wanted ? rooms.flatMap((room) => matching(room, wanted)) : rooms;
    this.#searchField.hidden = people < SEARCH_FROM && !wanted;
    setText(
      this.#roomsTitle,
      people > 0 ? `${count(rooms.length, "room")}, ${count(people, "person", "people")}` : "Rooms",
    );
    RoomCard.foldFine = people >= FOLD_FROM && !wanted;
    this.#cards.update(worstFirst(shown, roomScore));
    const nobody = "No room is open. As soon as somebody joins one, it is here; what was before is in the history.";
    const none = wanted && people > 0 ? `No room and no person is called “${this.#search.value.trim()}”.` : nobody;
    this.#nothing.hidden = shown.length > 0 && !truncated;
    setText(
      this.#nothing,
      shown.length > 0 ? "There are more connections than one answer holds: some rooms are left out." : none,
    );
  }
}

/**
 * @param {LiveRoom} room
 * @param {string} wanted in small letters
 * @returns {LiveRoom[]} the room with whom was looked for; none
 */
function matching(room, wanted) {
  if (room.name.toLowerCase().includes(wanted)) {
    return [room];
  }
  const people = room.people.filter(
    ({ name, identity }) => name.toLowerCase().includes(wanted) || identity.toLowerCase().includes(wanted),
  );
  return people.length > 0 ? [{ ...room, people }] : [];
}

/** @param {Trouble} first */
function troubleRow(first) {
  const score = new Chip();
  const { call } = first.person;
  const name = call ? h("a", { dir: "auto", href: formatRoute("call", call) }) : h("strong", { dir: "auto" });
  const words = h("span");
  const why = h("span.why");
  const element = h("li.trouble", {}, score.element, h("span.trouble-words", {}, name, " ", words, why));
  const update = (/** @type {Trouble} */ trouble) => {
    score.show(trouble.score);
    setText(name, trouble.person.name);
    setText(words, `${troubleWords(trouble)} in ${trouble.room.name}`);
    setText(why, trouble.why && `: ${trouble.why}`);
  };
  return { element, update };
}
