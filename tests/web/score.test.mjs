import assert from "node:assert/strict";
import { test } from "node:test";
import { quality, score } from "../../signaling/web/js/score.js";

const figures = (loss, rtt = 0, jitter = 0) => ({ loss, rtt, jitter, bitrate: 32 });

test("scores are the server's own", () => {
  // signaling/monitoring/quality.py: score(loss, mouth_to_ear_delay(rtt / 2, jitter))
  const expected = [
    [figures(0), 4.387],
    [figures(1, 40, 5), 4.153],
    [figures(5, 100, 20), 3.139],
    [figures(0, 600), 3.418],
    [figures(100), 1.001],
  ];
  for (const [given, value] of expected) {
    assert.ok(Math.abs(score(given) - value) < 0.001, `${JSON.stringify(given)}: ${score(given)}`);
  }
});

test("what is unknown costs nothing, but without packets there is no score", () => {
  assert.equal(score(null), null);
  assert.equal(score({ loss: null, rtt: 20, jitter: 1, bitrate: null }), null);
  assert.equal(score({ loss: 0, rtt: null, jitter: null, bitrate: 32 }), score(figures(0)));
});

test("three bands", () => {
  assert.deepEqual([figures(0), figures(2.5), figures(8), null].map(quality), ["good", "fair", "bad", "none"]);
});
