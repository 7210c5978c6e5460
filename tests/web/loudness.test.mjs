import assert from "node:assert/strict";
import { test } from "node:test";
import { Loudness, decibels } from "../../signaling/web/js/loudness.js";

test("amplitudes in dBov", () => {
  assert.equal(decibels(1), 0);
  assert.equal(Math.round(decibels(0.1)), -20);
  assert.equal(decibels(0), -127);
  assert.equal(decibels(1e-12), -127);
  assert.equal(decibels(7), 0);
});

test("a rise shows at once, a fall takes time", () => {
  const loudness = new Loudness();
  assert.equal(loudness.update(0, 1000), 1);
  const falling = loudness.update(-127, 1100);
  assert.ok(falling > 0 && falling < 1);
  assert.equal(loudness.update(-127, 5000), 0);
});

test("speaking does not flicker between its two bounds", () => {
  const loudness = new Loudness();
  loudness.update(-45, 0);
  assert.equal(loudness.speaking, false);
  loudness.update(-40, 20);
  assert.equal(loudness.speaking, true);
  loudness.update(-45, 40);
  assert.equal(loudness.speaking, true);
});

test("a pause between words is not silence, a long one is", () => {
  const loudness = new Loudness();
  loudness.update(-20, 1000);
  loudness.update(-127, 1400);
  assert.equal(loudness.speaking, true);
  loudness.update(-127, 1600);
  assert.equal(loudness.speaking, false);
});
