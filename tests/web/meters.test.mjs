import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Meters } from "../../signaling/web/js/meters.js";

const SILENCE = -127;
const SPEECH = -20;

/** What the meter of somebody whose sound is at that level tells, after so many milliseconds. */
function metered(level) {
  mock.timers.enable({ apis: ["setInterval"] });
  const shown = {};
  const meters = new Meters((id, _, speaking) => {
    shown[id] = speaking;
  });
  meters.set("ben", () => level);
  return { meters, shown, pass: (milliseconds) => mock.timers.tick(milliseconds), end: () => mock.timers.reset() };
}

test("the server's word goes before the sound's", () => {
  const { meters, shown, pass, end } = metered(SILENCE);
  pass(100);
  assert.equal(shown.ben, false);
  meters.report("ben", true);
  assert.equal(shown.ben, true);
  end();
});

test("a server that is gone has no word any more", () => {
  const { meters, shown, pass, end } = metered(SPEECH);
  meters.report("ben", false);
  pass(100);
  assert.equal(shown.ben, false);
  meters.forgetReports();
  assert.equal(shown.ben, true);
  end();
});

test("nothing is measured when nobody is there", () => {
  let reads = 0;
  const { meters, pass, end } = metered(SILENCE);
  meters.set("ben", () => {
    reads += 1;
    return SILENCE;
  });
  pass(200);
  meters.remove("ben");
  const before = reads;
  pass(1000);
  assert.equal(reads, before);
  end();
});
