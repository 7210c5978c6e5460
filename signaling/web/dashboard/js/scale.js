/** From values to pixels, and the marks along an axis. Pure. */

/**
 * @param {number} from
 * @param {number} to
 * @param {number} start
 * @param {number} end
 * @returns {(value: number) => number} linear; a span of nothing leads to its start
 */
export function linear(from, to, start, end) {
  const slope = to === from ? 0 : (end - start) / (to - from);
  return (value) => start + (value - from) * slope;
}

/**
 * @param {number} highest of the values
 * @param {number} least what the axis reaches at least
 * @returns {number} 1, 2, 2.5 or 5 times a power of ten
 */
export function niceTop(highest, least) {
  const top = Math.max(highest, least);
  const power = 10 ** Math.floor(Math.log10(top));
  const step = [1, 2, 2.5, 5, 10].find((each) => each * power >= top * 0.999) ?? 10;
  return step * power;
}

/** Steps of a time axis that people count in. Seconds. */
const TIME_STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
];

/**
 * Instants to be marked: full hours, minutes and so on of the reader's own clock.
 *
 * @param {number} from Unix seconds
 * @param {number} to
 * @param {number} most how many find room
 * @param {number} offset of the time zone from UTC, seconds
 * @returns {{step: number, ticks: number[]}}
 */
export function timeTicks(from, to, most, offset) {
  const step = TIME_STEPS.find((each) => (to - from) / each <= Math.max(1, most)) ?? 604_800;
  const ticks = [];
  for (let tick = Math.ceil((from + offset) / step) * step - offset; tick <= to; tick += step) {
    ticks.push(tick);
  }
  return { step, ticks };
}

/**
 * @typedef {readonly [number, number | null]} Point time, and value; null is unknown
 */

/**
 * A line through the points: it ends before a null, and where two points lie further apart than `gap`.
 * A point alone between two gaps becomes a short stroke, so that it can be seen.
 *
 * @param {readonly Point[]} points in order of time
 * @param {(at: number) => number} x
 * @param {(value: number) => number} y
 * @param {number} [gap] seconds
 * @returns {string} of an SVG path; "" for none
 */
export function linePath(points, x, y, gap = Infinity) {
  return pieces(points, gap)
    .map((piece) => {
      const [first, ...rest] = piece.map(([at, value]) => `${round(x(at))} ${round(y(value))}`);
      return rest.length > 0 ? `M${first}L${rest.join(" ")}` : `M${first}h.01`;
    })
    .join("");
}

/**
 * The points without nulls, cut where something is missing.
 *
 * @param {readonly Point[]} points
 * @param {number} gap seconds
 * @returns {[number, number][][]}
 */
export function pieces(points, gap) {
  /** @type {[number, number][][]} */
  const cut = [];
  /** @type {number | null} */
  let last = null;
  for (const [at, value] of points) {
    if (value === null || value === undefined) {
      last = null;
      continue;
    }
    if (last === null || at - last > gap) {
      cut.push([]);
    }
    cut[cut.length - 1].push([at, value]);
    last = at;
  }
  return cut;
}

/**
 * As many points as can be seen: of each pixel's points the lowest and the highest, so that no peak is lost.
 *
 * @param {readonly Point[]} points in order of time
 * @param {number} columns
 * @returns {Point[]}
 */
export function thin(points, columns) {
  if (points.length <= 2 * columns) {
    return [...points];
  }
  const size = points.length / columns;
  /** @type {Point[]} */
  const kept = [];
  for (let column = 0; column < columns; column += 1) {
    const some = points.slice(Math.floor(column * size), Math.floor((column + 1) * size));
    const known = some.filter(([, value]) => value !== null);
    if (known.length === 0) {
      kept.push(some[0]);
      continue;
    }
    const low = known.reduce((one, other) => (Number(other[1]) < Number(one[1]) ? other : one));
    const high = known.reduce((one, other) => (Number(other[1]) > Number(one[1]) ? other : one));
    kept.push(...(low === high ? [low] : low[0] < high[0] ? [low, high] : [high, low]));
  }
  return kept;
}

/**
 * @param {readonly Point[]} points in order of time
 * @param {number} at
 * @returns {Point | null} the last one not after `at`, or the first one
 */
export function pointAt(points, at) {
  let found = points[0] ?? null;
  for (const point of points) {
    if (point[0] > at) {
      break;
    }
    found = point;
  }
  return found;
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}
