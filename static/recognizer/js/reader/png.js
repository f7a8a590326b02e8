/**
 * Encode small pictures as PNG data URLs.
 *
 * Not by a canvas: browsers that protect against tracking return noise for what is read
 * back from one. Pixels are stored uncompressed; 28x28 take one or three kilobytes.
 */
const GREY = 0;
const RGBA = 6;

/** @param {ArrayLike<number>} levels a square of 0 (black) to 255 (white) */
export function greyPng(levels) {
  return png(levels, Math.sqrt(levels.length), GREY, 1);
}

/** @param {ArrayLike<number>} levels a square of red, green, blue and opacity */
export function rgbaPng(levels) {
  return png(levels, Math.sqrt(levels.length / 4), RGBA, 4);
}

function png(levels, side, kind, channels) {
  const row = side * channels;
  const rows = new Uint8Array(side * (row + 1)); // each row begins with its filter: none
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < row; x += 1) rows[y * (row + 1) + 1 + x] = levels[y * row + x];
  }
  const header = [...word(side), ...word(side), 8, kind, 0, 0, 0];
  const file = [
    ...[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
    ...chunk("IHDR", header),
    ...chunk("IDAT", stored(rows)),
    ...chunk("IEND", []),
  ];
  return `data:image/png;base64,${btoa(String.fromCharCode(...file))}`;
}

function chunk(name, content) {
  const named = [...Array.from(name, (letter) => letter.charCodeAt(0)), ...content];
  return [...word(content.length), ...named, ...word(crc(named))];
}

/** Wrap up to 65,535 bytes as a zlib stream of one block that is not compressed. */
function stored(bytes) {
  const { length } = bytes;
  const lengths = [length, ~length].flatMap((count) => [count & 0xff, (count >> 8) & 0xff]);
  return [0x78, 0x01, 1, ...lengths, ...bytes, ...word(adler(bytes))];
}

function word(value) {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
}

function crc(bytes) {
  let rest = ~0;
  for (const byte of bytes) rest = CRC_OF[(rest ^ byte) & 0xff] ^ (rest >>> 8);
  return ~rest;
}

const CRC_OF = Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  return rest;
});

function adler(bytes) {
  let [low, high] = [1, 0];
  for (const byte of bytes) {
    low = (low + byte) % 65521;
    high = (high + low) % 65521;
  }
  return high * 65536 + low;
}
