import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff, pause } from "../../signaling/web/js/backoff.js";
import { nameFault, roomFault } from "../../signaling/web/js/rules.js";

test("rooms", () => {
  for (const good of ["a", "A-z_0.9", "x".repeat(64)]) {
    assert.equal(roomFault(good), "");
  }
  for (const bad of ["", " ", "a b", "ä", "x".repeat(65), "../x", "a\n"]) {
    assert.notEqual(roomFault(bad), "");
  }
});

test("names count code points and hold no control characters", () => {
  for (const good of ["Ada", "😀".repeat(64), "לאה", "a b"]) {
    assert.equal(nameFault(good), "");
  }
  for (const bad of ["", "😀".repeat(65), "a\tb", "a\u0085b"]) {
    assert.notEqual(nameFault(bad), "");
  }
});

test("waits grow up to a bound, and begin anew after success", () => {
  const most = new Backoff(() => 1);
  const waits = Array.from({ length: 8 }, () => most.next());
  assert.deepEqual(waits, [400, 800, 1600, 3200, 5000, 5000, 5000, 5000]);
  most.reset();
  assert.equal(most.next(), 400);
  assert.equal(new Backoff(() => 0).next(), 200);
});

test("a wait ends when it is called off", async () => {
  globalThis.addEventListener ??= () => {}; // `online` is a browser's event
  const controller = new AbortController();
  const waiting = pause(1e6, controller.signal);
  controller.abort();
  await waiting;
  await pause(1e6, controller.signal);
});
