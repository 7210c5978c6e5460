/** The form that leads into a room. */

import { find, setText } from "./dom.js";
import { nameFault, roomFault } from "./rules.js";

/** One field of the form and the sentence that says what is wrong with it. */
class Field {
  #input;
  #fault;
  #rule;

  /**
   * @param {string} id
   * @param {(value: string) => string} rule
   */
  constructor(id, rule) {
    this.#input = find(`#${id}`, HTMLInputElement);
    this.#fault = find(`#${id}-fault`, HTMLElement);
    this.#rule = rule;
    // Told when the form is sent; taken back as soon as it is right.
    this.#input.addEventListener("input", () => {
      if (this.#input.ariaInvalid === "true") {
        this.check();
      }
    });
  }

  get value() {
    return this.#input.value.trim();
  }

  set value(value) {
    this.#input.value = value;
  }

  /** @param {boolean} fixed whether it is not for the person to change */
  set fixed(fixed) {
    this.#input.readOnly = fixed;
  }

  focus() {
    this.#input.focus();
  }

  /** @returns {boolean} whether the value is right */
  check() {
    const fault = this.#rule(this.value);
    setText(this.#fault, fault);
    this.#input.setAttribute("aria-invalid", String(fault !== ""));
    return fault === "";
  }
}

export class Lobby {
  #section = find("#lobby", HTMLElement);
  #button = find("#join", HTMLButtonElement);
  #name = new Field("name", nameFault);
  #room = new Field("room", roomFault);

  /** @param {(name: string, room: string) => void} onJoin both follow the rules */
  constructor(onJoin) {
    find("#join-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#button.ariaDisabled !== "true" && this.#check()) {
        onJoin(this.#name.value, this.#room.value);
      }
    });
  }

  /**
   * @param {string} name
   * @param {string} room
   */
  fill(name, room) {
    this.#name.value = name;
    this.#room.value = room;
    this.#firstToFill().focus();
  }

  /** @param {boolean} fixed whether the name is the one of the invitation */
  fixName(fixed) {
    this.#name.fixed = fixed;
  }

  /** @param {boolean} joining */
  setJoining(joining) {
    // Not `disabled`: that would take the focus away.
    this.#button.ariaDisabled = String(joining);
    setText(this.#button, joining ? "Joining…" : "Join");
  }

  show() {
    this.#section.hidden = false;
    this.#button.focus();
  }

  hide() {
    this.#section.hidden = true;
  }

  /** @returns {boolean} */
  #check() {
    const wrong = [this.#name, this.#room].filter((field) => !field.check());
    wrong[0]?.focus();
    return wrong.length === 0;
  }

  #firstToFill() {
    return [this.#name, this.#room].find(({ value }) => value === "") ?? this.#button;
  }
}
