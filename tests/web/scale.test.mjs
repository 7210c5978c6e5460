import assert from "node:assert/strict";
import { test } from "node:test";
import { rowsOf } from "../../signaling/web/dashboard/js/chartgroup.js";
import { lanesOf, runs } from "../../signaling/web/dashboard/js/lanes.js";
import { linear, linePath, niceTop, pieces, pointAt, thin, timeTicks } from "../../signaling/web/dashboard/js/scale.js";

const same = (value) => value;

test("linear", () => {
  const y = linear(0, 10, 100, 0);
  assert.deepEqual([0, 5, 10].map(y), [100, 50, 0]);
  assert.equal(linear(3, 3, 7, 9)(3), 7);
});

test("an axis ends at a number that people count in", () => {
  assert.deepEqual([0, 0.013, 0.9, 1, 1.1, 7, 26, 99].map((high) => niceTop(high, 0.02)), [0.02, 0.02, 1, 1, 2, 10, 50, 100]);
});

test("time is marked at full steps of the reader's clock", () => {
  assert.deepEqual(timeTicks(3500, 10_900, 3, 0), { step: 3600, ticks: [3600, 7200, 10_800] });
  assert.deepEqual(timeTicks(0, 86_400, 2, 3600).ticks, [39_600, 82_800]); // noon and midnight an hour ahead of UTC
  assert.equal(timeTicks(0, 1e9, 1, 0).step, 604_800);
});

test("a line ends where nothing is known, and where nothing was measured for long", () => {
  const points = [[0, 1], [10, 2], [20, null], [30, 3], [90, 4]];
  assert.deepEqual(pieces(points, 30), [[[0, 1], [10, 2]], [[30, 3]], [[90, 4]]]);
  assert.equal(linePath(points, same, same, 30), "M0 1L10 2M30 3h.01M90 4h.01");
  assert.equal(linePath([], same, same), "");
});

test("no peak is lost where there are more points than pixels", () => {
  const points = Array.from({ length: 10_000 }, (_, index) => [index, index === 7777 ? 99 : 1]);
  const thinned = thin(points, 100);
  assert.ok(thinned.length <= 200);
  assert.ok(thinned.some(([at, value]) => at === 7777 && value === 99));
  assert.deepEqual(thinned, [...thinned].sort(([one], [other]) => one - other));
  assert.deepEqual(thin([[0, 1]], 100), [[0, 1]]);
});

test("the value at an instant is the last one before it", () => {
  const points = [[10, 1], [20, 2]];
  assert.deepEqual([5, 10, 19, 99].map((at) => pointAt(points, at)[1]), [1, 1, 1, 2]);
  assert.equal(pointAt([], 1), null);
});

test("neighbours of one band are one piece", () => {
  assert.deepEqual(runs([[0, 4.3], [10, 4.2], [20, 2], [30, null], [40, 4.3]], 50), [
    { from: 0, to: 20, how: "good" },
    { from: 20, to: 30, how: "bad" },
    { from: 30, to: 40, how: "none" },
    { from: 40, to: 50, how: "good" },
  ]);
});

test("who was lost and came back is one line, namesakes are two", () => {
  const stay = (id, name, joinedAt, leftAt) => ({ id, name, identity: "", joinedAt, leftAt });
  const lanes = lanesOf([stay("c", "Ada", 50, null), stay("a", "Ada", 0, 40), stay("b", "Ada", 10, 90)], new Map());
  assert.deepEqual(lanes.map(({ stays }) => stays.map(({ id }) => id)), [["a", "c"], ["b"]]);
});

test("symbols that would lie on each other are put below each other", () => {
  assert.deepEqual(rowsOf([0, 5, 40, 41, 42, 43]), [0, 1, 0, 1, 2, 2]);
});
