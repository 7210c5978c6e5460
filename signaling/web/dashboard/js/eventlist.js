/** What happened, in order, each with a way to see that instant in the curves. */

import { h } from "./elements.js";
import { clockWithSeconds } from "./format.js";
import { eventWords, markKind } from "./words.js";

/** @typedef {import("./data.js").Happening} Happening */

/** More than that would be a log. */
const MOST = 500;

/**
 * @param {Happening[]} events
 * @param {boolean} names whether to say who; else all are of the same person
 * @param {(at: number) => void} [onTime]
 * @returns {HTMLElement}
 */
export function eventList(events, names, onTime) {
  const rows = events.slice(0, MOST).map((event) => {
    const time = clockWithSeconds(event.at);
    const when = onTime
      ? h("button.time-link", { type: "button", "aria-label": `Show ${time} in the curves` }, time)
      : h("span.time", {}, time);
    when.addEventListener("click", () => onTime?.(event.at));
    const words = eventWords(event);
    return h(
      "li",
      { "data-kind": markKind(event) ?? "small" },
      when,
      h(
        "span",
        {},
        names && event.name && h("strong", { dir: "auto" }, event.name),
        names ? ` ${words}` : `${words[0]?.toUpperCase()}${words.slice(1)}`,
      ),
    );
  });
  const rest = events.length - MOST;
  return h(
    "section.events",
    { "aria-labelledby": "events-title" },
    h("h2", { id: "events-title" }, "What happened"),
    events.length === 0 && h("p.empty", {}, "Nothing was noted."),
    h("ol", { role: "list" }, ...rows),
    rest > 0 && h("p.soft", {}, `and ${rest} more, which are in the JSON`),
  );
}
