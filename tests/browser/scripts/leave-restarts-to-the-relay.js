// The page's own wishes for an ICE restart are refused before the server hears of them: whatever restart is
// offered, the relay thought of it by itself.
() => {
  const send = window.WebSocket.prototype.send;
  window.WebSocket.prototype.send = function (text) {
    const { type, id } = JSON.parse(text);
    if (type !== "restart_ice") {
      send.call(this, text);
      return;
    }
    const refusal = { type: "error", id, code: "rate_limited", message: "Not by you." };
    queueMicrotask(() => this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(refusal) })));
  };
}
