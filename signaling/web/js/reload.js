/**
 * Loads a page again that did not start, most likely since a part of it did not come.
 *
 * A classic script, since no module runs where one of them is missing. It is `async`: it holds nothing up, and
 * runs before the load event, which waits for it and for all the rest of the page.
 */

"use strict";

{
  /** Before each attempt; after the last one it is for the person to do. Milliseconds. */
  const PAUSES = [1000, 2000, 5000, 10000];

  const COMING = "A part of this page did not come. It is loaded again…";
  const GIVEN_UP =
    "This page did not load. Check your connection, then load it again; if that does not help, try another browser.";

  addEventListener("load", () => {
    // Kept with the browser's entry for this page, which outlasts a load, and not in a storage that may be denied.
    const reloads = history.state?.reloads ?? 0;
    if (reloads > 0) {
      history.replaceState(null, "");
    }
    if ("started" in document.body.dataset) {
      dressAgain();
      return;
    }
    const pause = PAUSES[reloads];
    const banner = document.querySelector("#banner");
    banner.hidden = false;
    banner.textContent = pause ? COMING : GIVEN_UP;
    if (pause) {
      setTimeout(() => {
        history.replaceState({ reloads: reloads + 1 }, "");
        location.reload();
      }, pause);
    }
  });

  /** Asks once more for style sheets that did not come; the page may be in use already. */
  function dressAgain() {
    for (const link of document.querySelectorAll("link[rel=stylesheet]")) {
      if (!hasCome(link)) {
        link.replaceWith(link.cloneNode());
      }
    }
  }

  /** @param {HTMLLinkElement} link */
  function hasCome(link) {
    try {
      return link.sheet.cssRules.length > 0;
    } catch {
      return false; // there is none, or none of this site's
    }
  }
}
