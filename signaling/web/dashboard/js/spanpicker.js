/** Choosing a day or a span. */

import { find } from "../../js/dom.js";
import { h, icon } from "./elements.js";
import { addDays, clock, dayStart, isoDay } from "./format.js";
import { formatRoute, numberIn } from "./route.js";

/**
 * @typedef {import("./frame.js").Span} Span
 * @typedef {import("./route.js").Route} Route
 */

const DAY = 86_400;

/** What the API can answer at once. */
const LONGEST = 92 * DAY;

/**
 * @param {Route} route
 * @param {number} now
 * @returns {Span} what the address names; else the last 24 hours
 */
export function spanOf(route, now) {
  const from = numberIn(route, "from");
  const to = numberIn(route, "to");
  if (from === null && to === null) {
    const minute = Math.ceil(now / 60) * 60;
    return { from: minute - DAY, to: minute };
  }
  const end = to ?? (from ?? now) + DAY;
  const start = from ?? end - DAY;
  return start < end ? { from: Math.max(start, end - LONGEST), to: end } : { from: start, to: start + 3600 };
}

export class SpanPicker {
  #choose;
  #day = /** @type {HTMLInputElement} */ (h("input", { type: "date", id: "day" }));
  #from = /** @type {HTMLInputElement} */ (h("input", { type: "datetime-local", id: "span-from" }));
  #to = /** @type {HTMLInputElement} */ (h("input", { type: "datetime-local", id: "span-to" }));
  #presets = h("div.presets", { role: "group", "aria-label": "Span" });
  #day0 = 0;
  element;

  /** @param {(from: number, to: number) => void} choose */
  constructor(choose) {
    this.#choose = choose;
    this.#day.addEventListener("change", () => this.#chooseDay(dayStart(this.#day.value)));
    const step = (/** @type {number} */ days, /** @type {string} */ symbol, /** @type {string} */ words) => {
      const button = h("button.secondary.step", { type: "button", "aria-label": words }, icon(symbol));
      button.addEventListener("click", () => this.#chooseDay(addDays(this.#day0, days)));
      return button;
    };
    const form = h(
      "form.span-form",
      {},
      h("label", {}, h("span", {}, "From"), this.#from),
      h("label", {}, h("span", {}, "To"), this.#to),
      h("button.primary.small", { type: "submit" }, "Show"),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#chooseSpan();
    });
    this.element = h(
      "div.span-picker",
      {},
      this.#presets,
      h(
        "div.day-picker",
        { role: "group", "aria-label": "Day" },
        step(-1, "back", "The day before"),
        h("label", {}, h("span.visually-hidden", {}, "Day"), this.#day),
        step(1, "forward", "The day after"),
      ),
      h("details.other-span", {}, h("summary", {}, "Another span"), form),
    );
  }

  /**
   * @param {Span} span
   * @param {number} now
   */
  show({ from, to }, now) {
    const today = dayStart(isoDay(now)) ?? now;
    this.#day0 = dayStart(isoDay(from)) ?? from;
    this.#day.value = isoDay(from);
    this.#day.max = isoDay(now);
    this.#from.value = local(from);
    this.#to.value = local(to);
    const minute = Math.ceil(now / 60) * 60;
    /** @type {[string, number, number][]} */
    const presets = [
      ["Last hour", minute - 3600, minute],
      ["24 hours", minute - DAY, minute],
      ["Today", today, addDays(today, 1)],
      ["Yesterday", addDays(today, -1), today],
    ];
    const current = presets.find(([, start, end]) => Math.abs(start - from) < 120 && Math.abs(end - to) < 120)?.[0];
    if (this.#presets.childElementCount === 0) {
      this.#presets.append(...presets.map(([words]) => h("a.preset", {}, words)));
    }
    for (const [index, [words, start, end]] of presets.entries()) {
      const link = this.#presets.children[index];
      link.setAttribute("href", formatRoute("history", "", { from: start, to: end }));
      link.toggleAttribute("aria-current", words === current);
      if (words === current) {
        link.setAttribute("aria-current", "true");
      }
    }
  }

  /** @param {number | null} start */
  #chooseDay(start) {
    if (start !== null) {
      this.#choose(start, addDays(start, 1));
    }
  }

  #chooseSpan() {
    const from = new Date(this.#from.value).getTime() / 1000;
    const to = new Date(this.#to.value).getTime() / 1000;
    const wrong = !(from < to);
    this.#to.setCustomValidity(wrong ? "The end must be after the start." : "");
    if (wrong) {
      this.#to.reportValidity();
      this.#to.addEventListener("input", () => this.#to.setCustomValidity(""), { once: true });
    } else {
      this.#choose(from, to);
      find("details.other-span", HTMLDetailsElement, this.element).open = false;
    }
  }
}

/** @param {number} at @returns {string} the form of a date and time field */
function local(at) {
  return `${isoDay(at)}T${clock(at)}`;
}
