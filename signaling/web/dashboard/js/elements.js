/** Making elements, and keeping a list of them in step with data without touching what stays the same. */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | null | false | undefined} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Attributes */

/**
 * @param {string} name "tag" or "tag.class.class"
 * @param {Attributes} [attributes] false, null and undefined ones are left out, true ones are empty
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function h(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  return /** @type {HTMLElement} */ (filled(document.createElement(tag), classes, attributes, children));
}

/**
 * As `h`, for SVG.
 *
 * @param {string} name
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function s(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  return /** @type {SVGElement} */ (filled(document.createElementNS(SVG, tag), classes, attributes, children));
}

/**
 * @param {Element} element
 * @param {string[]} classes
 * @param {Attributes} attributes
 * @param {Child[]} children
 */
function filled(element, classes, attributes, children) {
  element.classList.add(...classes);
  for (const [name, value] of Object.entries(attributes)) {
    setAttribute(element, name, value);
  }
  element.append(
    .../** @type {(Node | string)[]} */ (
      children.filter((child) => child !== null && child !== false && child !== undefined)
    ),
  );
  return element;
}

/**
 * Writes only what differs.
 *
 * @param {Element} element
 * @param {string} name
 * @param {string | number | boolean | null | undefined} value
 */
export function setAttribute(element, name, value) {
  if (value === false || value === null || value === undefined) {
    element.removeAttribute(name);
  } else if (element.getAttribute(name) !== (value === true ? "" : String(value))) {
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * Puts a newer form of a part into its place, unless the reader is just in it.
 *
 * @param {Element} place
 * @param {...Node} children
 */
export function renew(place, ...children) {
  const focused = document.activeElement;
  const inside = focused !== null && place.contains(focused);
  if (inside && !focused.matches("h1")) {
    return;
  }
  place.replaceChildren(...children);
  if (inside) {
    place.querySelector("h1")?.focus({ preventScroll: true });
  }
}

/** @param {string} id of a symbol in the page @returns {SVGElement} */
export function icon(id) {
  return s("svg.icon", { "aria-hidden": "true", viewBox: "0 0 24 24" }, s("use", { href: `#icon-${id}` }));
}

/**
 * A part of the page that is made once and then only brought up to date.
 *
 * @template T
 * @typedef {{element: Element, update: (item: T) => void}} Part
 */

/**
 * Children of one element, one for each item, known by their keys: what stays is kept with its focus and
 * its open folds, and moved only where the order changed.
 *
 * @template T
 */
export class KeyedList {
  /** @type {Map<string, Part<T>>} */
  #parts = new Map();
  #parent;
  #key;
  #make;

  /**
   * @param {Element} parent holds nothing else
   * @param {(item: T) => string} key
   * @param {(item: T) => Part<T>} make
   */
  constructor(parent, key, make) {
    this.#parent = parent;
    this.#key = key;
    this.#make = make;
  }

  /** @param {T[]} items in order */
  update(items) {
    const wanted = new Map(items.map((item) => [this.#key(item), item]));
    for (const [key, { element }] of this.#parts) {
      if (!wanted.has(key)) {
        element.remove();
        this.#parts.delete(key);
      }
    }
    let place = this.#parent.firstElementChild;
    for (const [key, item] of wanted) {
      let part = this.#parts.get(key);
      if (!part) {
        part = this.#make(item);
        this.#parts.set(key, part);
      }
      part.update(item);
      if (part.element === place) {
        place = place.nextElementSibling;
      } else {
        this.#move(part.element, place);
      }
    }
  }

  /**
   * @param {Element} element
   * @param {Element | null} before
   */
  #move(element, before) {
    const focused = document.activeElement;
    const holdsFocus = focused !== null && element.contains(focused);
    this.#parent.insertBefore(element, before);
    if (holdsFocus && focused instanceof HTMLElement) {
      focused.focus({ preventScroll: true }); // moving an element takes the focus away from it
    }
  }
}
