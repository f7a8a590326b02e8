/** Shows the page's times in the reader's time zone; the server sends UTC. */
const asHere = new Intl.DateTimeFormat(document.documentElement.lang, {
  dateStyle: "medium",
  timeStyle: "short",
});

for (const time of document.querySelectorAll("time[datetime]")) {
  time.textContent = asHere.format(new Date(time.dateTime));
}
