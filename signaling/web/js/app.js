/** The page as a whole: leads from the lobby into the room and back, and ties sound to tiles. */

import { Lobby } from "./lobby.js";
import { Messages } from "./messages.js";
import { Meters, microphoneLevel, receiverLevel } from "./meters.js";
import { Microphone, MicrophoneError } from "./microphone.js";
import { Monitor } from "./monitor.js";
import { Playback } from "./playback.js";
import { Session } from "./session.js";
import { recall, remember } from "./settings.js";
import { SignalingError } from "./signaling.js";
import { Stage } from "./stage.js";
import { claims, takeToken } from "./token.js";
import { drainNews, holdNews, joinFault, microphoneFault, returnFault } from "./words.js";

/**
 * @typedef {import("./session.js").SessionObserver} SessionObserver
 * @typedef {import("./room.js").Participant} Participant
 */

/** A permission that was given before takes less than this: no need to explain it. Milliseconds. */
const PROMPT_SEEN = 500;

export class App {
  #messages = new Messages();
  #lobby = new Lobby((name, room) => this.#join(name, room));
  #stage = new Stage({
    mute: () => this.#toggleMute(),
    leave: () => this.leave(),
    useMicrophone: () => this.#useMicrophone(),
    chooseDevice: (id) => this.#chooseDevice(id),
    enableAudio: () => this.#playback.resume(),
    copyLink: () => this.#copyLink(),
    compare: (compare) => this.#setCompare(compare),
    hold: (id, held) => this.#session?.hold(id, held),
    remove: (id) => this.#session?.remove(id),
  });
  #microphone = new Microphone(
    () => this.#listDevices(),
    () => this.#replaceMicrophone(),
  );
  #playback = new Playback((refused) => this.#stage.setAudioRefused(refused));
  #meters = new Meters((id, shown, speaking) => this.#stage.tile(id)?.setLevel(shown, speaking));
  /** Made by the first gesture: before it, browsers would not let it run. @type {AudioContext | null} */
  #audioContext = null;
  /** @type {Session | null} */
  #session = null;
  /** @type {Monitor | null} */
  #monitor = null;
  #selfId = "";
  /** Whether a moderator keeps the person here muted. */
  #held = false;
  #address;
  #token;

  /**
   * @param {URL} address of the page; `room` and `name` are taken from its query, `token` from its
   *     fragment or its query, and out of it
   */
  constructor(address) {
    this.#address = address;
    this.#token = takeToken(address);
    history.replaceState(null, "", address);
    const query = address.searchParams;
    const invited = claims(this.#token);
    this.#stage.moderating = invited.admin ?? false;
    const room = invited.room?.endsWith("*") ? "" : (invited.room ?? "");
    this.#lobby.fill(invited.name ?? query.get("name") ?? recall("name"), query.get("room") ?? room);
    this.#lobby.fixName(invited.name !== undefined);
    this.#stage.setCompare(recall("compare") === "true");
    // Browsers stop the meter's clock, as for a telephone call, and start it again in a gesture only.
    for (const gesture of ["pointerup", "keyup"]) {
      addEventListener(gesture, () => this.#audioContext?.resume());
    }
  }

  /** Leaves the room, if there is one, for the lobby. */
  leave() {
    if (this.#session) {
      this.#endSession();
      this.#lobby.show();
    }
  }

  /**
   * @param {string} name
   * @param {string} room
   */
  async #join(name, room) {
    if (claims(this.#token).name === undefined) {
      remember("name", name);
    }
    this.#messages.notice("");
    this.#setState("joining");
    this.#audioContext ??= new AudioContext();
    this.#audioContext.resume();
    const session = new Session(
      new URL("ws", this.#address.href.replace(/^http/, "ws")),
      { room, name, token: this.#token || undefined },
      this.#microphone.muted,
      this.#observer(),
    );
    this.#session = session;
    try {
      await session.start();
    } catch (error) {
      this.#turnedAway(session, error);
      return;
    }
    this.#showRoom(room, session);
    await this.#useMicrophone();
  }

  /**
   * @param {Session} session
   * @param {unknown} error
   */
  #turnedAway(session, error) {
    if (this.#session === session) {
      this.#endSession();
      this.#lobby.show();
      this.#messages.notice(joinFault(error instanceof SignalingError ? error.code : "internal"));
    }
  }

  /**
   * @param {string} room
   * @param {Session} session
   */
  #showRoom(room, session) {
    this.#address.searchParams.set("room", room);
    history.replaceState(null, "", this.#address);
    document.title = `${room} · rtp-relay`;
    this.#setState("joined");
    this.#lobby.hide();
    this.#stage.show(room);
    this.#monitor = new Monitor(session, (id, browser, relay) =>
      this.#stage.tile(id)?.setFigures(browser, relay),
    );
  }

  #endSession() {
    this.#monitor?.stop();
    for (const { element } of this.#stage.tiles()) {
      this.#meters.remove(element.dataset.participantId ?? "");
    }
    this.#session?.leave();
    this.#session = this.#monitor = null;
    this.#held = false;
    this.#microphone.close();
    this.#stage.hide();
    this.#messages.banner("");
    this.#messages.notice("");
    document.title = "rtp-relay";
    this.#setState("lobby");
  }

  /** @param {"lobby" | "joining" | "joined" | "reconnecting"} state */
  #setState(state) {
    document.body.dataset.state = state;
    this.#lobby.setJoining(state === "joining");
  }

  /** @returns {SessionObserver} */
  #observer() {
    return {
      participantJoined: (participant, news) => this.#welcome(participant, news),
      participantChanged: (participant) => this.#update(participant),
      participantLeft: (participant, news) => this.#dismiss(participant, news),
      linkChanged: (id, state) => this.#stage.tile(id)?.setConnection(state),
      receiverChanged: (id, receiver) => this.#listen(id, receiver),
      speechReported: (id, speaking) => this.#meters.report(id, speaking),
      floorTaken: (id) => this.#stage.setFloor(id),
      lost: (code) => this.#lost(code),
      returned: () => this.#returned(),
      holdChanged: (id, held, self) => this.#holdChanged(id, held, self),
      draining: (seconds) => this.#messages.notice(drainNews(seconds)),
      expelled: (code) => {
        this.#endSession();
        this.#lobby.show();
        this.#messages.notice(joinFault(code));
      },
    };
  }

  /**
   * @param {Participant} participant
   * @param {boolean} news
   */
  #welcome(participant, news) {
    this.#stage.add(participant);
    if (participant.self) {
      this.#selfId = participant.id;
      this.#meterOneself();
    }
    if (news) {
      this.#messages.announce(`${participant.name} joined`);
    }
  }

  /**
   * @param {Participant} participant
   * @param {boolean} news
   */
  #dismiss({ id, name }, news) {
    const audio = this.#stage.tile(id)?.audio;
    if (audio) {
      this.#playback.stop(audio);
    }
    this.#meters.remove(id);
    this.#stage.remove(id);
    if (news) {
      this.#messages.announce(`${name} left`);
    }
  }

  /** @param {Participant} participant */
  #update({ id, muted }) {
    this.#stage.tile(id)?.setMuted(muted);
    if (muted) {
      this.#meters.report(id, null); // the server says nothing about the muted
    }
  }

  /**
   * @param {string} id of a participant
   * @param {RTCRtpReceiver} receiver
   */
  #listen(id, receiver) {
    const audio = this.#stage.tile(id)?.audio;
    if (audio) {
      this.#meters.set(id, receiverLevel(receiver));
      this.#playback.play(audio, receiver.track);
    }
  }

  /** @param {string} code */
  #lost(code) {
    this.#setState("reconnecting");
    this.#messages.banner(returnFault(code));
  }

  #returned() {
    this.#setState("joined");
    this.#messages.banner("");
    this.#messages.announce("Reconnected");
  }

  async #useMicrophone() {
    const prompting = setTimeout(
      () => this.#messages.banner("Your browser asks for the microphone: allow it to talk. You can listen already."),
      PROMPT_SEEN,
    );
    try {
      await this.#openMicrophone(recall("device"), false);
    } finally {
      clearTimeout(prompting);
      if (document.body.dataset.state === "joined") {
        this.#messages.banner("");
      }
    }
  }

  /** The one in use was unplugged: takes another one where there is one. */
  async #replaceMicrophone() {
    this.#microphone.close();
    await this.#useMicrophone();
    if (!this.#microphone.stream) {
      this.#session?.unpublish();
    }
  }

  /** @param {string} id of a device */
  async #chooseDevice(id) {
    await this.#openMicrophone(id, true);
    remember("device", this.#microphone.deviceId ?? "");
  }

  /**
   * @param {string} deviceId
   * @param {boolean} exact
   */
  async #openMicrophone(deviceId, exact) {
    const session = this.#session;
    try {
      const track = await this.#microphone.open(deviceId, exact);
      if (!session || this.#session !== session) {
        this.#microphone.close(); // left while the browser was asking
        return;
      }
      this.#messages.notice("");
      this.#meterOneself();
      await session.publish(track);
    } catch (error) {
      if (this.#session === session) {
        this.#messages.notice(microphoneFault(error instanceof MicrophoneError ? error.fault : "unknown"));
      }
    }
    this.#stage.setTalking(this.#microphone.stream !== null);
    await this.#listDevices();
  }

  async #listDevices() {
    this.#stage.setDevices(await this.#microphone.devices(), this.#microphone.deviceId);
  }

  #meterOneself() {
    const { stream } = this.#microphone;
    if (stream && this.#audioContext) {
      this.#meters.set(this.#selfId, microphoneLevel(this.#audioContext, stream));
    }
  }

  #toggleMute() {
    if (this.#held) {
      this.#messages.notice(holdNews(true));
    } else {
      this.#setMuted(!this.#microphone.muted);
    }
  }

  /**
   * @param {string} id of a participant
   * @param {boolean} held
   * @param {boolean} self
   */
  #holdChanged(id, held, self) {
    this.#stage.tile(id)?.setHeld(held);
    if (self) {
      this.#held = held;
      this.#messages.notice(holdNews(held));
      if (held) {
        this.#setMuted(true);
      }
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

  /** @param {boolean} compare */
  #setCompare(compare) {
    remember("compare", String(compare));
    this.#stage.setCompare(compare);
  }

  async #copyLink() {
    const link = new URL(this.#address);
    link.hash = "";
    link.search = new URLSearchParams({ room: this.#address.searchParams.get("room") ?? "" }).toString();
    try {
      await navigator.clipboard.writeText(link.href);
      this.#stage.showCopied();
      this.#messages.announce("Link copied");
    } catch {
      // Clipboards are for secure pages only: let people copy it by hand.
      this.#messages.notice(`Send this link: ${link.href}`);
    }
  }
}
