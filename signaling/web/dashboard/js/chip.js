/** A score as a mark that is read without its colour: a shape, a number, and a word for screen readers. */

import { setText } from "../../js/dom.js";
import { h, setAttribute } from "./elements.js";
import { scoreText } from "./format.js";
import { band, BAND_WORDS } from "./quality.js";

export class Chip {
  element;
  #number = h("span");
  #word = h("span.visually-hidden");

  /** @param {number | null} [score] */
  constructor(score = null) {
    this.element = h("span.chip", {}, h("span.shape", { "aria-hidden": "true" }), this.#number, this.#word);
    this.show(score);
  }

  /**
   * @param {number | null | undefined} score
   * @param {import("./quality.js").Band} [how] where more than the score counts
   */
  show(score, how = band(score)) {
    setAttribute(this.element, "data-band", how);
    setText(this.#number, scoreText(score));
    setText(this.#word, ` ${BAND_WORDS[how]}`);
  }
}

/** @param {number | null | undefined} score @returns {HTMLElement} */
export function chip(score) {
  return new Chip(score ?? null).element;
}
