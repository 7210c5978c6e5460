// Times the bursts that arrive from a participant. Sets window.testbed.timeBursts and .burstTimes.
() => {
  const CLOCK_READINGS = 80; // of one in 1280 frames: about two seconds
  const testbed = (window.testbed ??= {});
  const bursts = [];
  const delays = [];
  let rate;

  testbed.timeBursts = async ({ name, detector, tones }) => {
    const context = new AudioContext({ sampleRate: 48000 });
    rate = context.sampleRate;
    await context.audioWorklet.addModule(
      URL.createObjectURL(new Blob([detector], { type: "text/javascript" })),
    );
    const { srcObject } = document.querySelector(`[data-name="${name}"] audio`);
    const node = new AudioWorkletNode(context, "burst-detector", {
      numberOfOutputs: 0,
      processorOptions: { tones },
    });
    node.port.onmessage = ({ data }) => {
      if ("tone" in data) {
        bursts.push(data);
      } else {
        delays.push(data.wall - (data.frame / rate) * 1000);
        delays.splice(0, delays.length - CLOCK_READINGS);
      }
    };
    context.createMediaStreamSource(srcObject).connect(node);
  };

  // The bursts so far, each with the time of its middle in milliseconds of the wall clock.
  testbed.burstTimes = () => {
    const epoch = Math.min(...delays);
    return bursts.map(({ tone, frame }) => ({ tone, time: epoch + (frame / rate) * 1000 }));
  };
}
