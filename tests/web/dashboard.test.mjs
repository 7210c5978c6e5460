import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { happeningsOf, mergedCurve, stepOf } from "../../signaling/web/dashboard/js/data.js";
import * as format from "../../signaling/web/dashboard/js/format.js";
import { pauseAfter } from "../../signaling/web/dashboard/js/poll.js";
import { formatRoute, numberIn, parseRoute, tokenIn } from "../../signaling/web/dashboard/js/route.js";
import { worstMoment } from "../../signaling/web/dashboard/js/chartgroup.js";
import { band, pastScore } from "../../signaling/web/dashboard/js/quality.js";
import { summaryWords } from "../../signaling/web/dashboard/js/summary.js";
import { CAUSES, DROPS, EVENTS, eventWords, faultWords, markKind } from "../../signaling/web/dashboard/js/words.js";

const document = (name) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");

/** The first cells of the table whose header begins with `heading`, without their quotes. */
function firstCells(text, heading) {
  const [, table] = text.split(`| ${heading} |`);
  const rows = table.split("\n").slice(2);
  return rows.slice(0, rows.findIndex((row) => !row.startsWith("|"))).flatMap((row) => row.split("|")[1].match(/\w+/g));
}

test("every drop reason of the documentation has words", () => {
  assert.deepEqual(Object.keys(DROPS).sort(), firstCells(document("troubleshooting.md"), "reason").sort());
});

test("every cause of the API has words", () => {
  assert.deepEqual(Object.keys(CAUSES).sort(), firstCells(document("api.md"), "`cause`").sort());
});

test("every kind of event has words", () => {
  const unknown = firstCells(document("api.md"), "`kind`").filter((kind) => !Object.hasOwn(EVENTS, kind));
  assert.deepEqual(unknown, []);
});

test("routes lead there and back", () => {
  for (const hash of ["#/", "#/history", "#/history?from=10&to=20", "#/rooms/12", "#/calls/p-1_x?at=17"]) {
    const { view, id, query } = parseRoute(hash);
    assert.equal(formatRoute(view, id, query), hash);
  }
  assert.deepEqual(parseRoute(formatRoute("call", "a/b?c")), { view: "call", id: "a/b?c", query: {} });
});

test("what cannot be read leads to what is now", () => {
  for (const hash of ["", "#", "#/rooms", "#/rooms/", "#/nowhere", "#/constructor/x", "#/%", "#content"]) {
    assert.equal(parseRoute(hash).view, "now", hash);
  }
  assert.equal(parseRoute("#/calls/%").id, "%");
  assert.equal(numberIn(parseRoute("#/history?from=soon"), "from"), null);
});

test("a token in the address", () => {
  assert.equal(tokenIn("#token=a.b-c_d"), "a.b-c_d");
  assert.equal(tokenIn("#/calls/token=1"), null);
});

test("numbers", () => {
  assert.equal(format.percent(0.081), "8.1\u00a0%");
  assert.equal(format.percent(0), "0\u00a0%");
  assert.equal(format.percent(0.31), "31\u00a0%");
  assert.equal(format.percent(null), "–");
  assert.equal(format.milliseconds(0.0006), "0.6\u00a0ms");
  assert.equal(format.milliseconds(1.2345), "1,235\u00a0ms");
  assert.equal(format.rate(0.25), "0.3");
  assert.equal(format.rate(-0), "0");
  assert.equal(format.whole(Number.NaN), "–");
  assert.equal(format.count(1, "person", "people"), "1 person");
  assert.equal(format.count(1200, "room"), "1,200 rooms");
});

test("durations", () => {
  assert.deepEqual([0, 59.4, 60, 3599, 3600, 93_600, 190_000].map(format.duration), ["0 s", "59 s", "1 min", "59 min", "1 h 00 min", "26 h 00 min", "2 d 4 h"]);
});

