/** Finding somebody's calls by a name: operators are asked "why was Ada's call bad yesterday at three". */

import { setText } from "../../js/dom.js";
import { chip } from "./chip.js";
import { participationOf } from "./data.js";
import { h } from "./elements.js";
import { span } from "./format.js";
import { worstFirst } from "./quality.js";
import { formatRoute } from "./route.js";

/**
 * @typedef {import("./data.js").Json} Json
 * @typedef {import("./frame.js").Span} Span
 */

/** After the last letter. Milliseconds. */
const PAUSE = 350;

/** Calls that are shown. */
const MOST = 50;

export class PeopleFinder {
  #input = /** @type {HTMLInputElement} */ (
    h("input", { type: "search", placeholder: "Name of a person", "aria-label": "Find a person’s calls" })
  );
  #list = h("ul.found-people", { role: "list" });
  #note = h("p.soft", { role: "status" });
  element = h(
    "section.past",
    { "aria-labelledby": "people-title" },
    h("div.section-head", {}, h("h2", { id: "people-title" }, "Somebody’s calls"), h("div.search", {}, this.#input)),
    this.#list,
    this.#note,
  );
  #ask;
  #timer = 0;
  /** @type {Span} */
  #span = { from: 0, to: 0 };
  #asked = 0;

  /** @param {(query: {name: string, from: number, to: number, limit: number}) => Promise<Json | null>} ask null: no answer */
  constructor(ask) {
    this.#ask = ask;
    this.#input.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#find(), PAUSE);
    });
  }

  /** @param {Span} when to look */
  show(when) {
    const moved = when.from !== this.#span.from || when.to !== this.#span.to;
    this.#span = when;
    if (moved) {
      this.#find();
    }
  }

  async #find() {
    const name = this.#input.value.trim();
    this.#asked += 1;
    const asked = this.#asked;
    if (name === "") {
      this.#list.replaceChildren();
      setText(this.#note, "By a name, or a part of it: everybody of that name in the time above.");
      return;
    }
    const answer = await this.#ask({ name, ...this.#span, limit: MOST });
    if (asked !== this.#asked || answer === null) {
      return; // more letters came meanwhile
    }
    const now = Date.now() / 1000;
    const found = worstFirst(answer.participations, (/** @type {Json} */ each) => each.worst_score ?? null);
    this.#list.replaceChildren(...found.map((/** @type {Json} */ each) => row(each, now)));
    const more = answer.truncated ? `These are the latest ${MOST}; there are more.` : "";
    setText(this.#note, found.length === 0 ? `Nobody called “${name}” was here in this time.` : more);
  }
}

/**
 * @param {Json} answer
 * @param {number} now
 */
function row(answer, now) {
  const { id, name, identity, joinedAt, leftAt, worstScore } = participationOf(answer);
  return h(
    "li",
    {},
    chip(worstScore),
    h(
      "span.past-who",
      {},
      h("a.past-name", { dir: "auto", href: formatRoute("call", id), title: name }, name),
      h("span.past-when", {}, [span(joinedAt, leftAt, now), `in ${answer.room}`, identity].filter(Boolean).join(" · ")),
    ),
  );
}
