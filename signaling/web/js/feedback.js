/**
 * Lost packets that are sent again, for voices. Chromium can do it and leaves it out of its answers; it
 * does once its answer says so.
 */

/** Of Opus, as the server's offers have it: lost packets are asked for (RFC 4585). */
const NACK = /^a=rtcp-fb:(\d+) nack\r?$/m;

/**
 * @param {string} offer
 * @param {string} answer
 * @returns {string} the answer, with `nack` for the codec that the offer has it for
 */
export function withNack(offer, answer) {
  const payloadType = NACK.exec(offer)?.[1];
  if (payloadType === undefined || NACK.test(answer)) {
    return answer;
  }
  const codec = new RegExp(`^a=rtpmap:${payloadType} .*\\r?\\n`, "m");
  return answer.replace(codec, (line) => {
    const end = line.endsWith("\r\n") ? "\r\n" : "\n";
    return `${line}a=rtcp-fb:${payloadType} nack${end}`;
  });
}
