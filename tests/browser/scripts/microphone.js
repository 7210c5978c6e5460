// The page's microphone is a tone of its own frequency. Sets window.testbed.microphone.
({ frequency }) => {
  const LEVEL = 0.3;
  // Bursts for measuring latency: one every PERIOD seconds, the tones by turns, so that a burst
  // tells which one it is unless it comes later than all tones take.
  const PERIOD = 0.5;
  const TONES = [900, 1400, 1900, 2400];
  const BURST = 0.02;
  const PILOT = 300;
  const HANN = Float32Array.from({ length: 65 }, (_, i) => 0.7 * Math.sin((Math.PI * i) / 64) ** 2);

  class Microphone {
    constructor() {
      this.context = new AudioContext({ sampleRate: 48000 });
      this.output = new GainNode(this.context);
      this.tone = new OscillatorNode(this.context, { frequency });
      this.volume = new GainNode(this.context, { gain: LEVEL });
      this.tone.connect(this.volume).connect(this.output);
      this.tone.start();
      this.delays = [];
    }

    stream() {
      const destination = new MediaStreamAudioDestinationNode(this.context, { channelCount: 1 });
      this.output.connect(destination);
      return destination.stream;
    }

    // Instead of the tone: bursts over a quiet pilot tone, which keeps the listener's jitter buffer
    // from taking the pauses for silence.
    burst() {
      this.volume.gain.value = 0;
      const pilot = new OscillatorNode(this.context, { frequency: PILOT });
      pilot.connect(new GainNode(this.context, { gain: 0.1 })).connect(this.output);
      pilot.start();
      let next = Math.ceil(this.context.currentTime / PERIOD) + 1;
      setInterval(() => {
        this.#timeClock();
        if (this.context.currentTime > (next - 0.5) * PERIOD) {
          this.tone.frequency.setValueAtTime(TONES[next % TONES.length], next * PERIOD);
          this.volume.gain.setValueCurveAtTime(HANN, next * PERIOD, BURST);
          next += 1;
        }
      }, 10);
    }

    // When the context's time began, in milliseconds of the wall clock: the smallest difference
    // seen in the last two seconds, since both clocks are read late, never early.
    epoch() {
      return Math.min(...this.delays);
    }

    #timeClock() {
      const now = performance.timeOrigin + performance.now();
      this.delays.push(now - this.context.currentTime * 1000);
      this.delays.splice(0, this.delays.length - 200);
    }
  }

  if (!navigator.mediaDevices) {
    return; // about:blank, which some browsers show first
  }
  const testbed = (window.testbed ??= {});
  testbed.bursts = { period: PERIOD, tones: TONES, length: BURST };
  navigator.mediaDevices.getUserMedia = async () => {
    testbed.microphone ??= new Microphone();
    await testbed.microphone.context.resume();
    return testbed.microphone.stream();
  };
}
