/**
 * Messages in the page's language. The modules are written in English,
 * `recognizer/pages/messages.py` lists their messages for translation, and the
 * page contains the translations as JSON.
 */
const page = globalThis.document;
const translations = JSON.parse(page?.getElementById("messages")?.textContent ?? "{}");
const language = page?.documentElement.lang || "en";

/**
 * @param {string} message in English, with %(name)s where values go
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function translate(message, values = {}) {
  const words = translations[message] ?? message;
  return words.replace(/%\((\w+)\)s/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * @param {number} number
 * @param {number} decimals
 * @returns {string} as the page's language writes it
 */
export function inDecimals(number, decimals) {
  const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return new Intl.NumberFormat(language, digits).format(number);
}

/**
 * @param {number} share 0 to 1
 * @param {number} decimals
 * @returns {string} in percent, as the page's language writes it
 */
export function inPercent(share, decimals) {
  return `${inDecimals(share * 100, decimals)}\u00a0%`;
}
