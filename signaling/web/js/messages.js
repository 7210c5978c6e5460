/** What the page tells: a notice that stays, a banner while something lasts, and spoken news. */

/**
 * @typedef {"lost" | "microphone" | "draining"} Topic of the banner: a lost connection, a question of the
 *     browser, a server that is going to stop
 */

import { find, setText } from "./dom.js";

/** Where several things last at once, the first of these is told. @type {Topic[]} */
const URGENCY = ["lost", "microphone", "draining"];

/** Spoken news is taken off the page after this long. Milliseconds. */
const NEWS_LASTS = 5000;

export class Messages {
  #notice = find("#notice", HTMLElement);
  #noticeText = find("#notice-text", HTMLElement);
  #banner = find("#banner", HTMLElement);
  #announcer = find("#announcer", HTMLElement);
  /** @type {Map<Topic, string>} */
  #going = new Map();

  constructor() {
    find("#notice-dismiss", HTMLButtonElement).addEventListener("click", () => {
      this.notice("");
      find("main", HTMLElement).focus(); // the button that had the focus is gone
    });
  }

  /**
   * Something went wrong, or there is something to know; stays until it is dismissed or replaced.
   *
   * @param {string} text "" for none
   * @param {"fault" | "news"} [tone]
   */
  notice(text, tone = "fault") {
    this.#notice.hidden = text === "";
    this.#notice.dataset.tone = tone;
    this.#noticeText.textContent = text; // the same words again are news again
  }

  /**
   * Something is going on; stays until it is over.
   *
   * @param {Topic} topic
   * @param {string} text "" when it is over
   */
  banner(topic, text) {
    this.#going.set(topic, text);
    const shown = URGENCY.map((each) => this.#going.get(each)).find(Boolean) ?? "";
    this.#banner.hidden = shown === "";
    setText(this.#banner, shown);
  }

  /** Takes a notice back when it has not been replaced. @param {string} text */
  retract(text) {
    if (this.#noticeText.textContent === text) {
      this.notice("");
    }
  }

  /** Takes everything back. */
  clear() {
    this.#going.clear();
    this.#banner.hidden = true;
    setText(this.#banner, "");
    this.notice("");
  }

  /** News for screen readers only. @param {string} text */
  announce(text) {
    const line = document.createElement("p");
    line.textContent = text;
    this.#announcer.append(line);
    setTimeout(() => line.remove(), NEWS_LASTS);
  }
}
