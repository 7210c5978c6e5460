/** The server's rules for rooms and names, so that a form can tell before the server does. */

const ROOM = /^[A-Za-z0-9_.-]{1,64}$/;
const CONTROL = /\p{Cc}/u;
const LONGEST_NAME = 64;

/**
 * @param {string} room
 * @returns {string} what is wrong with it, in a sentence; "" when nothing is
 */
export function roomFault(room) {
  if (room === "") {
    return "Choose a room. Everyone who types the same name meets there.";
  }
  if ([...room].length > 64) {
    return "A room's name has at most 64 characters.";
  }
  return ROOM.test(room) ? "" : "Use only letters A–Z, digits, dots, dashes and underscores, without spaces.";
}

/**
 * @param {string} name
 * @returns {string} what is wrong with it, in a sentence; "" when nothing is
 */
export function nameFault(name) {
  if (name === "") {
    return "Tell the others what to call you.";
  }
  if ([...name].length > LONGEST_NAME) {
    return `A name has at most ${LONGEST_NAME} characters.`;
  }
  return CONTROL.test(name) ? "A name can't hold control characters." : "";
}
