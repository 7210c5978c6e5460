/** One participant on the page. */

import { find, setText } from "./dom.js";
import { quality } from "./score.js";
import { figuresText, linkState, qualityText } from "./words.js";

/**
 * @typedef {import("./room.js").Participant} Participant
 * @typedef {import("./link.js").LinkState} LinkState
 * @typedef {import("./statistics.js").Figures} Figures
 */

/** The style sheet has this many avatar colours. */
const HUES = 8;

/** How long a second press removes somebody. Milliseconds. */
const ASKED = 4000;

export class Tile {
  /** The tile's element. */
  element;

  /** Plays the participant; null in one's own tile. @type {HTMLAudioElement | null} */
  audio = null;

  /** @param {Participant} participant */
  constructor({ id, name, self }) {
    const template = find("template#tile", HTMLTemplateElement);
    const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    this.element = find("li", HTMLLIElement, copy);
    this.element.dataset.participantId = id;
    this.element.dataset.name = name;
    this.element.dataset.hue = String(hue(name));
    setText(this.#part(".name"), name);
    this.#part(".name").setAttribute("title", name); // long ones are cut off, at their own end
    this.#part(".name").setAttribute("dir", "auto");
    setText(this.#part(".initials"), initials(name));
    setText(this.#part("caption"), `Connection of ${name}`);
    if (self) {
      this.element.dataset.self = "";
      this.#part("h2").append(mark("you"));
    } else {
      this.audio = document.createElement("audio");
      this.audio.autoplay = true;
      this.audio.setAttribute("playsinline", "");
      this.element.append(this.audio);
    }
    this.#describe();
  }

  /**
   * Offers what a moderator may do.
   *
   * @param {string} name of the participant
   * @param {(held: boolean) => void} hold
   * @param {() => void} remove
   */
  moderate(name, hold, remove) {
    const holding = this.#part(".hold");
    const removing = this.#part(".remove");
    const group = this.#part(".moderation");
    group.removeAttribute("hidden");
    group.setAttribute("aria-label", `Moderate ${name}`);
    holding.setAttribute("aria-label", `Hold ${name} muted`);
    removing.setAttribute("aria-label", `Remove ${name}`);
    holding.addEventListener("click", () => hold(holding.getAttribute("aria-pressed") !== "true"));
    removing.addEventListener("click", () => {
      if (removing.hasAttribute("data-asked")) {
        remove();
      } else {
        this.#askBeforeRemoving(removing, name);
      }
    });
  }

  /** @param {boolean} held whether a moderator keeps the participant muted */
  setHeld(held) {
    this.#part(".hold").setAttribute("aria-pressed", String(held));
  }

  /**
   * @param {Element} button whose second press does it
   * @param {string} name
   */
  #askBeforeRemoving(button, name) {
    button.setAttribute("data-asked", "");
    button.setAttribute("aria-label", `Really remove ${name}?`);
    setText(button, "Really?");
    setTimeout(() => {
      button.removeAttribute("data-asked");
      button.setAttribute("aria-label", `Remove ${name}`);
      setText(button, "Remove");
    }, ASKED);
  }

  /** @param {boolean} muted */
  setMuted(muted) {
    this.element.dataset.muted = String(muted);
    this.#describe();
  }

  get connection() {
    return /** @type {LinkState} */ (this.element.dataset.connection);
  }

  /** @param {LinkState} state */
  setConnection(state) {
    this.element.dataset.connection = state;
    if (state !== "connected") {
      this.setLevel(0, false);
      this.setFigures(null, null);
    }
    this.#describe();
  }

  /**
   * @param {number} shown 0 to 1
   * @param {boolean} speaking
   */
  setLevel(shown, speaking) {
    const { dataset, style } = this.element;
    const heard = dataset.muted === "false" && dataset.connection === "connected";
    style.setProperty("--level", heard ? shown.toFixed(2) : "0");
    const spoken = String(heard && speaking);
    if (dataset.speaking !== spoken) {
      dataset.speaking = spoken;
      this.#describe();
    }
  }

  /**
   * @param {Figures | null} browser
   * @param {Figures | null} relay
   */
  setFigures(browser, relay) {
    const how = quality(browser);
    this.element.dataset.quality = how;
    setText(this.#part(".quality-text"), qualityText(how, "self" in this.element.dataset));
    for (const [key, text] of Object.entries(figuresText(browser))) {
      setText(this.#part(`[data-stat=${key}]`), text);
    }
    for (const [key, text] of Object.entries(figuresText(relay))) {
      setText(this.#part(`[data-relay-stat=${key}]`), text);
    }
  }

  #describe() {
    const { muted, speaking } = this.element.dataset;
    const sound = muted === "true" ? "Muted" : speaking === "true" ? "Speaking" : "";
    const { connection } = this;
    const settled = connection === "connected" || (connection === "none" && muted === "true");
    setText(this.#part(".state-text"), (settled && sound) || linkState(connection));
  }

  /** @param {string} selector */
  #part(selector) {
    return find(selector, Element, this.element);
  }
}

/** What stands for a name: no bracket and no quotation mark. */
const LETTER = /[\p{L}\p{N}\p{Extended_Pictographic}]/u;

/** @param {string} text */
function mark(text) {
  const element = document.createElement("span");
  element.className = "mark-self";
  element.textContent = text;
  return element;
}

/**
 * @param {string} name
 * @returns {string} the first letters of its first and last word, as a reader sees letters
 */
function initials(name) {
  const letters = new Intl.Segmenter();
  const words = name.trim().split(/\s+/);
  const ends = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  const first = (/** @type {string} */ word) => {
    const found = [...letters.segment(word)].map(({ segment }) => segment);
    return found.find((each) => LETTER.test(each)) ?? found[0] ?? "";
  };
  return ends.map((word) => first(word).toUpperCase()).join("");
}

/**
 * @param {string} name
 * @returns {number} the same colour for a name in every browser
 */
function hue(name) {
  let sum = 0;
  for (const character of name) {
    sum = (sum * 31 + /** @type {number} */ (character.codePointAt(0))) % 65_521;
  }
  return sum % HUES;
}
