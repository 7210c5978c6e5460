import assert from "node:assert/strict";
import { test } from "node:test";
import { withNack } from "../../signaling/web/js/feedback.js";

const OFFER = "v=0\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 nack\r\n";
const ANSWER = "v=0\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=rtpmap:63 red/48000/2\r\n";

test("what the offer has and the answer leaves out is put behind the codec", () => {
  assert.equal(
    withNack(OFFER, ANSWER),
    ANSWER.replace("48000/2\r\n", "48000/2\r\na=rtcp-fb:111 nack\r\n"),
  );
});

test("line ends stay what they are", () => {
  const bare = ANSWER.replaceAll("\r", "");
  assert.equal(withNack(OFFER, bare), withNack(OFFER, ANSWER).replaceAll("\r", ""));
});

test("an answer that has it stays as it is", () => {
  const whole = withNack(OFFER, ANSWER);
  assert.equal(withNack(OFFER, whole), whole);
});

test("nothing is put in that was not offered, or whose codec is not there", () => {
  const silent = "v=0\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 nack pli\r\n";
  assert.equal(withNack(silent, ANSWER), ANSWER);
  const other = ANSWER.replaceAll("111", "109");
  assert.equal(withNack(OFFER, other), other);
});
