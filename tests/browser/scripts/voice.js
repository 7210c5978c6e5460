// The page's microphone is somebody who talks without end: a buzz at the pitch of a voice, through the
// resonances of two vowels by turns, four syllables a second. Opus takes it for speech, and so protects it
// by its error correction, which a steady tone does not get.
() => {
  const PITCH = 120;
  const SYLLABLE = 0.25;
  const VOWELS = [
    [730, 1090, 2440],
    [270, 2290, 3010],
  ];
  const AHEAD = 600; // seconds of talk that are laid down at once

  if (!navigator.mediaDevices) {
    return; // about:blank, which some browsers show first
  }
  navigator.mediaDevices.getUserMedia = async () => {
    const context = new AudioContext({ sampleRate: 48000 });
    await context.resume();
    const buzz = new OscillatorNode(context, { type: "sawtooth", frequency: PITCH });
    const mouth = new GainNode(context, { gain: 0 });
    const resonances = VOWELS[0].map((frequency) => {
      const filter = new BiquadFilterNode(context, { type: "bandpass", frequency, Q: 8 });
      buzz.connect(filter).connect(mouth);
      return filter;
    });
    for (let n = 0; n * SYLLABLE < AHEAD; n += 1) {
      const at = context.currentTime + n * SYLLABLE;
      mouth.gain.setTargetAtTime(0.8, at, 0.02);
      mouth.gain.setTargetAtTime(0.05, at + 0.6 * SYLLABLE, 0.03);
      buzz.frequency.setValueAtTime(PITCH + 25 * Math.sin(n), at);
      resonances.forEach((filter, i) =>
        filter.frequency.setTargetAtTime(VOWELS[n % VOWELS.length][i], at, 0.03),
      );
    }
    buzz.start();
    const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    mouth.connect(destination);
    return destination.stream;
  };
}
