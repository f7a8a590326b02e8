/**
 * Turns a picture file into a drawing. Pictures are shrunk, because a phone's photo
 * has more pixels than it takes to read one digit.
 */
const MAX_SIDE_PX = 1024;
const SENT_AS_IT_IS_BYTES = 256 * 1024;
const TAKEN_TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp"];
const QUALITY = 0.9;

/** The file is no picture that this browser can open. */
export class PictureError extends Error {}

/**
 * @param {{width: number, height: number}} size
 * @returns {{width: number, height: number}} the same shape within MAX_SIDE_PX
 */
export function shrunkSize({ width, height }) {
  const scale = Math.min(1, MAX_SIDE_PX / Math.max(width, height));
  return {
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
  };
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
 * @returns {Promise<{image: string, picture: ImageBitmap}>} a data URL for the API,
 *   and the picture to show
 * @throws {PictureError}
 */
export async function openPicture(file) {
  const picture = await createImageBitmap(file).catch(() => null);
  if (picture === null || picture.width === 0) throw new PictureError();
  const isSmall = file.size <= SENT_AS_IT_IS_BYTES && TAKEN_TYPES.includes(file.type);
  const image = isSmall ? await dataUrlOf(file) : shrunk(picture, file.type);
  return { image, picture };
}

/** @returns {Promise<HTMLImageElement>} the picture in a data URL, to be shown again */
export async function pictureOf(image) {
  const picture = new Image();
  picture.src = image;
  await picture.decode();
  return picture;
}

function shrunk(picture, type) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, shrunkSize(picture));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  // All but JPEG may be transparent. As WebP they stay so, and the server handles it.
  const kind = type === "image/jpeg" ? "image/jpeg" : "image/webp";
  return canvas.toDataURL(kind, QUALITY);
}

function dataUrlOf(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new PictureError());
    reader.readAsDataURL(file);
  });
}
