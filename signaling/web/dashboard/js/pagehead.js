/** The head of a page about the past: where one is, a title, facts, and what can be taken away. */

import { chip } from "./chip.js";
import { h, icon } from "./elements.js";

/**
 * @typedef {import("./dashboard.js").Context} Context
 * @typedef {{words: string, href?: string}} Crumb
 */

/** How long "Copied" is shown. Milliseconds. */
const COPIED = 2000;

/**
 * @param {Context} context
 * @param {object} page
 * @param {Crumb[]} page.crumbs behind the history; the last one is here, and is the title
 * @param {(string | false)[]} page.facts the empty ones are left out
 * @param {string} page.path of the file that can be saved
 * @param {string} page.name of that file
 * @param {[string, number | null][]} page.scores each with what it is of
 * @returns {HTMLElement}
 */
export function pageHead(context, { crumbs, facts, path, name, scores }) {
  const title = crumbs[crumbs.length - 1].words;
  return h(
    "header.page-head",
    {},
    crumbTrail([{ words: "History", href: "#/history" }, ...crumbs]),
    h(
      "div.page-title",
      {},
      h("div", {}, h("h1", { tabindex: "-1" }, title), h("p.facts", {}, facts.filter(Boolean).join(" · "))),
      takeAway(context, () => ({ path, query: {}, name })),
    ),
    h("dl.scores", {}, ...scores.map(([words, score]) => h("div", {}, h("dt", {}, words), h("dd", {}, chip(score))))),
  );
}

/**
 * @param {Crumb[]} crumbs from the whole to the part; the last one is here
 * @returns {HTMLElement}
 */
function crumbTrail(crumbs) {
  return h(
    "nav.crumbs",
    { "aria-label": "Where you are" },
    h(
      "ol",
      { role: "list" },
      ...crumbs.map(({ words, href }) =>
        h("li", {}, href ? h("a", { href }, words) : h("span", { "aria-current": "page" }, words)),
      ),
    ),
  );
}

/**
 * @param {Context} context
 * @param {() => {path: string, query: Record<string, string | number>, name: string}} what to be saved
 * @returns {HTMLElement} buttons: CSV, JSON, and the link to this place
 */
export function takeAway(context, what) {
  const save = (/** @type {"csv" | "json"} */ format) => {
    const button = h("button.secondary.small", { type: "button" }, icon("save"), format.toUpperCase());
    button.setAttribute("aria-label", `Save as ${format.toUpperCase()}`);
    button.addEventListener("click", async () => {
      const { path, query, name } = what();
      button.setAttribute("aria-busy", "true");
      await context.save(path, { ...query, format }, `${name}.${format}`);
      button.removeAttribute("aria-busy");
    });
    return button;
  };
  return h(
    "div.take-away",
    { role: "group", "aria-label": "Take away" },
    save("csv"),
    save("json"),
    linkButton(context),
  );
}

/** @param {Context} context */
function linkButton(context) {
  const words = h("span", {}, "Copy link");
  const button = h("button.secondary.small", { type: "button" }, icon("link"), words);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      words.textContent = "Copied";
      context.announce("Link copied.");
    } catch {
      words.textContent = "Copy the address above"; // clipboards are for secure pages only
    }
    setTimeout(() => {
      words.textContent = "Copy link";
    }, COPIED);
  });
  return button;
}

/**
 * What is shown instead of a page that cannot be.
 *
 * @param {string} title
 * @param {string} words
 * @returns {HTMLElement}
 */
export function nothingHere(title, words) {
  return h(
    "section.panel.nothing",
    {},
    h("h1", { tabindex: "-1" }, title),
    h("p", {}, words),
    h(
      "p",
      {},
      h("a", { href: "#/" }, "What goes on now"),
      " or ",
      h("a", { href: "#/history" }, "what was before"),
      ".",
    ),
  );
}

/** @param {string} words @returns {HTMLElement} */
export function loading(words) {
  return h(
    "div.loading",
    { role: "status" },
    h("h1.visually-hidden", { tabindex: "-1" }, words),
    h("span.loading-bar"),
    h("p", { "aria-hidden": "true" }, words),
  );
}
