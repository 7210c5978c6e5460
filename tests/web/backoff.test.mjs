import assert from "node:assert/strict";
import { test } from "node:test";
import { Attempts, Backoff, pause } from "../../signaling/web/js/backoff.js";

globalThis.addEventListener ??= () => {};

const lowest = () => 0;
const highest = () => 1 - Number.EPSILON;

test("waits double up to a bound, and are drawn from the upper half", () => {
  for (const [random, factor] of [[lowest, 0.5], [highest, 1]]) {
    const backoff = new Backoff(random);
    const waits = [1, 2, 3, 4, 5, 6].map(() => Math.round(backoff.next()));
    assert.deepEqual(waits, [400, 800, 1600, 3200, 5000, 5000].map((step) => step * factor));
    backoff.reset();
    assert.equal(Math.round(backoff.next()), 400 * factor);
  }
});

test("who refuses is asked less and less often, who is silent goes on being asked", () => {
  const attempts = new Attempts(0, 50, highest);
  const waits = ["", "unreachable", "timeout", "timeout", "timeout", "unreachable"];
  assert.deepEqual(waits.map((code) => Math.round(attempts.wait(code))), [400, 800, 400, 400, 400, 1600]);
});

test("attempts are short, each third one longer", () => {
  const attempts = new Attempts(1000, 50, lowest);
  assert.deepEqual([1000, 3000, 5000, 9000, 11000, 13000].map((now) => attempts.patience(now)), [
    2000, 2000, 4000, 2000, 2000, 4000,
  ]);
});

test("an attempt has the time that a slow network needs, and wastes a tenth of the outage", () => {
  assert.equal(new Attempts(0, 800, lowest).patience(0), 3200);
  assert.equal(new Attempts(0, 50, lowest).patience(50_000), 5000);
  assert.equal(new Attempts(0, 50, lowest).patience(3_600_000), 10_000);
  assert.equal(new Attempts(0, 60_000, lowest).patience(0), 10_000);
});

test("a pause ends with its time, with its signal, and when it is woken", async () => {
  const { signal } = new AbortController();
  await pause(1, signal);
  const alarm = new EventTarget();
  const woken = pause(3_600_000, signal, alarm);
  alarm.dispatchEvent(new Event("wake"));
  await woken;
  const ended = new AbortController();
  const stopped = pause(3_600_000, ended.signal, alarm);
  ended.abort();
  await stopped;
  await pause(3_600_000, ended.signal);
});
