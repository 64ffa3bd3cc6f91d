// Camera, screen and microphone: opened, listed, and what it means when one is refused.

const AUDIO = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
const VIDEO = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 15, max: 30 } };

export const supported = () => Boolean(navigator.mediaDevices?.getUserMedia && window.RTCPeerConnection);
export const screenSupported = () => Boolean(navigator.mediaDevices?.getDisplayMedia);

export const UNSUPPORTED = window.isSecureContext
  ? "This browser offers no camera or microphone to pages; recordings still work."
  : "Browsers give camera and microphone to https pages and to localhost alone; recordings still work here.";

const DEVICES = { camera: "camera", microphone: "microphone", screen: "screen" };

/** What a refusal means, in a sentence. */
export function refusal(error, device) {
  const name = DEVICES[device];
  switch (error.name) {
    case "NotAllowedError":
      return device === "screen"
        ? "No screen was chosen."
        : `The ${name} was refused: allow it beside the address bar, then switch it on again.`;
    case "NotFoundError":
    case "OverconstrainedError":
      return `No ${name} was found.`;
    case "NotReadableError":
    case "AbortError":
      return `Another program holds the ${name}; close that, then switch it on again.`;
    default:
      return `The ${name} did not start: ${error.message || error.name}.`;
  }
}

const preferred = (deviceId) => (deviceId ? { deviceId: { ideal: deviceId } } : {});

export async function openCamera(deviceId) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { ...VIDEO, ...preferred(deviceId) } });
  return stream.getVideoTracks()[0];
}

export async function openMicrophone(deviceId) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { ...AUDIO, ...preferred(deviceId) } });
  return stream.getAudioTracks()[0];
}

export async function openScreen() {
  const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 5, max: 15 } } });
  return stream.getVideoTracks()[0];
}

/** {camera: [{id, label}], microphone: [...]}; labels are empty until one was allowed. */
export async function devices() {
  const found = await navigator.mediaDevices.enumerateDevices();
  const of = (kind) => found.filter((one) => one.kind === kind && one.deviceId)
    .map((one, index) => ({ id: one.deviceId, label: one.label || `${kind === "videoinput" ? "Camera" : "Microphone"} ${index + 1}` }));
  return { camera: of("videoinput"), microphone: of("audioinput") };
}

/** Whether the browser would hand both out without asking again. */
export async function alreadyAllowed() {
  try {
    const states = await Promise.all(["camera", "microphone"].map((name) => navigator.permissions.query({ name })));
    return states.some((state) => state.state === "granted");
  } catch {
    return false;
  }
}
