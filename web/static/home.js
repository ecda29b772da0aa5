"use strict";

const SAMPLES = [
  ["ham", "Running late, see you at the station at 8?"],
  ["spam", "FREE entry! Win a £1000 shopping voucher. Text WIN to 80086 now. T&Cs apply"],
  ["phishing", "Your account is locked. Verify your identity at http://secure-bank.example/login within 24h"],
];
const find = (id) => document.getElementById(id);

function show(...lines) {
  const answer = find("answer");
  answer.replaceChildren(...lines.map(([tag, text, name]) => {
    const line = document.createElement(tag);
    if (tag === "progress") { line.max = 1; line.value = text; } else { line.textContent = text; }
    if (name) { line.className = name; }
    return line;
  }));
  answer.hidden = false;
}

function showLabel(entry, note) {
  show(
    ["div", entry.label, `label ${entry.label}`],
    ["progress", entry.probability],
    ["p", `${(100 * entry.probability).toFixed(1)} % · ${note}`],
  );
}

async function later(place, headers) {
  for (;;) {
    const job = await (await fetch(place, { headers })).json();
    if (job.detail) { return show(["p", job.detail.message, "error"]); }
    if (["done", "failed", "cancelled"].includes(job.state)) {
      const { results } = await (await fetch(`${place}/results`, { headers })).json();
      const [entry] = results;
      return entry.error ? show(["p", entry.error.message, "error"]) : showLabel(entry, `${entry.model} ${entry.version}`);
    }
    await new Promise((wake) => setTimeout(wake, 1000));
  }
}

async function classify(event) {
  event.preventDefault();
  const button = find("form").querySelector("button[type=submit]");
  const key = find("key").value;
  const headers = key ? { "X-API-Key": key } : {};
  button.disabled = true;
  try {
    const response = await fetch("/predict/", {
      method: "POST",
      headers: { ...headers, "Content-Type": "application/json" },
      body: JSON.stringify({ text: find("text").value }),
    });
    const body = await response.json();
    if (response.status === 200) {
      const model = body.model_info;
      showLabel(body, `${(1000 * body.processing_time).toFixed(1)} ms · ${model.name} ${model.version}`);
    } else if (response.status === 202) {
      show(["p", "Queued: no worker has answered yet. This page keeps looking."]);
      await later(response.headers.get("Location"), headers);
    } else {
      show(["p", body.detail.message, "error"]);
    }
  } catch {
    show(["p", "The server cannot be reached.", "error"]);
  } finally {
    button.disabled = false;
  }
}

async function state() {
  const place = find("state");
  try {
    const { ready, checks } = await (await fetch("/readyz")).json();
    const missing = Object.entries(checks).filter(([, check]) => !check.ok).map(([, check]) => check.reason);
    place.textContent = ready ? "Ready." : `Not ready: ${missing.join("; ")}.`;
    place.className = ready ? "good" : "bad";
  } catch {
    place.textContent = "The server cannot be reached.";
    place.className = "bad";
  }
}

for (const [label, text] of SAMPLES) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.addEventListener("click", () => { find("text").value = text; find("form").requestSubmit(); });
  find("samples").append(button);
}
for (const place of document.querySelectorAll(".origin")) { place.textContent = location.origin; }
find("flower").href = `http://${location.hostname}:${find("flower").dataset.port}/`;
find("form").addEventListener("submit", classify);
state();
setInterval(state, 5000);
