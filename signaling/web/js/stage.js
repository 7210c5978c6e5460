/** The room on the page: who is there, and one's own controls. */

import { find, setText } from "./dom.js";
import { Tile } from "./tile.js";
import { headcount } from "./words.js";

/**
 * @typedef {import("./room.js").Participant} Participant
 *
 * @typedef {object} StageActions
 * @property {() => void} mute
 * @property {() => void} leave
 * @property {() => void} useMicrophone
 * @property {(id: string) => void} chooseDevice
 * @property {() => void} enableAudio
 * @property {() => void} copyLink
 * @property {(compare: boolean) => void} compare
 * @property {(id: string, held: boolean) => void} hold mutes a participant, as a moderator
 * @property {(id: string) => void} remove a participant, as a moderator
 */

/** Up to this many tiles the style sheet arranges by their number; more are set small. */
const MOST_ARRANGED = 6;

/** How long "Copied" is shown. Milliseconds. */
const COPIED = 2000;

export class Stage {
  #section = find("#stage", HTMLElement);
  #title = find("#room-title", HTMLElement);
  #list = find("#participants", HTMLUListElement);
  #mute = find("#mute", HTMLButtonElement);
  #device = find("#device", HTMLSelectElement);
  #deviceField = find(".device", HTMLElement);
  #compare = find("#compare", HTMLButtonElement);
  #enableAudio = find("#enable-audio", HTMLButtonElement);
  #useMicrophone = find("#use-microphone", HTMLButtonElement);
  #copyText = find("#copy-link-text", HTMLElement);
  /** @type {Map<string, Tile>} */
  #tiles = new Map();

  /** Whether the person here may mute and remove others. */
  moderating = false;
  #actions;

  /** @param {StageActions} actions */
  constructor(actions) {
    this.#actions = actions;
    this.#mute.addEventListener("click", actions.mute);
    this.#enableAudio.addEventListener("click", actions.enableAudio);
    this.#useMicrophone.addEventListener("click", actions.useMicrophone);
    this.#device.addEventListener("change", () => actions.chooseDevice(this.#device.value));
    this.#compare.addEventListener("click", () =>
      actions.compare(this.#compare.getAttribute("aria-pressed") === "false"),
    );
    find("#leave", HTMLButtonElement).addEventListener("click", actions.leave);
    find("#copy-link", HTMLButtonElement).addEventListener("click", actions.copyLink);
    document.addEventListener("keydown", (event) => {
      if (!this.#section.hidden && !this.#mute.hidden && isMuteKey(event)) {
        actions.mute();
      }
    });
  }

  /** Shows the room and moves the focus into it. @param {string} room */
  show(room) {
    setText(this.#title, room);
    this.#section.hidden = false;
    this.#title.focus();
  }

  hide() {
    this.#section.hidden = true;
    this.#list.replaceChildren();
    this.#tiles.clear();
  }

  /** @param {string} id of a participant */
  tile(id) {
    return this.#tiles.get(id);
  }

  /** @returns {IterableIterator<Tile>} */
  tiles() {
    return this.#tiles.values();
  }

  /** @param {Participant} participant */
  add(participant) {
    const tile = new Tile(participant);
    tile.setMuted(participant.muted);
    this.#tiles.set(participant.id, tile);
    if (this.moderating && !participant.self) {
      const { id, name } = participant;
      tile.moderate(
        name,
        (held) => this.#actions.hold(id, held),
        () => this.#actions.remove(id),
      );
    }
    if (participant.self) {
      this.#list.prepend(tile.element);
    } else {
      this.#list.append(tile.element);
    }
    this.#count();
  }

  /** Who leads the conversation stands out among those who speak. @param {string | null} holder */
  setFloor(holder) {
    for (const [id, tile] of this.#tiles) {
      tile.element.toggleAttribute("data-floor", id === holder);
    }
  }

  /** @param {string} id of a participant */
  remove(id) {
    const element = this.#tiles.get(id)?.element;
    const hadFocus = element?.contains(document.activeElement) ?? false;
    element?.remove();
    this.#tiles.delete(id);
    if (hadFocus) {
      this.#title.focus();
    }
    this.#count();
  }

  /** @param {boolean} muted */
  setMuted(muted) {
    this.#mute.setAttribute("aria-pressed", String(muted));
    setText(find("#mute-text", HTMLElement), muted ? "Muted" : "Mute");
  }

  /**
   * Offers to mute, or without a microphone to get one, or neither to who may not talk.
   *
   * @param {boolean} talking
   * @param {boolean} [may] talk at all
   */
  setTalking(talking, may = true) {
    const hadFocus = document.activeElement === (talking ? this.#useMicrophone : this.#mute);
    this.#mute.hidden = !talking;
    this.#useMicrophone.hidden = talking || !may;
    this.#deviceField.hidden = !may;
    if (hadFocus) {
      (talking ? this.#mute : this.#useMicrophone).focus();
    }
  }

  /**
   * @param {{id: string, label: string}[]} devices
   * @param {string | null} chosen id; null while none is in use
   */
  setDevices(devices, chosen) {
    const listed = chosen === null ? [{ id: "", label: "No microphone" }] : devices;
    this.#device.replaceChildren(...listed.map(({ id, label }) => new Option(label, id)));
    this.#device.value = chosen ?? "";
    this.#device.disabled = chosen === null;
  }

  /** @param {boolean} refused */
  setAudioRefused(refused) {
    const hadFocus = document.activeElement === this.#enableAudio;
    this.#enableAudio.hidden = !refused;
    if (hadFocus && !refused) {
      this.#title.focus();
    }
  }

  /** @param {boolean} compare whether the relay's figures are shown beside the browser's */
  setCompare(compare) {
    this.#compare.setAttribute("aria-pressed", String(compare));
    this.#list.dataset.compare = String(compare);
  }

  showCopied() {
    setText(this.#copyText, "Copied");
    setTimeout(() => setText(this.#copyText, "Copy link"), COPIED);
  }

  #count() {
    const count = this.#tiles.size;
    setText(find("#headcount", HTMLElement), headcount(count));
    this.#list.dataset.count = count > MOST_ARRANGED ? "many" : String(count);
    find("#alone", HTMLElement).hidden = count > 1;
  }
}

/** @param {KeyboardEvent} event */
function isMuteKey({ key, ctrlKey, metaKey, altKey, repeat, target }) {
  const typing = target instanceof Element && target.closest("input, select, textarea");
  return key.toLowerCase() === "m" && !ctrlKey && !metaKey && !altKey && !repeat && !typing;
}
