/** Asks browser and server for statistics, side by side, while a session lasts. */

import { browserSample, relaySample, Trend } from "./statistics.js";

/**
 * @typedef {import("./session.js").Session} Session
 * @typedef {import("./statistics.js").Figures} Figures
 * @typedef {import("./signaling.js").Message} Message
 */

/** Milliseconds between two questions. */
const INTERVAL = 1000;

export class Monitor {
  /** A new connection starts a new trend. @type {WeakMap<RTCPeerConnection, {browser: Trend, relay: Trend}>} */
  #trends = new WeakMap();
  #session;
  #onFigures;
  #timer;
  #asking = false;

  /**
   * @param {Session} session
   * @param {(id: string, browser: Figures | null, relay: Figures | null) => void} onFigures `id` is
   *     the participant's; null is what nobody knows yet
   */
  constructor(session, onFigures) {
    this.#session = session;
    this.#onFigures = onFigures;
    this.#timer = setInterval(() => this.#tick(), INTERVAL);
  }

  stop() {
    clearInterval(this.#timer);
  }

  async #tick() {
    if (!this.#asking) {
      this.#asking = true;
      await this.#ask().finally(() => {
        this.#asking = false;
      });
    }
  }

  async #ask() {
    const stats = await this.#session.relayStats();
    const now = performance.now();
    for (const { participantId, id, peer } of this.#session.links()) {
      if (peer === null || id === null) {
        continue;
      }
      const trend = this.#trend(peer);
      const sample = browserSample(await peer.getStats());
      const counters = stats && countersOf(stats, id);
      this.#onFigures(
        participantId,
        sample && trend.browser.add(sample),
        counters && trend.relay.add(relaySample(counters, now)),
      );
    }
  }

  /** @param {RTCPeerConnection} peer */
  #trend(peer) {
    let trend = this.#trends.get(peer);
    if (!trend) {
      trend = { browser: new Trend(), relay: new Trend() };
      this.#trends.set(peer, trend);
    }
    return trend;
  }
}

/**
 * @param {Message} stats the server's reply
 * @param {string} id of a publisher or consumer
 * @returns {{[counter: string]: any} | null}
 */
function countersOf(stats, id) {
  return stats.publisher?.publisher_id === id ? stats.publisher : (stats.consumers[id] ?? null);
}
