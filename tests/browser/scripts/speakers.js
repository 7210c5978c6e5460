// Notes when the page is told who speaks. Sets window.testbed.told, .speak and .hush.
() => {
  const testbed = (window.testbed ??= {});
  const wall = () => performance.timeOrigin + performance.now();

  // What came of audio_levels and dominant_speaker, each with its time in milliseconds of the wall clock.
  testbed.told = [];
  window.WebSocket = class WebSocket extends window.WebSocket {
    constructor(...options) {
      super(...options);
      this.addEventListener("message", ({ data }) => {
        const time = wall();
        const message = JSON.parse(data);
        if (message.type === "audio_levels" || message.type === "dominant_speaker") {
          testbed.told.push({ time, ...message });
        }
      });
    }
  };

  // The microphone's tone begins, or ends; when, in milliseconds of the wall clock.
  testbed.speak = () => {
    testbed.microphone.volume.gain.value = 0.3;
    return wall();
  };
  testbed.hush = () => {
    testbed.microphone.volume.gain.value = 0;
    return wall();
  };
}
