// Updates a training run's page while it runs.

const run = document.querySelector("#run");
const EVERY_MS = 2000;

async function redraw(epochs) {
  const answer = await fetch(location);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelector("#curves").replaceWith(page.querySelector("#curves"));
  run.dataset.epochs = epochs;
}

async function look() {
  try {
    const answer = await fetch(run.dataset.state);
    if (answer.ok) {
      const now = await answer.json();
      if (now.state !== run.dataset.now) return location.reload();
      if (String(now.epochs) !== run.dataset.epochs) await redraw(now.epochs);
      document.querySelector("#run-progress").value = now.progress;
      document.querySelector(".field-doing .readonly").textContent = now.doing || "-";
      const log = document.querySelector("#run-log");
      const isAtEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
      log.textContent = now.log;
      if (isAtEnd) log.scrollTop = log.scrollHeight;
    }
  } catch {
    // the site does not answer right now: try again
  }
  setTimeout(look, EVERY_MS);
}

setTimeout(look, EVERY_MS);
