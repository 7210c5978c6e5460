/** What the browser remembers between visits. Works, forgetfully, where storage is not allowed. */

const PREFIX = "rtp-relay.";

/**
 * @param {"name" | "device" | "compare"} key
 * @returns {string} "" when nothing is remembered
 */
export function recall(key) {
  try {
    return localStorage.getItem(PREFIX + key) ?? "";
  } catch {
    return "";
  }
}

/**
 * @param {"name" | "device" | "compare"} key
 * @param {string} value
 */
export function remember(key, value) {
  try {
    localStorage.setItem(PREFIX + key, value);
  } catch {
    // Private windows and full disks: the setting holds until the page is closed.
  }
}
