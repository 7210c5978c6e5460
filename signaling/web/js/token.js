/**
 * The access token of the page's link. It is taken out of the address, which people copy and show,
 * and kept for this tab, so that the page can be loaded again.
 *
 * `#token=…` is the better place for it: browsers do not send that part of a link to any server.
 */

const KEY = "rtp-relay.token";

/**
 * @typedef {object} Claims what a page may know of its own token; the server alone decides
 * @property {string} [room] that it opens; with `*` at the end or alone, several
 * @property {string} [name] that the others see
 * @property {boolean} [publish] may talk
 * @property {boolean} [admin] may mute and remove others
 */

/**
 * Takes the token out of an address.
 *
 * @param {URL} address is changed
 * @returns {string} "" without one
 */
export function takeToken(address) {
  const fragment = new URLSearchParams(address.hash.slice(1));
  const token = fragment.get("token") ?? address.searchParams.get("token");
  if (token === null) {
    return stored();
  }
  fragment.delete("token");
  address.hash = fragment.toString();
  address.searchParams.delete("token");
  store(token);
  return token;
}

/**
 * @param {string} token
 * @returns {Claims} none when they cannot be read
 */
export function claims(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    const { room, name, publish, admin } = JSON.parse(new TextDecoder().decode(bytes));
    return { room: text(room), name: text(name), publish: publish === true, admin: admin === true };
  } catch {
    return {};
  }
}

/** @param {unknown} value */
function text(value) {
  return typeof value === "string" ? value : undefined;
}

function stored() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} token */
function store(token) {
  try {
    sessionStorage.setItem(KEY, token);
  } catch {
    // Where storage is not allowed the token holds until the page is loaded again.
  }
}
