/** What the API's words mean, in sentences for an operator. */

import { duration, scoreText } from "./format.js";

/** @typedef {import("./data.js").Happening} Happening */
/** @typedef {import("./api.js").ApiError} ApiError */

/**
 * Of each drop reason: its name, what it means, and what it tells when it grows. docs/troubleshooting.md has the
 * longer form.
 *
 * @type {Record<string, {name: string, words: string, weight: "usual" | "noise" | "look" | "alarm"}>}
 */
export const DROPS = {
  unknown_protocol: {
    name: "No known protocol",
    words: "Neither STUN, DTLS, RTP nor RTCP: port scans. Harmless.",
    weight: "noise",
  },
  oversized: { name: "Too long", words: "Longer than 1,500 bytes: nothing that a browser sends.", weight: "noise" },
  stun_malformed: { name: "Unreadable STUN", words: "Scans.", weight: "noise" },
  stun_unknown_user: {
    name: "ICE check for nobody",
    words: "A page that has not noticed yet that its connection closed, or that the server restarted.",
    weight: "usual",
  },
  stun_unauthenticated: {
    name: "Forged ICE check",
    words: "Its integrity is missing or wrong: scans, or a client that mixes up answers.",
    weight: "noise",
  },
  stun_unexpected: {
    name: "Unexpected STUN",
    words: "A response to nothing that was asked: late, after a connection closed.",
    weight: "usual",
  },
  stun_too_many_addresses: {
    name: "Too many addresses",
    words: "One more address than a connection may have: a client with very many interfaces, or an attack.",
    weight: "look",
  },
  dtls_unknown_address: {
    name: "DTLS from a stranger",
    words: "From an address that passed no ICE check. A few are usual when pages come and go; many are an attack.",
    weight: "usual",
  },
  dtls_malformed: { name: "Unreadable DTLS", words: "Noise.", weight: "noise" },
  dtls_unexpected: {
    name: "DTLS at the wrong time",
    words: "One or two for each page that leaves: its closing alert.",
    weight: "usual",
  },
  rtp_unknown_address: {
    name: "Voice from a stranger",
    words:
      "A few are usual when a connection begins or ends. If it goes on: a page that sends to a server that was restarted.",
    weight: "look",
  },
  rtp_malformed: {
    name: "Unreadable voice packet",
    words: "Its header contradicts itself: a faulty client.",
    weight: "look",
  },
  rtp_unknown_payload_type: {
    name: "Wrong codec",
    words: "Authentic, but not the negotiated Opus: a client that sends another codec.",
    weight: "look",
  },
  rtp_muted: { name: "Voice of a muted person", words: "Always while somebody is muted.", weight: "usual" },
  rtp_stale: {
    name: "Late voice packet",
    words: "Older than the pause that came after it: a few after unmuting.",
    weight: "usual",
  },
  rtp_not_loudest: {
    name: "Not among the loudest",
    words: "Voice of somebody who is not among the loudest of the room, with --loudest.",
    weight: "usual",
  },
  rtp_redundant: {
    name: "Late, but not missed",
    words: "It came after all, when redundant audio had already stood in for it.",
    weight: "usual",
  },
  red_malformed: {
    name: "Unreadable redundant audio",
    words: "It cannot be taken apart, or holds something else than Opus: a faulty client.",
    weight: "look",
  },
  srtp_unauthenticated: {
    name: "Changed voice packet",
    words: "Its tag does not match: somebody changes or forges packets.",
    weight: "look",
  },
  srtp_replayed: {
    name: "Repeated voice packet",
    words: "It came before: a network that duplicates, or an attack.",
    weight: "usual",
  },
  srtp_failed: { name: "Decryption failed", words: "libsrtp refused for another reason. Report it.", weight: "alarm" },
  rtcp_unknown_address: {
    name: "Report from a stranger",
    words: "A few are usual when a connection begins or ends.",
    weight: "usual",
  },
  rtcp_unauthenticated: { name: "Changed report", words: "Its tag does not match, or it came before.", weight: "look" },
  rtcp_malformed: {
    name: "Unreadable report",
    words: "Authentic RTCP that cannot be read: a faulty client.",
    weight: "look",
  },
  control_queue_full: {
    name: "Control queue full",
    words: "The process is overloaded, or a flood comes in. Connections may fail.",
    weight: "alarm",
  },
  protect_failed: { name: "Encryption failed", words: "libsrtp refused a copy. Report it.", weight: "alarm" },
  inbox_full: {
    name: "Inbox of a thread full",
    words: "A media thread is too slow: listeners hear gaps.",
    weight: "alarm",
  },
  rate_limited: {
    name: "Too many at once",
    words: "More STUN, DTLS or RTCP of one connection than is looked at in that time: a participant floods the server.",
    weight: "look",
  },
  internal_error: { name: "Fault of the relay", words: "It is in the log with its trace. Report it.", weight: "alarm" },
  send_buffer_full: {
    name: "Send buffer full",
    words: "Listeners hear gaps: raise the socket buffers.",
    weight: "alarm",
  },
  check_withheld: {
    name: "Check withheld",
    words: "A check to an address that a client only named, beyond what all such addresses get. It keeps nobody out.",
    weight: "look",
  },
  send_failed: {
    name: "Sending refused by the system",
    words: "A route or an interface is gone, or a local firewall rejects outgoing UDP.",
    weight: "alarm",
  },
};

