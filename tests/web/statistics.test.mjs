import assert from "node:assert/strict";
import { test } from "node:test";
import { Trend, browserSample, relaySample } from "../../signaling/web/js/statistics.js";

const sample = (timestamp, changes = {}) => ({
  timestamp,
  received: 0,
  lost: 0,
  bytes: 0,
  jitter: null,
  roundTripTime: null,
  ...changes,
});

/** A report as `getStats` gives it. */
const report = (...entries) => new Map(entries.map((entry) => [entry.id, entry]));

test("one sample tells what is now, and no rates", () => {
  const figures = new Trend().add(sample(1000, { received: 50, bytes: 4000, jitter: 0.004, roundTripTime: 0.02 }));
  assert.deepEqual(figures, { rtt: 20, loss: null, jitter: 4, bitrate: null });
});

test("rates are of the last seconds", () => {
  const trend = new Trend();
  trend.add(sample(0));
  const figures = trend.add(sample(1000, { received: 45, lost: 5, bytes: 3000 }));
  assert.equal(figures.loss, 10);
  assert.equal(figures.bitrate, 24);
});

test("what is long ago is forgotten", () => {
  const trend = new Trend();
  trend.add(sample(0, { received: 0, lost: 0 }));
  for (let second = 1; second <= 20; second += 1) {
    trend.add(sample(1000 * second, { received: 50 * second, lost: 10 }));
  }
  assert.equal(trend.add(sample(21000, { received: 1050, lost: 10 })).loss, 0);
});

test("what is reported late is no more than everything", () => {
  const trend = new Trend();
  trend.add(sample(0, { received: 500 }));
  assert.equal(trend.add(sample(1000, { received: 400, lost: 150 })).loss, 100); // of 50 that were sent meanwhile
});

test("duplicates are no negative loss", () => {
  const trend = new Trend();
  trend.add(sample(0, { lost: 3 }));
  assert.equal(trend.add(sample(1000, { received: 10, lost: 1 })).loss, 0);
});

test("a receiving connection, with the selected pair's round trip", () => {
  const found = browserSample(
    report(
      { id: "T", type: "transport", selectedCandidatePairId: "P" },
      { id: "O", type: "candidate-pair", currentRoundTripTime: 9 },
      { id: "P", type: "candidate-pair", currentRoundTripTime: 0.03 },
      { id: "I", type: "inbound-rtp", timestamp: 5, packetsReceived: 7, packetsLost: 1, bytesReceived: 70, jitter: 0.001 },
    ),
  );
  assert.deepEqual(found, { timestamp: 5, received: 7, lost: 1, bytes: 70, jitter: 0.001, roundTripTime: 0.03 });
});

test("a sending connection, with what the relay reported", () => {
  const found = browserSample(
    report(
      { id: "S", type: "outbound-rtp", timestamp: 5, packetsSent: 100, bytesSent: 900 },
      { id: "R", type: "remote-inbound-rtp", packetsLost: 4, jitter: 0.002, roundTripTime: 0.05 },
    ),
  );
  assert.deepEqual(found, { timestamp: 5, received: 96, lost: 4, bytes: 900, jitter: 0.002, roundTripTime: 0.05 });
});

test("no connection yet", () => {
  assert.equal(browserSample(report()), null);
});

test("the relay's counters, of both directions", () => {
  const common = { packetsLost: 2, jitter: 0.001, roundTripTime: null };
  assert.deepEqual(relaySample({ ...common, packetsReceived: 8, bytesReceived: 80 }, 1), {
    timestamp: 1,
    received: 8,
    lost: 2,
    bytes: 80,
    jitter: 0.001,
    roundTripTime: null,
  });
  assert.equal(relaySample({ ...common, packetsSent: 10, bytesSent: 100 }, 1).received, 8);
});
