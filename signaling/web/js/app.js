/** The page as a whole: leads from the lobby into the room and back, and ties sound to tiles. */

import { Lobby } from "./lobby.js";
import { Messages } from "./messages.js";
import { Meters, receiverLevel } from "./meters.js";
import { Monitor } from "./monitor.js";
import { Playback } from "./playback.js";
import { Session } from "./session.js";
import { recall, remember } from "./settings.js";
import { SignalingError } from "./signaling.js";
import { Stage } from "./stage.js";
import { claims, takeToken } from "./token.js";
import { Voice } from "./voice.js";
import { drainNews, joinFault, moderationFault, returnFault } from "./words.js";

/**
 * @typedef {import("./session.js").SessionObserver} SessionObserver
 * @typedef {import("./room.js").Participant} Participant
 */

export class App {
  #messages = new Messages();
  #lobby = new Lobby((name, room) => this.#join(name, room));
  #stage = new Stage({
    mute: () => this.#voice.toggleMute(),
    leave: () => this.leave(),
    useMicrophone: () => this.#voice.use(),
    chooseDevice: (id) => this.#voice.choose(id),
    enableAudio: () => this.#playback.resume(),
    copyLink: () => this.#copyLink(),
    compare: (compare) => this.#setCompare(compare),
    hold: (id, held) => this.#moderate(id, (session) => session.hold(id, held)),
    remove: (id) => this.#moderate(id, (session) => session.remove(id)),
  });
  #playback = new Playback((refused) => this.#stage.setAudioRefused(refused));
  #meters = new Meters((id, shown, speaking) => this.#stage.tile(id)?.setLevel(shown, speaking));
  #voice = new Voice(this.#messages, this.#stage, this.#meters);
  /** @type {Session | null} */
  #session = null;
  /** @type {Monitor | null} */
  #monitor = null;
  /** Whether the server has said that it is going to stop. */
  #stopping = false;
  #address;
  #token = "";

  /**
   * @param {URL} address of the page; `room` and `name` are taken from its query, `token` from its
   *     fragment or its query, and out of it
   */
  constructor(address) {
    this.#address = address;
    const query = address.searchParams;
    this.#lobby.fill(query.get("name") ?? recall("name"), query.get("room") ?? "");
    this.#takeInvitation();
    this.#lobby.focus();
    this.#stage.setCompare(recall("compare") === "true");
    addEventListener("hashchange", () => this.#takeInvitation());
  }

  /** Leaves the room, if there is one, for the lobby. */
  leave() {
    if (this.#session) {
      this.#endSession();
      this.#lobby.show();
    }
  }

  /** Of the page's link, or of one that was pasted into the open page: that loads nothing anew. */
  #takeInvitation() {
    this.#address.hash = location.hash;
    const token = takeToken(this.#address);
    history.replaceState(null, "", this.#address);
    if (token !== this.#token) {
      this.#token = token;
      if (!this.#session) {
        this.#useInvitation();
        this.#messages.notice(""); // such as that one is needed
      }
    }
  }

  #useInvitation() {
    const invitation = claims(this.#token);
    this.#stage.moderating = invitation.admin ?? false;
    this.#voice.allowed = invitation.publish ?? true;
    this.#lobby.invite(invitation);
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
    const session = new Session(
      new URL("ws", this.#address.href.replace(/^http/, "ws")),
      { room, name, token: this.#token || undefined },
      this.#voice.muted,
      this.#observer(),
    );
    this.#session = session;
    this.#voice.enter(session);
    try {
      await session.start();
    } catch (error) {
      if (this.#session === session) {
        this.#turnedOut(error instanceof SignalingError ? error.code : "internal");
      }
      return;
    }
    this.#showRoom(room, session);
    await this.#voice.use();
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

  /** Back in the lobby against one's will. @param {string} code why */
  #turnedOut(code) {
    this.#endSession();
    this.#lobby.show();
    this.#messages.notice(joinFault(code));
  }

  #endSession() {
    this.#monitor?.stop();
    for (const { element, audio } of this.#stage.tiles()) {
      this.#silence(element.dataset.participantId ?? "", audio);
    }
    this.#session?.leave();
    this.#session = this.#monitor = null;
    this.#stopping = false;
    this.#voice.leave();
    this.#stage.hide();
    this.#messages.clear();
    this.#useInvitation();
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
      draining: (seconds) => this.#draining(seconds),
      expelled: (code) => this.#turnedOut(code),
    };
  }

  /**
   * @param {Participant} participant
   * @param {boolean} news
   */
  #welcome(participant, news) {
    this.#stage.add(participant);
    if (participant.self) {
      this.#voice.introduce(participant.id);
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
    this.#silence(id, this.#stage.tile(id)?.audio ?? null);
    this.#stage.remove(id);
    if (news) {
      this.#messages.announce(`${name} left`);
    }
  }

  /**
   * @param {string} id of a participant
   * @param {HTMLAudioElement | null} audio
   */
  #silence(id, audio) {
    if (audio) {
      this.#playback.stop(audio);
    }
    this.#meters.remove(id);
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
    this.#voice.forgetHold();
    this.#meters.forgetReports();
    this.#messages.banner("draining", "");
    this.#messages.banner("lost", returnFault(code, this.#stopping));
  }

  #returned() {
    this.#stopping = false; // if it does stop, it says so again
    this.#setState("joined");
    this.#messages.banner("draining", "");
    this.#messages.banner("lost", "");
    this.#messages.announce("Reconnected");
  }

  /** @param {number} seconds until the server stops */
  #draining(seconds) {
    this.#stopping = true;
    this.#messages.banner("draining", drainNews(seconds));
  }

  /**
   * @param {string} id of a participant
   * @param {boolean} held
   * @param {boolean} self
   */
  #holdChanged(id, held, self) {
    this.#stage.tile(id)?.setHeld(held);
    if (self) {
      this.#voice.hold(held);
    }
  }

  /**
   * @param {string} id of whom it is done to
   * @param {(session: Session) => Promise<void>} act
   */
  async #moderate(id, act) {
    const session = this.#session;
    const name = this.#stage.tile(id)?.element.dataset.name ?? "";
    try {
      await (session && act(session));
    } catch (error) {
      if (this.#session === session) {
        const code = error instanceof SignalingError ? error.code : "internal";
        this.#messages.notice(moderationFault(code, name));
      }
    }
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
      this.#messages.notice(`Send this link: ${link.href}`, "news");
    }
  }
}
