/** The dashboard as a whole: one view at a time by the address, the token, and whether the relay answers. */

import { find, setText } from "../../js/dom.js";
import { ApiError } from "./api.js";
import { CallView } from "./callview.js";
import { clockWithSeconds } from "./format.js";
import { HistoryView } from "./historyview.js";
import { NowView } from "./nowview.js";
import { Poll } from "./poll.js";
import { RoomView } from "./roomview.js";
import { parseRoute, tokenIn } from "./route.js";
import { faultWords } from "./words.js";

/**
 * @typedef {import("./api.js").Api} Api
 * @typedef {import("./route.js").Route} Route
 *
 * @typedef {object} Context what a view may use
 * @property {Api} api
 * @property {(ask: (signal: AbortSignal) => Promise<boolean | void>, interval: number, missing?: (error: ApiError) => void) => Poll} poll
 *     asks while the view is shown; `missing` is called where there is nothing, and will not be
 * @property {(text: string) => void} announce for screen readers
 * @property {(title: string) => void} setTitle of the tab
 * @property {(hash: string) => void} settle writes where the reader is into the address, without a step back
 * @property {(path: string, query: Record<string, string | number | null | undefined>, name: string) => Promise<void>} save
 *
 * @typedef {object} View
 * @property {HTMLElement} element its first h1 takes the focus when the view is shown
 * @property {(route: Route) => void} show also when the address changes within the view
 * @property {() => void} close
 */

/** Sentences for screen readers come at most so often. Milliseconds. */
const ANNOUNCE_INTERVAL = 8000;

/** @type {Set<import("./api.js").Fault>} */
const GONE = new Set(["missing", "off", "refused"]);

/** @type {Record<Route["view"], new (context: Context, route: Route) => View>} */
const VIEWS = { now: NowView, history: HistoryView, room: RoomView, call: CallView };

/** @type {Record<Route["view"], string>} */
const TABS = { now: "now", history: "history", room: "history", call: "history" };

export class Dashboard {
  #api;
  #place = find("#view", HTMLElement);
  #gate = find("#gate", HTMLElement);
  #token = find("#token", HTMLInputElement);
  #tokenFault = find("#token-fault", HTMLElement);
  #banner = find("#banner", HTMLElement);
  #announcer = find("#announcer", HTMLElement);
  #freshness = find("#freshness", HTMLElement);
  /** @type {View | null} */
  #view = null;
  /** @type {Route | null} */
  #route = null;
  /** @type {Set<Poll>} */
  #polls = new Set();
  #answeredAt = 0;
  #gone = false;
  /** Why there is no answer, and why there is no file. */
  #unanswered = "";
  #notSaved = "";
  #announcedAt = -Infinity;
  #announceTimer = 0;

  /** @param {Api} api */
  constructor(api) {
    this.#api = api;
    addEventListener("hashchange", () => this.#follow());
    find("#skip", HTMLButtonElement).addEventListener("click", () => find("#content", HTMLElement).focus());
    find("#gate-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#enter(this.#token.value.trim());
    });
  }

  start() {
    this.#follow();
  }

