/**
 * Opens picture files, and turns a part of one into a drawing. Pictures are shrunk,
 * because a phone's photo has more pixels than it takes to read one digit.
 */
import { translate } from "./messages.js";

const MAX_SIDE_PX = 1024;
const SENT_AS_IT_IS_BYTES = 256 * 1024;
const MAX_SENT_BYTES = 7 * 1024 * 1024; // in base64 within the server's limit
const TAKEN_TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp"];
const QUALITY = 0.9;
const SAMPLE_SIDE_PX = 64;
const TRIAL_SIDE_PX = 16;
const SEEN_LEVELS = 16; // less makes no difference to a reading
const MAGIC_BYTES = 12;

/** The file is no picture that this browser can open; the message says the way out. */
export class PictureError extends Error {}

/**
 * @typedef {Object} Opened
 * @property {ImageBitmap} picture upright
 * @property {string} backdrop the colour behind its transparent parts
 * @property {string | null} original the file as a data URL, if it can be sent as it is
 * @property {boolean} isPaintable whether parts of it can be sent, too
 */

/**
 * @param {{width: number, height: number}} size
 * @param {number} [maxSide]
 * @returns {{width: number, height: number}} the same shape within maxSide
 */
export function shrunkSize({ width, height }, maxSide = MAX_SIDE_PX) {
  const scale = Math.min(1, maxSide / Math.max(width, height));
  return {
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
  };
}

/** @returns {{width: number, height: number}} of a picture after quarter turns */
export function turnedSize({ width, height }, turns) {
  return turns % 2 === 0 ? { width, height } : { width: height, height: width };
}

/**
 * @param {DataTransfer | null} transfer what was pasted or dropped
 * @returns {File | null} its first picture, else its first file, for an error message
 */
export function pictureIn(transfer) {
  const files = [...(transfer?.files ?? [])];
  return files.find((file) => file.type.startsWith("image/")) ?? files[0] ?? null;
}

/**
 * @param {Blob} file
 * @returns {Promise<Opened>}
 * @throws {PictureError}
 */
export async function openPicture(file) {
  const picture = await createImageBitmap(file).catch(() => null);
  if (picture === null) throw new PictureError(await whyNot(file));
  const isPaintable = canReadPaint();
  const most = isPaintable ? SENT_AS_IT_IS_BYTES : MAX_SENT_BYTES;
  const isSent = file.size <= most && TAKEN_TYPES.includes(file.type);
  const original = isSent ? await dataUrlOf(file) : null;
  const backdrop = isPaintable ? backdropOf(sampleOf(picture)) : "#fff";
  return { picture, backdrop, original, isPaintable };
}

/**
 * Paint a part of a picture, at most MAX_SIDE_PX wide and high.
 *
 * @param {HTMLCanvasElement} canvas takes the part's size
 * @param {Opened} opened
 * @param {number} turns quarter turns clockwise
 * @param {{x: number, y: number, width: number, height: number}} part in pixels of the
 *   turned picture
 */
export function paint(canvas, { picture, backdrop }, turns, part) {
  Object.assign(canvas, shrunkSize(part));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = backdrop;
  context.fillRect(0, 0, canvas.width, canvas.height);
  const whole = turnedSize(picture, turns);
  context.scale(canvas.width / part.width, canvas.height / part.height);
  context.translate(whole.width / 2 - part.x, whole.height / 2 - part.y);
  context.rotate((turns * Math.PI) / 2);
  context.drawImage(picture, -picture.width / 2, -picture.height / 2);
}

/** @returns {string} a painted picture as a data URL for the API */
export function dataUrlOfPainted(canvas) {
  return canvas.toDataURL("image/jpeg", QUALITY);
}

/** @returns {Promise<HTMLImageElement>} the picture in a data URL, to be shown again */
export async function pictureOf(image) {
  const picture = new Image();
  picture.src = image;
  await picture.decode();
  return picture;
}

/**
 * Choose what lies behind a picture's transparent parts. The server has the same rule
 * for pictures that reach it with transparent parts.
 *
 * @param {ArrayLike<number>} rgba its pixels
 * @returns {string} white; black if it is mostly transparent and its ink is light
 */
export function backdropOf(rgba) {
  let [light, opacity] = [0, 0];
  for (let i = 0; i < rgba.length; i += 4) {
    opacity += rgba[i + 3];
    light += (rgba[i + 3] * (rgba[i] + rgba[i + 1] + rgba[i + 2])) / 3;
  }
  const isMostlyTransparent = opacity < (255 / 2) * (rgba.length / 4);
  return isMostlyTransparent && light > 127 * opacity ? "#000" : "#fff";
}

/**
 * Browsers that protect against tracking may refuse to read a canvas, or return noise or
 * a single colour for it.
 *
 * @returns {boolean} whether a canvas gives back what was painted on it
 */
function canReadPaint() {
  const canvas = document.createElement("canvas");
  const side = (canvas.width = canvas.height = TRIAL_SIDE_PX);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, side, side);
  context.fillStyle = "#000";
  context.fillRect(0, 0, side / 2, side);
  try {
    const { data } = context.getImageData(0, 0, side, side);
    const isOff = (red, place) => Math.abs(red - (place % side < side / 2 ? 0 : 255)) > SEEN_LEVELS;
    return !data.filter((_, index) => index % 4 === 0).some(isOff);
  } catch {
    return false;
  }
}

function sampleOf(picture) {
  const canvas = document.createElement("canvas");
  const { width, height } = Object.assign(canvas, shrunkSize(picture, SAMPLE_SIDE_PX));
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

async function whyNot(file) {
  const start = await file.slice(0, MAGIC_BYTES).arrayBuffer();
  return wordsForUnreadable(String.fromCharCode(...new Uint8Array(start)));
}

/**
 * @param {string} start the file's first 12 bytes, a character each
 * @returns {string} why it cannot be opened and what to do
 */
export function wordsForUnreadable(start) {
  if (start.startsWith("%PDF-")) {
    return translate("This is a PDF. Send a photo or a screenshot of it.");
  }
  if (/^.{4}ftyp(hei|hev|mif1|msf1)/s.test(start)) {
    return translate(
      "HEIC, an iPhone format, cannot be read by this browser. Save the photo as JPEG, or send a screenshot of it.",
    );
  }
  return translate(
    "This file cannot be opened. Use a PNG, JPEG, WebP, GIF or BMP picture.",
  );
}

function dataUrlOf(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
