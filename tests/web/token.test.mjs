import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { claims, takeToken } from "../../signaling/web/js/token.js";

/** @type {Map<string, string>} */
const storage = new Map();
globalThis.sessionStorage = {
  getItem: (key) => storage.get(key) ?? null,
  setItem: (key, value) => storage.set(key, value),
};
beforeEach(() => storage.clear());

function token(payload) {
  const part = Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload)).toString("base64url");
  return `e30.${part}.c2lnbmVk`;
}

for (const link of ["https://example.org/?room=tea#token=a.b.c", "https://example.org/?room=tea&token=a.b.c"]) {
  test(`taken out of ${link}`, () => {
    const address = new URL(link);
    assert.equal(takeToken(address), "a.b.c");
    assert.equal(address.href, "https://example.org/?room=tea");
  });
}

test("the fragment goes first, and keeps what else it holds", () => {
  const address = new URL("https://example.org/?token=query#x=1&token=fragment");
  assert.equal(takeToken(address), "fragment");
  assert.equal(address.href, "https://example.org/#x=1");
});

test("kept for this tab", () => {
  assert.equal(takeToken(new URL("https://example.org/")), "");
  takeToken(new URL("https://example.org/#token=a.b.c"));
  assert.equal(takeToken(new URL("https://example.org/")), "a.b.c");
  assert.equal(takeToken(new URL("https://example.org/#token=")), "");
  assert.equal(takeToken(new URL("https://example.org/")), "");
});

test("claims", () => {
  assert.deepEqual(claims(token({ room: "tea", name: "Zoë ☕", publish: true, admin: true })), {
    room: "tea",
    name: "Zoë ☕",
    publish: true,
    admin: true,
  });
  assert.deepEqual(claims(token({ room: 1, name: null, admin: "yes" })), {
    room: undefined,
    name: undefined,
    publish: false,
    admin: false,
  });
});

test("claims that cannot be read are none", () => {
  for (const text of ["", "a", "a.b.c", "a.%.c", token("null"), token("{")]) {
    assert.deepEqual(claims(text), {});
  }
});
