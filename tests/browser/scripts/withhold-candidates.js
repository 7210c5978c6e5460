// The page's own addresses reach nobody, as those behind a NAT are of no use to anybody: the relay can
// only answer to where the browser's checks come from.
() => {
  const send = window.WebSocket.prototype.send;
  window.WebSocket.prototype.send = function (text) {
    const message = JSON.parse(text);
    if (message.type.endsWith("_ice_candidate") && message.candidate?.candidate) {
      return;
    }
    if (message.answer) {
      message.answer = {
        type: message.answer.type,
        sdp: message.answer.sdp.replace(/^a=candidate:.*\r\n/gm, ""),
      };
    }
    send.call(this, JSON.stringify(message));
  };
}
