/** What the page says, in words for people: what happened, and what to do about it. */

/**
 * @typedef {import("./microphone.js").MicrophoneFault} MicrophoneFault
 * @typedef {import("./statistics.js").Figures} Figures
 * @typedef {import("./link.js").LinkState} LinkState
 */

/** @type {Record<string, string>} */
const JOIN_FAULTS = {
  unreachable: "The server can’t be reached. Check your connection, then try again.",
  timeout: "The server does not answer. Wait a moment, then try again.",
  connection_lost: "The server went away while you were joining. Try again.",
  room_full: "This room is full. Try again when somebody has left, or meet in another room.",
  server_full: "The server has no place for another room. Try again later, or join a room that is open already.",
  rate_limited: "Too many attempts in a short time. Wait a minute, then try again.",
  unauthorized: "This room needs an invitation. Open the link you were invited with, or ask for a new one.",
  draining: "The server is about to stop, and takes nobody in. Try again in a few minutes.",
  removed: "A moderator has removed you from the room.",
  forbidden: "You are not allowed into this room. Ask whoever runs it for an invitation.",
};

/** @type {Record<string, string>} */
const RETURN_FAULTS = {
  connection_lost: "Connection lost. Reconnecting…",
  room_full: "Your place in the room has been taken. You are back as soon as one is free…",
  server_full: "The server is full. You are back as soon as it has room…",
  draining: "The server is about to stop. You are back as soon as it is there again…",
  stopped: "The server has stopped. You are back as soon as it is there again…",
  rate_limited: "The server asks for a little patience. Reconnecting…",
};

/** @type {Record<MicrophoneFault, string>} */
const MICROPHONE_FAULTS = {
  insecure:
    "Browsers give the microphone only to secure pages. Open this page over HTTPS, or on localhost. Until then you can listen.",
  refused:
    "The microphone is blocked for this page, so you can listen but not talk. To talk, allow it with the icon beside the address, then choose “Use microphone”.",
  missing: "No microphone was found, so you can listen but not talk. Plug one in, then choose “Use microphone”.",
  busy: "The microphone is in use by another program. Close that one, then choose “Use microphone”. Meanwhile you can listen.",
  unwanted: "",
  unknown: "The microphone did not start. You can listen meanwhile; choose “Use microphone” to try again.",
};

/** @type {Record<string, string>} */
const MODERATION_FAULTS = {
  forbidden: "your invitation is no moderator’s any more",
  not_found: "they are not here any more",
  rate_limited: "that was too fast; try again in a moment",
};

/** @type {Record<LinkState, string>} */
const LINK_STATES = {
  none: "Only listening",
  connecting: "Connecting…",
  connected: "Connected",
  failed: "No connection, trying again",
};

/** @param {string} code @returns {string} */
export function joinFault(code) {
  return JOIN_FAULTS[code] ?? "The server could not let you in. Try again in a moment.";
}

/** @param {boolean} held @returns {string} what a moderator did to oneself */
export function holdNews(held) {
  return held
    ? "A moderator has muted you. You can unmute when they let you."
    : "You may talk again: choose “Muted” to unmute.";
}

/** What the page says while the browser asks for the microphone. */
export const MICROPHONE_PROMPT =
  "Your browser asks for the microphone: allow it to talk. You can listen already.";

/** What the page says to who may not talk here. */
export const LISTENERS_ONLY = "You are invited to listen. To talk, ask for another invitation.";

/**
 * @param {string} code
 * @param {string} name of whom it was about
 * @returns {string} why what a moderator wanted was not done
 */
export function moderationFault(code, name) {
  return `Nothing was done to ${name}: ${MODERATION_FAULTS[code] ?? "the server does not answer; try again"}.`;
}

/** @param {number} seconds @returns {string} */
export function drainNews(seconds) {
  const minutes = Math.ceil(seconds / 60);
  return `The server is going to stop, in ${minutes === 1 ? "a minute" : `${minutes} minutes`} at the latest. This page comes back by itself when it is there again.`;
}

/** What says that nobody is there. */
const NOBODY = new Set(["connection_lost", "unreachable", "timeout"]);

/**
 * @param {string} code
 * @param {boolean} announced whether the server has said before that it stops
 * @returns {string}
 */
export function returnFault(code, announced) {
  return RETURN_FAULTS[announced && NOBODY.has(code) ? "stopped" : code] ?? "The server can’t be reached. Still trying…";
}

/** @param {MicrophoneFault} fault @returns {string} */
export function microphoneFault(fault) {
  return MICROPHONE_FAULTS[fault];
}

/** @param {LinkState} state @returns {string} */
export function linkState(state) {
  return LINK_STATES[state];
}

/**
 * A hint, and only where there is something to hint at.
 *
 * @param {"good" | "fair" | "bad" | "none"} quality
 * @param {boolean} self
 * @returns {string}
 */
export function qualityText(quality, self) {
  if (quality === "good" || quality === "none") {
    return "";
  }
  const how = quality === "fair" ? "unsteady" : "bad";
  return self ? `Your connection is ${how}` : `${quality === "fair" ? "Unsteady" : "Bad"} connection`;
}

/** @param {number} count @returns {string} */
export function headcount(count) {
  return count === 1 ? "Only you" : `${count} people`;
}

/**
 * Figures with their units; each is a dash while unknown.
 *
 * @param {Figures | null} figures
 * @returns {Record<keyof Figures, string>}
 */
export function figuresText(figures) {
  return {
    // Within one machine it takes a fraction of a millisecond, which Firefox tells as zero.
    rtt: quantity(figures?.rtt, (figures?.rtt ?? 1) < 1 ? 1 : 0, "ms"),
    loss: quantity(figures?.loss, 1, "%"),
    jitter: quantity(figures?.jitter, 1, "ms"),
    bitrate: quantity(figures?.bitrate, 0, "kbit/s"),
  };
}

/**
 * @param {number | null | undefined} value
 * @param {number} digits
 * @param {string} unit
 */
function quantity(value, digits, unit) {
  if (value === null || value === undefined) {
    return "–";
  }
  return `${value.toFixed(digits)} ${unit}`;
}