  #follow() {
    const token = tokenIn(location.hash);
    if (token !== null) {
      history.replaceState(null, "", "#/"); // a token must not stay where it can be read and copied
      this.#enter(token);
      return;
    }
    const route = parseRoute(location.hash);
    if (!this.#gate.hidden) {
      this.#route = route;
      return;
    }
    const same = this.#view !== null && this.#route?.view === route.view && this.#route.id === route.id;
    this.#route = route;
    if (same) {
      this.#view?.show(route);
    } else {
      this.#open(route);
    }
  }

  /** @param {Route} route */
  #open(route) {
    const first = this.#view === null;
    this.#closeView();
    for (const link of document.querySelectorAll("nav a[data-view]")) {
      const current = link instanceof HTMLElement && link.dataset.view === TABS[route.view];
      link.toggleAttribute("aria-current", current);
      if (current) {
        link.setAttribute("aria-current", "page");
      }
    }
    const view = new VIEWS[route.view](this.#context(), route);
    this.#view = view;
    this.#place.replaceChildren(view.element);
    view.show(route);
    if (!first) {
      // Where a link led to: a screen reader reads on from there, and Tab goes on there.
      view.element.querySelector("h1")?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
  }

  #closeView() {
    this.#view?.close();
    this.#view = null;
    for (const poll of this.#polls) {
      poll.stop();
    }
    this.#polls.clear();
    this.#notSaved = "";
    this.#tell();
    this.#say("");
  }

  /** @returns {Context} */
  #context() {
    return {
      api: this.#api,
      poll: (ask, interval, missing) => this.#poll(ask, interval, missing),
      announce: (text) => this.#announce(text),
      setTitle: (title) => {
        document.title = `${title} · rtp-relay`;
      },
      settle: (hash) => {
        history.replaceState(null, "", hash);
        this.#route = parseRoute(hash);
      },
      save: (path, query, name) => this.#save(path, query, name),
    };
  }

  /**
   * @param {(signal: AbortSignal) => Promise<boolean | void>} ask
   * @param {number} interval
   * @param {(error: ApiError) => void} [missing]
   */
  #poll(ask, interval, missing) {
    const poll = new Poll(ask, interval, {
      answered: () => this.#answered(),
      failed: (error) => {
        if (missing && error instanceof ApiError && GONE.has(error.fault)) {
          poll.stop();
          this.#setFreshness("none", "");
          missing(error);
        } else {
          this.#failed(error);
        }
      },
    });
    this.#polls.add(poll);
    return poll;
  }

  #answered() {
    this.#answeredAt = Date.now() / 1000;
    document.body.dataset.state = "ready";
    this.#setFreshness("live", "Live");
    this.#unanswered = "";
    this.#tell();
    if (this.#gone) {
      this.#gone = false;
      this.#announce("The relay answers again.");
    }
  }

  /** @param {unknown} error */
  #failed(error) {
    if (this.#askedAfter(error)) {
      return;
    }
    if (!(error instanceof ApiError)) {
      console.error(error);
    }
    const since = this.#answeredAt ? ` What you see is from ${clockWithSeconds(this.#answeredAt)}.` : "";
    this.#unanswered = `${faultWords(error)}${since} Trying again…`;
    this.#tell();
    this.#setFreshness("stale", "No answer");
    document.body.dataset.state = this.#answeredAt ? "stale" : "loading";
    this.#gone = true;
  }

  /** What lasts: that nobody answers, else that a file was not saved. */
  #tell() {
    const text = this.#unanswered || this.#notSaved;
    this.#banner.hidden = text === "";
    setText(this.#banner, text);
  }

  /** @param {unknown} error @returns {boolean} whether it is for want of a token, which was asked for */
  #askedAfter(error) {
    if (error instanceof ApiError && (error.fault === "unauthorized" || error.fault === "forbidden")) {
      this.#ask(error.fault);
      return true;
    }
    return false;
  }

  /** Shows the form for the token. @param {"unauthorized" | "forbidden"} fault */
  #ask(fault) {
    const refused = this.#api.hasToken;
    this.#api.token = "";
    this.#closeView();
    this.#place.replaceChildren();
    this.#unanswered = "";
    this.#tell();
    this.#gate.hidden = false;
    document.body.dataset.state = "gate";
    document.title = "Admin token · rtp-relay";
    this.#setFreshness("none", "");
    const forbidden = "This token is valid, but it has no admin grant. Ask whoever made it for one that has.";
    const unknown = "This token is not accepted. It may have run out, or be cut off: paste the whole of it.";
    setText(this.#tokenFault, refused ? (fault === "forbidden" ? forbidden : unknown) : "");
    this.#token.setAttribute("aria-invalid", String(refused));
    this.#token.focus();
    this.#token.select();
  }

  /** @param {string} token */
  #enter(token) {
    if (!token) {
      setText(this.#tokenFault, "Paste the token first.");
      this.#token.focus();
      return;
    }
    this.#api.token = token;
    this.#token.value = "";
    setText(this.#tokenFault, "");
    this.#gate.hidden = true;
    document.body.dataset.state = "loading";
    this.#open(this.#route ?? parseRoute(location.hash));
  }

  /**
   * @param {string} path
   * @param {Record<string, string | number | null | undefined>} query
   * @param {string} name
   */
  async #save(path, query, name) {
    try {
      await this.#api.save(path, query, name);
      this.#notSaved = "";
      this.#announce("Saved.");
    } catch (error) {
      if (!this.#askedAfter(error)) {
        this.#notSaved = `${faultWords(error)} Nothing was saved.`;
      }
    }
    this.#tell();
  }

  /**
   * @param {"live" | "stale" | "none"} fresh
   * @param {string} text
   */
  #setFreshness(fresh, text) {
    this.#freshness.dataset.fresh = fresh;
    setText(find("#freshness-text", HTMLElement), text);
  }

  /** @param {string} text */
  #announce(text) {
    clearTimeout(this.#announceTimer);
    const wait = this.#announcedAt + ANNOUNCE_INTERVAL - performance.now();
    this.#announceTimer = setTimeout(() => this.#say(text), Math.max(0, wait));
  }

  /** @param {string} text */
  #say(text) {
    clearTimeout(this.#announceTimer);
    setText(this.#announcer, text);
    if (text) {
      this.#announcedAt = performance.now();
    }
  }
}
