/**
 * Keeps the site, its reader and the model, so that it opens without a connection.
 *
 * Each build has a cache of its own, in which its pages find all of its files. There is
 * no `skipWaiting`: a newer worker waits until no page of the older build is open, and
 * deletes that build's cache only then.
 */
const SITE = {{ site|safe }};
const FILES = new Set(SITE.files);
// A cache is for one address of a page or file, whatever headers it was asked with.
const KEPT = { cacheName: `site-${SITE.build}`, ignoreVary: true };

addEventListener("install", (event) => event.waitUntil(keep()));
addEventListener("activate", (event) => event.waitUntil(takeOver()));
addEventListener("fetch", (event) => {
  const { request } = event;
  const path = new URL(request.url).pathname;
  if (request.method !== "GET") return;
  if (request.mode === "navigate") event.respondWith(fetchedPage(request, path));
  else if (FILES.has(path)) event.respondWith(keptFile(request));
});

/** Keep all or nothing; what the browser has just loaded comes from its own cache. */
async function keep() {
  const cache = await caches.open(KEPT.cacheName);
  // Without cookies: what is kept must not show whose browser this is.
  const headers = { "Accept-Language": SITE.language };
  const asked = { credentials: "omit", cache: "no-store", headers };
  const pages = [SITE.draw, SITE.offline].map((url) => new Request(url, asked));
  await cache.addAll([...pages, ...SITE.files]);
}

async function takeOver() {
  const others = (await caches.keys()).filter((name) => name !== KEPT.cacheName);
  await Promise.all(others.map((name) => caches.delete(name)));
  await clients.claim(); // the page of the first visit, too
}

/** The server's page shows who has signed in, and is newer: use it if it can be had. */
async function fetchedPage(request, path) {
  try {
    return await fetch(request);
  } catch (error) {
    const page = await caches.match(path === "/" ? SITE.draw : SITE.offline, KEPT);
    if (page === undefined) throw error;
    return page;
  }
}

async function keptFile(request) {
  return (await caches.match(request, KEPT)) ?? fetch(request);
}
