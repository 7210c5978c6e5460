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

  /** @param {boolean} fixed */
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
    this.#button.disabled = false; // before, a click would have loaded the page again
  }

  /**
   * @param {string} name
   * @param {string} room
   */
  fill(name, room) {
    this.#name.value = name;
    this.#room.value = room;
  }

  /** Where there is something to be done. */
  focus() {
    this.#firstToFill().focus();
  }

  /**
   * What an invitation says goes before what was there; its room only where none was chosen.
   *
   * @param {import("./token.js").Claims} invitation
   */
  invite({ name, room }) {
    this.#name.value = name ?? this.#name.value;
    this.#name.fixed = name !== undefined; // it is not for the person to change
    if (this.#room.value === "" && room && !room.endsWith("*")) {
      this.#room.value = room;
    }
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
