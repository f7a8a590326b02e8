/**
 * Frame drawings as the page does, for a comparison with Python.
 *
 *     node frame_drawings.mjs drawings.json images.f32 marks.json
 */
import { readFileSync, writeFileSync } from "node:fs";

import { isMark } from "../../../static/recognizer/js/reader/marks.js";
import { normalize } from "../../../static/recognizer/js/reader/preprocess.js";
import { rasterise } from "../../../static/recognizer/js/reader/rasterise.js";

const [drawingsFile, imagesFile, marksFile] = process.argv.slice(2);
const drawings = JSON.parse(readFileSync(drawingsFile, "utf8"));
const images = drawings.map(({ strokes, pen_width }) => normalize(rasterise(strokes, pen_width)));
writeFileSync(imagesFile, Buffer.concat(images.map((image) => Buffer.from(image.buffer))));
writeFileSync(marksFile, JSON.stringify(images.map((image) => isMark(image))));
