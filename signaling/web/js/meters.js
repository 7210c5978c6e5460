/**
 * The level meters of everybody in the room, on one timer.
 *
 * A remote level is read from the RTP header extension (RFC 6464) that came with the sound: it costs
 * nothing, and works before the browser allows sound to play. Only one's own microphone needs Web Audio.
 */

import { decibels, Loudness } from "./loudness.js";

/** Milliseconds between two looks at the levels; the style sheet smooths what is between. */
const INTERVAL = 80;

/** After this long without a new packet there is silence. Milliseconds. */
const STALE = 300;

/**
 * @typedef {(now: number) => number} LevelSource gives the present level in dBov
 *
 * @typedef {object} Meter
 * @property {LevelSource} read
 * @property {Loudness} loudness
 * @property {boolean | null} reported whether the server says that the participant speaks, null
 *     while it says nothing
 */

export class Meters {
  /** @type {Map<string, Meter>} */
  #meters = new Map();
  #onLevel;
  #timer = 0;

  /** @param {(id: string, shown: number, speaking: boolean) => void} onLevel `shown` is 0 to 1 */
  constructor(onLevel) {
    this.#onLevel = onLevel;
  }

  /**
   * @param {string} id of the participant
   * @param {LevelSource} read
   */
  set(id, read) {
    this.#meters.set(id, { read, loudness: new Loudness(), reported: null });
    this.#timer ||= setInterval(() => this.#look(), INTERVAL);
  }

  /** Takes the server's word for who speaks. @param {string} id @param {boolean | null} speaking */
  report(id, speaking) {
    const meter = this.#meters.get(id);
    if (meter && meter.reported !== speaking) {
      meter.reported = speaking;
      this.#show(id, meter, performance.now()); // at once: a light that comes late looks like another's
    }
  }

  /** From now on only what comes with the sound counts: the server can say nothing. */
  forgetReports() {
    for (const id of this.#meters.keys()) {
      this.report(id, null);
    }
  }

  /** @param {string} id */
  remove(id) {
    if (this.#meters.delete(id)) {
      this.#onLevel(id, 0, false);
    }
    if (this.#meters.size === 0) {
      clearInterval(this.#timer);
      this.#timer = 0;
    }
  }

  #look() {
    const now = performance.now();
    for (const [id, meter] of this.#meters) {
      this.#show(id, meter, now);
    }
  }

  /**
   * @param {string} id
   * @param {Meter} meter
   * @param {number} now
   */
  #show(id, { read, loudness, reported }, now) {
    const shown = loudness.update(read(now), now);
    this.#onLevel(id, shown, reported ?? loudness.speaking);
  }
}

/**
 * @param {RTCRtpReceiver} receiver
 * @returns {LevelSource}
 */
export function receiverLevel(receiver) {
  let lastTimestamp = 0;
  let lastChange = -Infinity;
  return (now) => {
    const [source] = receiver.getSynchronizationSources();
    if (source === undefined) {
      return decibels(0);
    }
    // The clock of `timestamp` differs between browsers, so only its changes are trusted.
    if (source.timestamp !== lastTimestamp) {
      lastTimestamp = source.timestamp;
      lastChange = now;
    }
    return decibels(now - lastChange < STALE ? (source.audioLevel ?? 0) : 0);
  };
}

/**
 * @param {AudioContext} context a running one
 * @param {MediaStream} stream
 * @returns {LevelSource}
 */
export function microphoneLevel(context, stream) {
  const analyser = new AnalyserNode(context, { fftSize: 1024 });
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return () => {
    analyser.getFloatTimeDomainData(samples);
    const energy = samples.reduce((sum, sample) => sum + sample * sample, 0);
    return decibels(Math.sqrt(energy / samples.length));
  };
}
