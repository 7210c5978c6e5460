/** The last minutes of one figure, as a small line beside it. */

import { s, setAttribute } from "./elements.js";
import { linear, linePath, niceTop } from "./scale.js";

const WIDTH = 96;
const HEIGHT = 28;

/** Two minutes at one look each two seconds. */
const KEPT = 60;

export class Sparkline {
  #path = s("path.line");
  #base = s("line.base", { x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 });
  element = s(
    "svg.sparkline",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    this.#base,
    this.#path,
  );
  /** @type {(number | null)[]} */
  #values = [];
  #least;

  /** @param {number} least what its height stands for at least */
  constructor(least) {
    this.#least = least;
  }

  /** @param {number | null} value */
  add(value) {
    this.#values = [...this.#values, value].slice(-KEPT);
    const top = niceTop(Math.max(0, ...this.#values.map((each) => each ?? 0)), this.#least);
    const y = linear(0, top, HEIGHT - 2, 2);
    const first = KEPT - this.#values.length;
    const x = linear(0, KEPT - 1, 0, WIDTH);
    const points = this.#values.map((each, index) => /** @type {const} */ ([first + index, each]));
    setAttribute(this.#path, "d", linePath(points, x, y));
  }
}
