/** One's own voice in a room: the microphone with its meter, mute, and moderators who keep one muted. */

import { microphoneLevel } from "./meters.js";
import { Microphone, MicrophoneError } from "./microphone.js";
import { recall, remember } from "./settings.js";
import { holdNews, LISTENERS_ONLY, MICROPHONE_PROMPT, microphoneFault } from "./words.js";

/**
 * @typedef {import("./messages.js").Messages} Messages
 * @typedef {import("./meters.js").Meters} Meters
 * @typedef {import("./session.js").Session} Session
 * @typedef {import("./stage.js").Stage} Stage
 */

/** A permission that was given before takes less than this: no need to explain it. Milliseconds. */
const PROMPT_SEEN = 500;

export class Voice {
  #messages;
  #stage;
  #meters;
  #microphone = new Microphone(
    () => this.#listDevices(),
    () => this.#replace(),
  );
  /** Made by the first gesture: before it, browsers would not let it run. @type {AudioContext | null} */
  #context = null;
  /** @type {Session | null} */
  #session = null;
  /** Ends with the stay in the room. */
  #stay = new AbortController();
  #selfId = "";
  /** Whether a moderator keeps the person here muted. */
  #held = false;
  /** What was told when the microphone did not start. */
  #fault = "";

  /** Whether the person here may talk at all. */
  allowed = true;

  /**
   * @param {Messages} messages
   * @param {Stage} stage
   * @param {Meters} meters
   */
  constructor(messages, stage, meters) {
    this.#messages = messages;
    this.#stage = stage;
    this.#meters = meters;
    // Browsers stop the meter's clock, as for a telephone call, and start it again in a gesture only.
    for (const gesture of ["pointerup", "keyup"]) {
      addEventListener(gesture, () => this.#session && this.#context?.resume());
    }
  }

  get muted() {
    return this.#microphone.muted;
  }

  /** To be called from a gesture, while the session joins. @param {Session} session */
  enter(session) {
    this.#session = session;
    this.#stay = new AbortController();
    this.#context ??= new AudioContext();
    this.#context.resume();
  }

  /** One's own tile is there. @param {string} id */
  introduce(id) {
    this.#selfId = id;
    this.#meter();
  }

  /** Lets go of everything. May be called at any time, and again. */
  leave() {
    this.#stay.abort();
    this.#session = null;
    this.#held = false;
    this.#microphone.close();
    this.#context?.suspend(); // a running one keeps the sound card awake
  }

  /** Asks for the microphone, and publishes it. */
  async use() {
    if (!this.allowed) {
      this.#stage.setTalking(false, false);
      this.#messages.notice(LISTENERS_ONLY, "news");
      return;
    }
    const { signal } = this.#stay;
    const explain = () => signal.aborted || this.#messages.banner("microphone", MICROPHONE_PROMPT);
    const prompting = setTimeout(explain, PROMPT_SEEN);
    await this.#open(recall("device"), false);
    clearTimeout(prompting);
    if (!signal.aborted) {
      this.#messages.banner("microphone", "");
    }
  }

  /** @param {string} id of a device */
  async choose(id) {
    await this.#open(id, true);
    remember("device", this.#microphone.deviceId ?? "");
  }

  toggleMute() {
    if (this.#held) {
      this.#messages.notice(holdNews(true));
    } else {
      this.#setMuted(!this.muted);
    }
  }

  /** @param {boolean} held whether a moderator keeps the person here muted from now on */
  hold(held) {
    this.#held = held;
    this.#messages.notice(holdNews(held), held ? "fault" : "news");
    if (held) {
      this.#setMuted(true);
    }
  }

  /** The socket is lost: whom a moderator still keeps muted afterwards is told so again. */
  forgetHold() {
    this.#held = false;
  }

  /** The one in use was unplugged: takes another one where there is one. */
  async #replace() {
    const { signal } = this.#stay;
    this.#microphone.close();
    await this.use();
    if (!this.#microphone.stream && !signal.aborted) {
      this.#session?.unpublish();
    }
  }

  /**
   * @param {string} deviceId
   * @param {boolean} exact
   */
  async #open(deviceId, exact) {
    const { signal } = this.#stay;
    try {
      const track = await this.#microphone.open(deviceId, exact, signal);
      this.#messages.retract(this.#fault);
      this.#meter();
      await this.#session?.publish(track);
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      this.#fault = microphoneFault(error instanceof MicrophoneError ? error.fault : "unknown");
      this.#messages.notice(this.#fault);
    }
    this.#stage.setTalking(this.#microphone.stream !== null);
    await this.#listDevices();
  }

  async #listDevices() {
    this.#stage.setDevices(await this.#microphone.devices(), this.#microphone.deviceId);
  }

  #meter() {
    const { stream } = this.#microphone;
    if (stream && this.#context) {
      this.#meters.set(this.#selfId, microphoneLevel(this.#context, stream));
    }
  }

  /** @param {boolean} muted */
  #setMuted(muted) {
    this.#microphone.muted = muted;
    this.#stage.setMuted(muted);
    this.#stage.tile(this.#selfId)?.setMuted(muted);
    this.#session?.setMuted(muted);
    this.#messages.announce(muted ? "You are muted" : "You are not muted");
  }
}
