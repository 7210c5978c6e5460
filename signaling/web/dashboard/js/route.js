/**
 * Where the reader is, in the address behind `#`, so that a link leads to a room, a call or an instant.
 * Pure.
 *
 * `#/` now; `#/history?from=…&to=…` a span; `#/rooms/ID` a room's time; `#/calls/ID?at=…` one person's call.
 */

/**
 * @typedef {object} Route
 * @property {"now" | "history" | "room" | "call"} view
 * @property {string} id of the room's time or of the call, else ""
 * @property {Record<string, string>} query
 */

/** @type {Record<string, "room" | "call">} */
const WITH_ID = { rooms: "room", calls: "call" };
/** @type {Record<Route["view"], string>} */
const PATHS = { now: "", history: "history", room: "rooms", call: "calls" };

/** @param {string} hash with its `#` @returns {Route} what cannot be read leads to what is now */
export function parseRoute(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?", 2);
  const [first, id] = path.split("/", 2);
  const fields = Object.fromEntries(new URLSearchParams(query ?? ""));
  if (first === "history") {
    return { view: "history", id: "", query: fields };
  }
  if (Object.hasOwn(WITH_ID, first) && id) {
    return { view: WITH_ID[first], id: decode(id), query: fields };
  }
  return { view: "now", id: "", query: fields };
}

/**
 * @param {Route["view"]} view
 * @param {string} [id]
 * @param {Record<string, string | number | null | undefined>} [query] the empty ones are left out
 * @returns {string} with its `#`
 */
export function formatRoute(view, id = "", query = {}) {
  const path = [PATHS[view], encodeURIComponent(id)].filter(Boolean).join("/");
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const search = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
  return `#/${path}${search && `?${search}`}`;
}

/** @param {string} hash @returns {string | null} the token of `#token=…`, which is to be taken out of the address */
export function tokenIn(hash) {
  return hash.startsWith("#token=") ? (new URLSearchParams(hash.slice(1)).get("token") ?? null) : null;
}

/** @param {Route} route @param {string} key @returns {number | null} */
export function numberIn({ query }, key) {
  const value = Number.parseFloat(query[key] ?? "");
  return Number.isFinite(value) ? value : null;
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
