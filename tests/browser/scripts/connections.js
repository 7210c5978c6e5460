// Records the page's peer connections and WebSockets. Sets window.testbed.report, .ask, .made
// .received and .fragments.
() => {
  const connections = [];
  const sockets = [];
  const received = {};
  const testbed = (window.testbed ??= {});

  window.RTCPeerConnection = class RTCPeerConnection extends window.RTCPeerConnection {
    constructor(...options) {
      super(...options);
      connections.push(this);
    }
  };
  window.WebSocket = class WebSocket extends window.WebSocket {
    constructor(...options) {
      super(...options);
      sockets.push(this);
      this.addEventListener("message", ({ data }) => {
        const { type } = JSON.parse(data);
        received[type] = (received[type] ?? 0) + 1;
      });
    }
  };

  // The webrtc-stats of every living connection: [[{type, id, ...}, ...], ...].
  testbed.report = () =>
    Promise.all(
      connections
        .filter(({ connectionState }) => connectionState !== "closed")
        .map(async (connection) => [...(await connection.getStats()).values()]),
    );

  // How many connections the page has made so far, and how many messages of a type it got.
  testbed.made = () => connections.length;
  testbed.received = (type) => received[type] ?? 0;

  // The ICE username fragments of the living connections, the page's own: an ICE restart changes them.
  testbed.fragments = () =>
    connections
      .filter(({ connectionState }) => connectionState !== "closed")
      .map(({ localDescription }) => /^a=ice-ufrag:(.*)$/m.exec(localDescription.sdp)[1].trim());

  // Sends a request of the signaling protocol over the page's own socket; resolves with the reply.
  testbed.ask = (request) =>
    new Promise((resolve) => {
      const socket = sockets.at(-1);
      const id = `test-${performance.now()}`;
      const receive = ({ data }) => {
        const message = JSON.parse(data);
        if (message.id === id) {
          socket.removeEventListener("message", receive);
          resolve(message);
        }
      };
      socket.addEventListener("message", receive);
      socket.send(JSON.stringify({ ...request, id }));
    });
}