/** What the relay never saw, and which is shown beside what it dropped. @type {typeof DROPS} */
const MISSED = {
  datagrams_missed: {
    name: "Receive buffer full",
    words: "The kernel had no room for what came, and dropped it: raise the socket buffers, or give the relay a core.",
    weight: "alarm",
  },
};

/** @param {string} reason */
export function dropWords(reason) {
  return (
    DROPS[reason] ??
    MISSED[reason] ?? {
      name: reason.replaceAll("_", " "),
      words: "See the documentation of this version.",
      weight: /** @type {const} */ ("look"),
    }
  );
}

/**
 * Of each cause: a title, and what helps.
 *
 * @type {Record<string, {title: string, advice: string}>}
 */
export const CAUSES = {
  uplink_loss: {
    title: "The speaker’s network loses packets",
    advice: "Everybody hears this person badly. A cable instead of Wi-Fi helps, or another network.",
  },
  downlink_loss: {
    title: "The listener’s network loses packets",
    advice: "Nobody else hears it. A cable instead of Wi-Fi helps, or another network.",
  },
  relay_overloaded: {
    title: "The relay could not keep up",
    advice:
      "It hit everybody alike. Give the process more processor time, more media threads or larger buffers, or fewer rooms.",
  },
  network_change: {
    title: "The network changed",
    advice: "From Wi-Fi to mobile, a sleeping laptop, a lost connection that came again. The gap is heard once.",
  },
  delay: {
    title: "The way is long",
    advice: "Round trip and jitter cost more than loss does: a distant server, a VPN, or a busy mobile network.",
  },
  none: { title: "Nothing was bad", advice: "" },
  unknown: {
    title: "The figures do not say why",
    advice: "Was the microphone far away, or the headset broken? That cannot be seen from here.",
  },
};

/** @param {string} cause */
export function causeWords(cause) {
  return CAUSES[cause] ?? { title: cause.replaceAll("_", " "), advice: "" };
}

/** What a kind of event is drawn as. @type {Record<string, string>} */
const MARKS = {
  joined: "joined",
  left: "left",
  lost: "lost",
  failed: "lost",
  resumed: "resumed",
  restarted: "network",
  address_changed: "network",
  quality_fell: "fell",
};

/** The legend of what is drawn. @type {Record<string, string>} */
export const MARK_WORDS = {
  joined: "joined",
  left: "left",
  lost: "connection lost",
  resumed: "reconnected",
  network: "network changed",
  fell: "quality fell",
};

/** @param {Happening} event @returns {string | null} null: too small to be drawn */
export function markKind(event) {
  if (event.kind === "left" && ENDED_BADLY.has(event.reason)) {
    return "lost";
  }
  return MARKS[event.kind] ?? null;
}

const ENDED_BADLY = new Set(["disconnected", "failed", "lost"]);

/** @type {Record<string, string>} */
const REASONS = {
  closed: "closed it",
  left: "left",
  disconnected: "the connection was lost",
  failed: "the media path failed",
  publisher_closed: "the speaker stopped",
  removed: "was removed",
  shutdown: "the server was stopped",
  lost: "the server ended without a word",
};

/** @param {string} reason */
export function reasonWords(reason) {
  return REASONS[reason] ?? reason.replaceAll("_", " ");
}

/** Of each kind of event a predicate of whom it happened to. @type {Record<string, (event: Happening) => string>} */
export const EVENTS = {
  joined: () => "joined",
  left: ({ reason }) => (reason === "left" || reason === "" ? "left" : `went: ${reasonWords(reason)}`),
  lost: () => "lost the connection to the server",
  resumed: ({ gap }) => `reconnected${gap === null ? "" : ` after ${duration(gap)}`}`,
  muted: () => "muted",
  unmuted: () => "unmuted",
  publishing: () => "can be heard",
  published: ({ reason }) => `can no longer be heard${reason ? `: ${reasonWords(reason)}` : ""}`,
  hearing: ({ speaker }) => `hears ${speaker || "a speaker"}`,
  heard: ({ speaker, reason }) =>
    `no longer hears ${speaker || "a speaker"}${reason ? `: ${reasonWords(reason)}` : ""}`,
  failed: ({ reason }) => `a connection never came about${reason ? `: ${reasonWords(reason)}` : ""}`,
  restarted: () => "found a new way to the relay (ICE restart)",
  address_changed: () => "goes by another address",
  quality_fell: ({ score }) => `quality fell${score === null ? "" : ` to ${scoreText(score)}`}`,
};

/** @param {Happening} event @returns {string} a predicate of the person */
export function eventWords(event) {
  return EVENTS[event.kind]?.(event) ?? event.kind.replaceAll("_", " ");
}

/** @type {Record<string, string>} */
const FAULTS = {
  unreachable: "The relay does not answer.",
  unauthorized: "This page needs an admin token.",
  forbidden: "This token does not open the dashboard.",
  missing: "There is nothing here (any more).",
  off: "This relay keeps no history.",
  refused: "The relay did not understand the question.",
  broken: "The relay could not answer.",
};

/** @param {unknown} error @returns {string} */
export function faultWords(error) {
  const { fault, sentence } = /** @type {Partial<ApiError>} */ (error);
  if (fault === undefined) {
    return "Something in this page went wrong. Reload it; the console says more.";
  }
  return [FAULTS[fault], fault === "off" || fault === "missing" ? "" : sentence].filter(Boolean).join(" ");
}
