/** Why a call was bad: the likely cause, in a sentence, with what speaks for it and what helps. */

import { h, icon } from "./elements.js";
import { clockWithSeconds, duration, milliseconds, percent, whole } from "./format.js";
import { causeWords } from "./words.js";

/**
 * @typedef {import("./data.js").Json} Json
 */

/**
 * @param {Json} answer of `…/diagnosis`, of a participation
 * @param {(at: number) => void} onTime the reader wants to see that instant
 * @returns {HTMLElement}
 */
export function callDiagnosis(answer, onTime) {
  const fine = answer.cause === "none";
  const { title, advice } = causeWords(answer.cause);
  const evidence = (answer.evidence ?? []).map((/** @type {Json} */ each) => evidenceRow(each, answer, onTime));
  return frame(
    fine ? "good" : answer.cause === "unknown" ? "none" : "bad",
    fine ? "Nothing was bad in this call" : title,
    h("p", {}, answer.summary),
    !fine && answer.bad_share > 0 && h("p.soft", {}, `Bad for ${percent(answer.bad_share)} of the time.`),
    evidence.length > 0 && h("ul.evidence", { role: "list", "aria-label": "What speaks for it" }, ...evidence),
    advice !== "" && h("p.advice", {}, advice),
  );
}

/**
 * @param {Json} answer of `…/diagnosis`, of a room
 * @param {(id: string) => string} hrefOf a participation
 * @returns {HTMLElement}
 */
export function roomDiagnosis(answer, hrefOf) {
  const fine = answer.cause === "none";
  const { title, advice } = causeWords(answer.cause);
  const concerned = (answer.participations ?? []).filter(
    (/** @type {Json} */ { cause }) => cause !== "none" && cause !== "unknown",
  );
  const rows = concerned.slice(0, 8).map((/** @type {Json} */ each) => {
    const cause = each.cause === answer.cause ? "" : `${causeWords(each.cause).title}. `;
    const words = `${cause}${percent(each.bad_share)} of the time was bad`;
    return h("li", {}, h("a", { dir: "auto", href: hrefOf(each.participation_id) }, each.name), h("span", {}, words));
  });
  return frame(
    fine ? "good" : answer.cause === "unknown" ? "none" : "bad",
    fine ? "Nothing was bad in this room" : title,
    h("p", {}, answer.summary),
    rows.length > 0 && h("ul.evidence", { role: "list", "aria-label": "Whom it concerns" }, ...rows),
    concerned.length > 8 && h("p.soft", {}, `and ${concerned.length - 8} more`),
    advice !== "" && h("p.advice", {}, advice),
  );
}

/**
 * @param {string} tone
 * @param {string} title
 * @param {...(HTMLElement | false)} children
 */
function frame(tone, title, ...children) {
  return h(
    "section.diagnosis",
    { "data-tone": tone, "aria-labelledby": "diagnosis-title" },
    h("span.glyph", { "aria-hidden": "true", "data-tone": tone }, icon(tone)),
    h("div", {}, h("h2", { id: "diagnosis-title" }, title), ...children),
  );
}

/**
 * @param {Json} each
 * @param {Json} whole the answer that it belongs to
 * @param {(at: number) => void} onTime
 */
function evidenceRow({ cause, summary, from, to, figures }, whole, onTime) {
  const when = `${clockWithSeconds(from)}, ${duration(to - from)}`;
  const show = h("button.time-link", { type: "button", "aria-label": `${when}: show it in the curves` }, when);
  show.addEventListener("click", () => onTime(from + Math.min(to - from, 10)));
  const said = summary === whole.summary ? "" : cause === whole.cause ? summary : `Also: ${summary}`;
  return h("li", {}, show, h("span", {}, [said, figureWords(figures ?? {})].filter(Boolean).join(" ")));
}

/** @type {Record<string, (value: number) => string>} */
const FIGURES = {
  loss: (value) => `${percent(value)} loss`,
  worst_loss: (value) => `${percent(value)} at worst`,
  delay: (value) => `${milliseconds(value)} from mouth to ear`,
  worst_delay: (value) => `${milliseconds(value)} at worst`,
  silence: (value) => (value > 0 ? `${duration(value)} without a connection` : ""),
  busiest_thread: (value) => `busiest thread ${percent(value)}`,
  packets_dropped: (value) => (value > 0 ? `${whole(value)} packets dropped` : ""),
};

/** @param {Json} figures @returns {string} those that have words */
function figureWords(figures) {
  return Object.entries(figures)
    .flatMap(([name, value]) =>
      Object.hasOwn(FIGURES, name) && typeof value === "number" ? [FIGURES[name](value)] : [],
    )
    .filter(Boolean)
    .join(", ");
}
