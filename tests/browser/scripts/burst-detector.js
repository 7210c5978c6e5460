// An AudioWorklet that finds the bursts of microphone.js: slides a 10 ms Hann window in 1 ms hops and
// posts {tone, frame} for the loudest instant of each burst, and {wall, frame} to relate frames to
// the wall clock.
const LOUD = 0.15;
const CLOCK_INTERVAL = 10; // render quanta

registerProcessor(
  "burst-detector",
  class extends AudioWorkletProcessor {
    constructor({ processorOptions }) {
      super();
      this.size = Math.round(sampleRate / 100);
      this.hop = Math.round(sampleRate / 1000);
      this.hann = Float32Array.from({ length: this.size }, (_, i) => Math.sin((Math.PI * i) / this.size) ** 2);
      this.factors = processorOptions.tones.map((tone) => 2 * Math.cos((2 * Math.PI * tone) / sampleRate));
      this.ring = new Float32Array(this.size);
      this.position = 0;
      this.quanta = 0;
      this.peak = null;
    }

    process([[channel]]) {
      const length = channel?.length ?? 128;
      for (let i = 0; i < length; i += 1) {
        this.ring[this.position] = channel?.[i] ?? 0;
        this.position = (this.position + 1) % this.size;
        if ((currentFrame + i) % this.hop === 0) {
          this.#follow(currentFrame + i - this.size / 2);
        }
      }
      this.quanta += 1;
      if (this.quanta % CLOCK_INTERVAL === 0) {
        this.port.postMessage({ wall: Date.now(), frame: currentFrame });
      }
      return true;
    }

    #follow(frame) {
      const amplitudes = this.factors.map((factor) => this.#amplitude(factor));
      const loudest = Math.max(...amplitudes);
      if (loudest > LOUD) {
        if (loudest > (this.peak?.loudest ?? 0)) {
          this.peak = { loudest, tone: amplitudes.indexOf(loudest), frame };
        }
      } else if (this.peak) {
        this.port.postMessage({ tone: this.peak.tone, frame: this.peak.frame });
        this.peak = null;
      }
    }

    // Goertzel's algorithm over the ring.
    #amplitude(factor) {
      let last = 0;
      let before = 0;
      for (let i = 0; i < this.size; i += 1) {
        const sample = this.hann[i] * this.ring[(this.position + i) % this.size];
        [last, before] = [sample + factor * last - before, last];
      }
      return (4 * Math.sqrt(Math.max(0, last ** 2 + before ** 2 - factor * last * before))) / this.size;
    }
  },
);
