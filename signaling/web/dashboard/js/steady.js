/**
 * Figures of two seconds jump: reports of what was lost come at intervals of their own. What is judged is the mean
 * of the last looks, so that a bad call is one steadily and a good one is not for a hiccup. Pure.
 */

/**
 * @typedef {import("./data.js").Live} Live
 * @typedef {import("./data.js").Quality} Quality
 */

/** Looks that are put together: six seconds. */
const LOOKS = 3;

/** @type {("score" | "ownScore" | "loss" | "jitter" | "rtt")[]} */
const FIGURES = ["score", "ownScore", "loss", "jitter", "rtt"];

export class Steady {
  /** By person and way. @type {Map<string, Quality[]>} */
  #looks = new Map();

  /** @param {Live} live @returns {Live} with the means of everybody who was there before, too */
  update(live) {
    /** @type {Map<string, Quality[]>} */
    const looks = new Map();
    const mean = (/** @type {string} */ key, /** @type {Quality | null} */ quality, keep = true) => {
      if (quality === null) {
        return null;
      }
      const last = [...(this.#looks.get(key) ?? []), quality].slice(-LOOKS);
      looks.set(key, last);
      return meanOf(last, keep);
    };
    const rooms = live.rooms.map((room) => ({
      ...room,
      people: room.people.map((person) => ({
        ...person,
        up: mean(`${person.id} up`, person.up, !person.muted),
        down: mean(`${person.id} down`, person.down),
      })),
    }));
    this.#looks = looks;
    return { ...live, rooms };
  }
}

/**
 * @param {Quality[]} looks
 * @param {boolean} keep what was known, where nothing came in these two seconds
 * @returns {Quality}
 */
function meanOf(looks, keep) {
  const now = { ...looks[looks.length - 1] };
  for (const figure of FIGURES) {
    const known = looks.flatMap(({ [figure]: value }) => (value === null ? [] : [value]));
    if (known.length > 0 && (keep || now[figure] !== null)) {
      now[figure] = known.reduce((sum, value) => sum + value, 0) / known.length;
    }
  }
  return now;
}
