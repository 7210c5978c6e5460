/**
 * The arithmetic of connection statistics, pure. Both ends count the same things under the same
 * names (W3C webrtc-stats), so one definition serves both:
 *
 * - loss: packets lost of packets expected, over the last seconds
 * - bitrate: payload, without headers, over the last seconds
 * - jitter: the receiver's interarrival jitter (RFC 3550 §6.4.1), now
 * - round trip: of the browser's own ICE checks where it tells them, else from RTCP, now
 */

/** Loss and bitrate are taken over this long. Milliseconds. */
const SPAN = 6000;

/**
 * @typedef {object} Sample counters at one instant; null is unknown
 * @property {number} timestamp milliseconds
 * @property {number} received packets
 * @property {number} lost packets
 * @property {number} bytes of payload
 * @property {number | null} jitter seconds
 * @property {number | null} roundTripTime seconds
 *
 * @typedef {object} Figures what is shown; null is unknown
 * @property {number | null} rtt milliseconds
 * @property {number | null} loss percent
 * @property {number | null} jitter milliseconds
 * @property {number | null} bitrate kbit/s
 */

/** Turns a connection's successive samples into figures. */
export class Trend {
  /** @type {Sample[]} */
  #samples = [];

  /**
   * @param {Sample} sample
   * @returns {Figures}
   */
  add(sample) {
    this.#samples.push(sample);
    while (this.#samples[0].timestamp < sample.timestamp - SPAN) {
      this.#samples.shift();
    }
    const [first] = this.#samples;
    const lost = Math.max(0, sample.lost - first.lost); // duplicates count as negative loss
    // What is reported late is lost of what was sent before: more can be lost than was sent meanwhile.
    const expected = Math.max(lost, lost + sample.received - first.received);
    const elapsed = sample.timestamp - first.timestamp;
    return {
      rtt: sample.roundTripTime === null ? null : sample.roundTripTime * 1000,
      loss: expected > 0 ? (100 * lost) / expected : null,
      jitter: sample.jitter === null ? null : sample.jitter * 1000,
      bitrate: elapsed > 0 ? (8 * (sample.bytes - first.bytes)) / elapsed : null,
    };
  }
}

/**
 * What the browser tells about a connection of one audio stream, in either direction.
 *
 * @param {RTCStatsReport} report
 * @returns {Sample | null} null while there is no connection
 */
export function browserSample(report) {
  const all = [...report.values()];
  const inbound = all.find(({ type }) => type === "inbound-rtp");
  const outbound = all.find(({ type }) => type === "outbound-rtp");
  const remote = all.find(({ type }) => type === "remote-inbound-rtp");
  const pair = selectedPair(report, all);
  const roundTripTime = pair?.currentRoundTripTime ?? remote?.roundTripTime ?? null;
  if (inbound) {
    return {
      timestamp: inbound.timestamp,
      received: inbound.packetsReceived,
      lost: inbound.packetsLost,
      bytes: inbound.bytesReceived,
      jitter: inbound.jitter ?? null,
      roundTripTime,
    };
  }
  if (outbound) {
    const lost = remote?.packetsLost ?? 0;
    return {
      timestamp: outbound.timestamp,
      received: outbound.packetsSent - lost,
      lost,
      bytes: outbound.bytesSent,
      jitter: remote?.jitter ?? null,
      roundTripTime,
    };
  }
  // Firefox has no stream before its first packet, as of somebody who joined muted.
  return pair
    ? { timestamp: pair.timestamp, received: 0, lost: 0, bytes: 0, jitter: null, roundTripTime }
    : null;
}

/**
 * What the server tells about the same connection: `stats.publisher` or one of `stats.consumers`.
 *
 * @param {{[counter: string]: any}} counters
 * @param {number} timestamp milliseconds
 * @returns {Sample}
 */
export function relaySample(counters, timestamp) {
  const { packetsLost: lost, packetsReceived, packetsSent, bytesReceived, bytesSent } = counters;
  return {
    timestamp,
    received: packetsReceived ?? packetsSent - lost,
    lost,
    bytes: bytesReceived ?? bytesSent,
    jitter: counters.jitter ?? null,
    roundTripTime: counters.roundTripTime ?? null,
  };
}

/**
 * @param {RTCStatsReport} report
 * @param {any[]} all its entries
 * @returns {any} the candidate pair in use, if there is one
 */
function selectedPair(report, all) {
  const transport = all.find(({ type }) => type === "transport");
  return (
    report.get(transport?.selectedCandidatePairId) ??
    all.find(({ type, nominated, state }) => type === "candidate-pair" && nominated && state === "succeeded")
  );
}
