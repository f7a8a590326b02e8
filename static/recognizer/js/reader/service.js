/**
 * What the worker does: loads a model, and reads with it.
 *
 * @typedef {{library: string, loader: string, wasm: string}} Runtime addresses of LiteRT.js
 * @typedef {Object} Bundle what the server tells of a model
 * @property {number} preprocessing
 * @property {import("./calibrate.js").Calibration} calibration
 * @property {{url: string, integrity: string}} weights
 */
import { greyPng, rgbaPng } from "./png.js";
import { PREPROCESSING_VERSION, SIDE_PX } from "./preprocess.js";
import { Recogniser } from "./recogniser.js";

const FOR_RGB = [190, 36, 60];
const AGAINST_RGB = [30, 110, 200];

/** @type {Promise<object> | undefined} LiteRT.js, started once */
let runtime;
let model = null;
/** @type {Recogniser | null} */
let recogniser = null;
let newest = 0;

/** Do one call: `load` a bundle, or `read` strokes. The id of a newer call is larger. */
export function answer({ id, load: wanted, read: drawing }) {
  newest = id;
  return wanted ? load(wanted) : read(drawing, id);
}

/** @param {{runtime: Runtime, bundle: Bundle}} wanted */
async function load({ runtime: addresses, bundle }) {
  const { preprocessing, calibration, weights } = bundle;
  if (preprocessing !== PREPROCESSING_VERSION) {
    throw new Error(`This page frames digits in another way than preprocessing ${preprocessing}.`);
  }
  runtime ??= start(addresses);
  const [{ loadAndCompile, Tensor }, content] = await Promise.all([runtime, fetched(weights)]);
  const former = model;
  model = await loadAndCompile(content, { accelerator: "wasm" });
  recogniser = new Recogniser((image) => logits(image, Tensor), calibration);
  former?.delete();
}

/** Start LiteRT.js. @param {Runtime} addresses */
async function start({ library, loader, wasm }) {
  // It would wake the GPU, which costs power and gains nothing for so small a network.
  Object.defineProperty(navigator, "gpu", { value: undefined });
  // It notes each step of its start as a warning or an error; real ones are thrown.
  console.warn = () => {};
  const liteRt = await import(library);
  self.Module = { locateFile: () => wasm, printErr: () => {} };
  await liteRt.loadLiteRt(loader);
  return liteRt;
}

/** Fetch weights. The browser refuses what differs from their digest. */
async function fetched({ url, integrity }) {
  const response = await fetch(url, { integrity });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function logits(image, Tensor) {
  const given = new Tensor(image, [1, SIDE_PX, SIDE_PX, 1]);
  const [answered] = await model.run([given]);
  given.delete();
  const numbers = answered.toTypedArray().slice();
  answered.delete();
  return numbers;
}

/** Read strokes, or an image that is framed already. */
async function read({ strokes, penWidth, image, why = false }, id) {
  const { image: seen, ...reading } = image
    ? await recogniser.read(image)
    : await recogniser.readStrokes(strokes, penWidth);
  reading.seen = greyPng(levelsOf(seen ?? new Float32Array(SIDE_PX * SIDE_PX)));
  if (!why || seen === null) return reading;
  const weight = await recogniser.explain(seen, () => isNewest(id));
  return weight === null ? reading : { ...reading, why: whyPng(weight) };
}

/** Let other messages in, and see whether there is one. */
async function isNewest(id) {
  await new Promise((resolve) => setTimeout(resolve));
  return id === newest;
}

function levelsOf(image) {
  return image.map((share) => Math.round(share * 255));
}

function whyPng(weight) {
  const paint = new Uint8Array(weight.length * 4);
  weight.forEach((one, place) => {
    if (one !== 0) paint.set(one > 0 ? FOR_RGB : AGAINST_RGB, place * 4);
    paint[place * 4 + 3] = Math.round(Math.abs(one) * 255);
  });
  return rgbaPng(paint);
}
