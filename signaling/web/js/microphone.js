/** One's own microphone: permission, the choice of a device, mute. */

/** @typedef {"insecure" | "refused" | "missing" | "busy" | "unwanted" | "unknown"} MicrophoneFault */

/** What `getUserMedia` rejects with (Media Capture and Streams §10.2.1), by DOMException name. */
const FAULTS = new Map(
  /** @type {[string, MicrophoneFault][]} */ ([
    ["NotAllowedError", "refused"],
    ["SecurityError", "refused"],
    ["NotFoundError", "missing"],
    ["OverconstrainedError", "missing"],
    ["NotReadableError", "busy"],
    ["AbortError", "busy"],
  ]),
);

export class MicrophoneError extends Error {
  /** @param {MicrophoneFault} fault */
  constructor(fault) {
    super(`microphone: ${fault}`);
    this.name = "MicrophoneError";
    this.fault = fault;
  }
}

export class Microphone {
  /** @type {MediaStream | null} */
  #stream = null;
  #muted = false;
  #onDevices;
  #onEnded;

  /**
   * @param {() => void} onDevices a device came or went
   * @param {() => void} onEnded the microphone in use was unplugged or taken away
   */
  constructor(onDevices, onEnded) {
    this.#onDevices = onDevices;
    this.#onEnded = onEnded;
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#onDevices());
  }

  /** The stream in use, null while there is none. */
  get stream() {
    return this.#stream;
  }

  /** The id of the device in use, null while there is none. */
  get deviceId() {
    return this.#stream && (this.#stream.getAudioTracks()[0].getSettings().deviceId ?? "");
  }

  get muted() {
    return this.#muted;
  }

  set muted(muted) {
    this.#muted = muted;
    this.#apply();
  }

  /**
   * Asks for a microphone; on success it replaces the one in use.
   *
   * @param {string} deviceId the wanted one, "" for the browser's choice
   * @param {boolean} exact whether no other one will do
   * @param {AbortSignal} signal nobody wants it any more: `unwanted`
   * @returns {Promise<MediaStreamTrack>}
   * @throws {MicrophoneError} and the one in use stays
   */
  async open(deviceId, exact, signal) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new MicrophoneError("insecure");
    }
    /** @type {MediaTrackConstraints} */
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    if (deviceId !== "") {
      audio.deviceId = exact ? { exact: deviceId } : { ideal: deviceId };
    }
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      const { name } = /** @type {DOMException} */ (error);
      throw new MicrophoneError(FAULTS.get(name) ?? "unknown");
    }
    if (signal.aborted) {
      stream.getTracks().forEach((track) => track.stop()); // left while the browser was asking
      throw new MicrophoneError("unwanted");
    }
    this.close();
    this.#stream = stream;
    this.#apply();
    const [track] = stream.getAudioTracks();
    track.onended = this.#onEnded;
    return track;
  }

  /** @returns {Promise<{id: string, label: string}[]>} labels are there once permission is given */
  async devices() {
    const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    return all
      .filter(({ kind }) => kind === "audioinput")
      .map(({ deviceId, label }, index) => ({
        id: deviceId,
        label: label || `Microphone ${index + 1}`,
      }));
  }

  /** Lets go of the microphone: the browser's recording mark goes out. */
  close() {
    for (const track of this.#stream?.getAudioTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.#stream = null;
  }

  #apply() {
    for (const track of this.#stream?.getAudioTracks() ?? []) {
      track.enabled = !this.#muted;
    }
  }
}
