/**
 * The page's own words in its language. What is written in the modules is
 * English; `recognizer/phrases.py` lists it for the translators, and the page
 * brings the translations along as JSON.
 */
const page = globalThis.document;
const translated = JSON.parse(page?.getElementById("phrases")?.textContent ?? "{}");
const language = page?.documentElement.lang || "en";

/**
 * @param {string} source English words, with %(name)s where values go
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function phrase(source, values = {}) {
  const words = translated[source] ?? source;
  return words.replace(/%\((\w+)\)s/g, (whole, name) =>
    name in values ? String(values[name]) : whole,
  );
}

/**
 * @param {number} share 0 to 1
 * @param {number} decimals
 * @returns {string} in percent, as the page's language writes it
 */
export function inPercent(share, decimals) {
  const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  const number = new Intl.NumberFormat(language, digits).format(share * 100);
  return `${number}\u00a0%`;
}
