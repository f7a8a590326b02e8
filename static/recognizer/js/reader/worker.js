/**
 * The worker of the reader in the page. A classic one: LiteRT.js loads its WebAssembly
 * with `importScripts`, which module workers lack.
 */
const service = import("./service.js");

addEventListener("message", async ({ data }) => {
  try {
    postMessage({ id: data.id, result: await (await service).answer(data) });
  } catch (error) {
    postMessage({ id: data.id, error: String(error) });
  }
});
