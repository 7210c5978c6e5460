/** Packets that were neither forwarded nor used, by their reason, with words for what it means. */

import { setText } from "../../js/dom.js";
import { h, KeyedList, setAttribute } from "./elements.js";
import { rate, whole } from "./format.js";
import { dropWords } from "./words.js";

/** @typedef {import("./data.js").Drop} Drop */

export class Drops {
  #body = h("tbody", { role: "rowgroup" });
  #list = new KeyedList(
    this.#body,
    (/** @type {Drop} */ { reason }) => reason,
    ({ reason }) => row(reason),
  );
  #table = h(
    "table.drops",
    { role: "table", "aria-labelledby": "drops-title", hidden: true },
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        ...["Reason", "What it means", "Now", "Since the start"].map((text) =>
          h("th", { role: "columnheader", scope: "col" }, text),
        ),
      ),
    ),
    this.#body,
  );
  #none = h("p.empty", {}, "Nothing was dropped since the relay started.");
  element = h(
    "section.drops-section",
    { "aria-labelledby": "drops-title" },
    h("h2", { id: "drops-title" }, "Dropped packets"),
    this.#none,
    this.#table,
  );

  /** @param {Drop[]} drops */
  show(drops) {
    this.#list.update(drops);
    this.#table.hidden = drops.length === 0;
    this.#none.hidden = drops.length > 0;
  }
}

/** @param {string} reason */
function row(reason) {
  const { name, words, weight } = dropWords(reason);
  const now = h("td.number", { role: "cell", "data-label": "Now" });
  const total = h("td.number", { role: "cell", "data-label": "Since the start" });
  const element = h(
    "tr",
    { role: "row", "data-weight": weight },
    h("th", { role: "rowheader", scope: "row" }, name, h("code", {}, reason)),
    h("td", { role: "cell" }, words),
    now,
    total,
  );
  const update = (/** @type {Drop} */ drop) => {
    setText(now, drop.rate ? `${rate(drop.rate)}/s` : "–");
    setText(total, whole(drop.total));
    setAttribute(element, "data-now", (drop.rate ?? 0) > 0);
  };
  return { element, update };
}
