/** Tells when the device changes from one network to another, as far as browsers know. */

/** One change makes several events. Milliseconds. */
const SETTLES = 300;

/**
 * @typedef {EventTarget & {type?: string}} NetworkInformation of the Network Information API, where there is one
 */

/**
 * @param {() => void} callback
 * @param {AbortSignal} signal ends the watch
 */
export function onNetworkChange(callback, signal) {
  /** @type {number | undefined} */
  let timer;
  const settle = () => {
    clearTimeout(timer);
    timer = setTimeout(() => signal.aborted || callback(), SETTLES);
  };
  addEventListener("online", settle, { signal });
  const network = /** @type {{connection?: NetworkInformation}} */ (navigator).connection;
  // It also tells of every new estimate of speed, which is no change of the network.
  let type = network?.type;
  network?.addEventListener(
    "change",
    () => {
      if (network.type !== type) {
        type = network.type;
        settle();
      }
    },
    { signal },
  );
}
