// The page's microphone has a name, as a person's has.
() => {
  if (!navigator.mediaDevices) {
    return;
  }
  const headset = { deviceId: "headset", kind: "audioinput", label: "Headset", groupId: "headset" };
  navigator.mediaDevices.enumerateDevices = async () => [headset];
  MediaStreamTrack.prototype.getSettings = () => ({ deviceId: headset.deviceId });
}