test("days are those of the reader, also where the clocks change", () => {
  const start = format.dayStart("2026-03-29");
  assert.equal(format.isoDay(start), "2026-03-29");
  assert.equal(format.isoDay(format.addDays(start, 1)), "2026-03-30");
  assert.equal(format.clock(format.addDays(start, 1)), "00:00");
  assert.equal(format.dayStart("soon"), null);
  assert.equal(format.dayWords(start, format.addDays(start, 1)), "yesterday");
  assert.equal(format.span(start, null, start + 60), "today, since 00:00");
});

test("of several voices the worst counts", () => {
  const one = [{ at: 10, score: 4 }, { at: 20, score: null }];
  const other = [{ at: 10, score: 3 }, { at: 20, score: 4.2 }, { at: 30, score: 4 }];
  assert.deepEqual(mergedCurve([one, other], "score", "low"), [[10, 3], [20, 4.2], [30, 4]]);
  assert.deepEqual(mergedCurve([one, other], "score", "high")[0], [10, 4]);
  assert.deepEqual(mergedCurve([], "score", "low"), []);
});

test("a step is what most points say", () => {
  assert.equal(stepOf([{ interval: 2 }, { interval: 10 }, { interval: 10 }]), 10);
  assert.equal(stepOf([]), 10);
});

test("events have the name of whom they are of", () => {
  const [event] = happeningsOf([{ at: 1, kind: "hearing", participation_id: "a", speaker_id: "b" }], new Map([["a", "Ada"], ["b", "Bob"]]));
  assert.equal(`${event.name} ${eventWords(event)}`, "Ada hears Bob");
});

test("a lost connection is marked as one, a farewell as one", () => {
  assert.equal(markKind({ kind: "left", reason: "disconnected" }), "lost");
  assert.equal(markKind({ kind: "left", reason: "left" }), "left");
  assert.equal(markKind({ kind: "muted", reason: "" }), null);
});

test("a server that does not answer is asked less and less often", () => {
  assert.deepEqual([0, 1, 2, 3, 9].map((failures) => pauseAfter(failures, 2000)), [2000, 2000, 4000, 8000, 15_000]);
});

test("faults are told in words", () => {
  assert.equal(faultWords({ fault: "refused", sentence: "from: expected a number." }), "The relay did not understand the question. from: expected a number.");
  assert.match(faultWords(new TypeError("x")), /Reload/);
});

test("a day in one sentence", () => {
  const room = (worstScore, lowestScore) => ({ id: "1", name: "x", startedAt: 0, endedAt: 1, people: 3, score: 4.3, worstScore, lowestScore });
  const low = format.dayStart("2026-11-24") + 9 * 3600;
  const points = [{ at: low, worst_score: 2.13 }, { at: low + 300, worst_score: 3.1 }];
  assert.equal(summaryWords([], [], false, 300), "Nobody was here.");
  assert.equal(summaryWords([], [room(4.3, 4.2)], false, 300), "1 room with 3 calls, everybody fine.");
  assert.equal(
    summaryWords(points, [room(2.9, 2.1), room(4.1, 2.4), room(4.3, 4.2)], true, 300),
    "More than 3 rooms with 9 calls; in 1 of the rooms somebody had a bad call, in 1 more somebody had bad moments." +
      " The worst was at 09:02, with a score of 2.1.",
  );
});

test("bad moments of a good call rank between the good and the bad", () => {
  const scores = [{ worstScore: 4.3, lowestScore: 4.2 }, { worstScore: 4.2, lowestScore: 1.9 }, { worstScore: 2.5, lowestScore: 1.2 }];
  assert.deepEqual(scores.map(pastScore).map(band), ["good", "fair", "bad"]);
});

test("a reader looks at the worst moment first", () => {
  const of = (...points) => [{ key: "a", name: "", points }];
  assert.equal(worstMoment(of([1, 4.3], [2, 2.1], [3, 2.4])), 2);
  assert.equal(worstMoment(of([1, 4.3], [2, null])), null);
});
