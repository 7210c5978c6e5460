// Of the relay's addresses this page knows only those that are allowed: `only` one, or all but `never`.
({ only, never }) => {
  if (typeof RTCPeerConnection === "undefined") {
    return;
  }
  const allowed = (candidate) =>
    !candidate || (only ? candidate.includes(` ${only} `) : !candidate.includes(` ${never} `));
  const { setRemoteDescription, addIceCandidate } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
    const lines = sdp.split("\r\n").filter((line) => !line.startsWith("a=candidate:") || allowed(line));
    return setRemoteDescription.call(this, { type, sdp: lines.join("\r\n") });
  };
  RTCPeerConnection.prototype.addIceCandidate = function (init) {
    return allowed(init?.candidate) ? addIceCandidate.call(this, init) : Promise.resolve();
  };
}
