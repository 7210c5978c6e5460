/** What the page tells: a notice that stays, a banner while something lasts, and spoken news. */

import { find, setText } from "./dom.js";

/** Spoken news is taken off the page after this long. Milliseconds. */
const NEWS_LASTS = 5000;

export class Messages {
  #notice = find("#notice", HTMLElement);
  #noticeText = find("#notice-text", HTMLElement);
  #banner = find("#banner", HTMLElement);
  #announcer = find("#announcer", HTMLElement);

  constructor() {
    find("#notice-dismiss", HTMLButtonElement).addEventListener("click", () => this.notice(""));
  }

  /** Something went wrong; stays until it is dismissed or replaced. @param {string} text "" for none */
  notice(text) {
    this.#notice.hidden = text === "";
    setText(this.#noticeText, text);
  }

  /** Something is going on; stays until it is over. @param {string} text "" for none */
  banner(text) {
    this.#banner.hidden = text === "";
    setText(this.#banner, text);
  }

  /** News for screen readers only. @param {string} text */
  announce(text) {
    const line = document.createElement("p");
    line.textContent = text;
    this.#announcer.append(line);
    setTimeout(() => line.remove(), NEWS_LASTS);
  }
}
