/** Numbers, times and spans as people read them. Pure; times are Unix seconds. */

const NUMBER = new Intl.NumberFormat("en");
const DASH = "–";

/** @typedef {number | null | undefined} Maybe */

/**
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 */
export function count(number, one, many = `${one}s`) {
  return `${whole(number)} ${number === 1 ? one : many}`;
}

/** @param {Maybe} number */
export function whole(number) {
  return known(number) ? NUMBER.format(Math.round(number) || 0) : DASH;
}

/** @param {Maybe} number @returns {string} with as many digits as say something */
export function rate(number) {
  return known(number) ? (number > 0 && number < 10 ? number.toFixed(1) : whole(number)) : DASH;
}

/** @param {Maybe} score */
export function scoreText(score) {
  return known(score) ? score.toFixed(1) : DASH;
}

/** @param {Maybe} fraction */
export function percent(fraction) {
  return known(fraction) ? `${(100 * fraction).toFixed(fraction >= 0.0995 || fraction === 0 ? 0 : 1)}\u00a0%` : DASH;
}

/** @param {Maybe} seconds */
export function milliseconds(seconds) {
  if (!known(seconds)) {
    return DASH;
  }
  const value = 1000 * seconds;
  return `${value > 0 && value < 9.95 ? value.toFixed(1) : NUMBER.format(Math.round(value))}\u00a0ms`;
}

/** @param {Maybe} bits per second */
export function bitrate(bits) {
  return known(bits) ? `${NUMBER.format(Math.round(bits / 1000))}\u00a0kbit/s` : DASH;
}

/** @param {Maybe} bytes */
export function size(bytes) {
  return known(bytes) ? `${NUMBER.format(Math.round(bytes / 1048576))}\u00a0MiB` : DASH;
}

/** @param {number} seconds @returns {string} "42 s", "12 min", "3 h 05 min", "2 d 4 h" */
export function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) {
    return `${Math.max(0, Math.round(seconds))} s`;
  }
  if (minutes < 60) {
    return `${minutes} min`;
  }
  if (minutes < 48 * 60) {
    return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
  }
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** @param {number} at @returns {string} "14:05" in the reader's time zone */
export function clock(at) {
  const date = new Date(1000 * at);
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** @param {number} at @returns {string} "14:05:09" */
export function clockWithSeconds(at) {
  return `${clock(at)}:${two(new Date(1000 * at).getSeconds())}`;
}

/** @param {number} at @returns {string} "2026-11-24", the form of a date field */
export function isoDay(at) {
  const date = new Date(1000 * at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** @param {string} text as a date field gives it @returns {number | null} the day's first instant */
export function dayStart(text) {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? [];
  return year ? new Date(Number(year), Number(month) - 1, Number(day)).getTime() / 1000 : null;
}

/** @param {number} start the day's first instant @param {number} days @returns {number} also over a change of the clocks */
export function addDays(start, days) {
  const date = new Date(1000 * start);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime() / 1000;
}

/**
 * @param {number} at
 * @param {number} now
 * @returns {string} "today", "yesterday", "Tue 24 Nov"
 */
export function dayWords(at, now) {
  const today = dayStart(isoDay(now)) ?? now;
  if (isoDay(at) === isoDay(now)) {
    return "today";
  }
  if (isoDay(at) === isoDay(addDays(today, -1))) {
    return "yesterday";
  }
  return new Date(1000 * at).toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short" });
}

/**
 * @param {number} from
 * @param {number | null} to null: still going on
 * @param {number} now
 * @returns {string} "yesterday, 14:05 to 14:40"
 */
export function span(from, to, now) {
  const day = dayWords(from, now);
  if (to === null) {
    return `${day}, since ${clock(from)}`;
  }
  const otherDay = isoDay(from) === isoDay(to) ? "" : `${dayWords(to, now)} `;
  return `${day}, ${clock(from)} to ${otherDay}${clock(to)}`;
}

/** @param {Maybe} number @returns {number is number} */
function known(number) {
  return typeof number === "number" && Number.isFinite(number);
}

/** @param {number} number */
function two(number) {
  return String(number).padStart(2, "0");
}
