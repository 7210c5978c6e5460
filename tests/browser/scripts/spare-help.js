// The page does without some of what helps against loss: Opus' error correction, NACK.
({ fec, nack }) => {
  const { setRemoteDescription, setLocalDescription } = RTCPeerConnection.prototype;
  const spare = ({ type, sdp }) => {
    let spared = fec ? sdp : sdp.replace(/useinbandfec=1/g, "useinbandfec=0");
    spared = nack ? spared : spared.replace(/^a=rtcp-fb:.* nack\r?\n/gm, "");
    return { type, sdp: spared };
  };
  RTCPeerConnection.prototype.setRemoteDescription = function (description) {
    return setRemoteDescription.call(this, spare(description));
  };
  RTCPeerConnection.prototype.setLocalDescription = function (description) {
    return setLocalDescription.call(this, spare(description));
  };
}
