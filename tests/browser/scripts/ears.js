// What is heard from the <audio> element of each participant. Sets window.testbed.listen.
() => {
  const SIZE = 8192; // samples: tones 6 Hz apart are told from each other
  const HANN = Float32Array.from({ length: SIZE }, (_, i) => Math.sin((Math.PI * i) / SIZE) ** 2);
  const analysers = new WeakMap(); // by track
  const samples = new Float32Array(SIZE);
  let context = null;

  const analyserOf = (track) => {
    if (!analysers.has(track)) {
      context ??= new AudioContext({ sampleRate: 48000 });
      const analyser = new AnalyserNode(context, { fftSize: SIZE });
      context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
      analysers.set(track, analyser);
    }
    return analysers.get(track);
  };

  // Goertzel's algorithm: the amplitude, 0 to 1, of one frequency in the samples.
  const amplitude = (frequency) => {
    const factor = 2 * Math.cos((2 * Math.PI * frequency) / context.sampleRate);
    let last = 0;
    let before = 0;
    for (let i = 0; i < SIZE; i += 1) {
      [last, before] = [HANN[i] * samples[i] + factor * last - before, last];
    }
    const power = last ** 2 + before ** 2 - factor * last * before;
    return (4 * Math.sqrt(Math.max(0, power))) / SIZE;
  };

  const hear = (element, frequencies) => {
    const tracks = element.srcObject?.getAudioTracks() ?? [];
    if (tracks.length !== 1 || element.paused || element.muted || element.volume === 0) {
      return frequencies.map(() => 0);
    }
    analyserOf(tracks[0]).getFloatTimeDomainData(samples);
    return frequencies.map(amplitude);
  };

  // For each remote participant, by name, the amplitude of each frequency in each of so many
  // windows one after the other: {name: [[amplitude, ...], ...]}.
  (window.testbed ??= {}).listen = async ({ frequencies, windows }) => {
    const heard = {};
    for (let window = 0; window < windows; window += 1) {
      if (window > 0) {
        await new Promise((resolve) => setTimeout(resolve, (SIZE / 48000) * 1000));
      }
      for (const tile of document.querySelectorAll("[data-participant-id]:not([data-self])")) {
        (heard[tile.dataset.name] ??= []).push(hear(tile.querySelector("audio"), frequencies));
      }
    }
    return heard;
  };
}
