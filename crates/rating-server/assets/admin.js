// The researcher's pages: keeps the numbers of the progress page and the results fresh.

const live = document.getElementById("live");

async function refresh() {
  const note = document.getElementById("live-note");
  try {
    const response = await fetch("/admin/progress.json", { cache: "no-store" });
    if (response.redirected || !response.ok) throw new Error("not logged in");
    const status = await response.json();
    for (const cell of live.querySelectorAll("[data-live]")) {
      cell.textContent = status[cell.dataset.live];
    }
    const bar = document.getElementById("votes-bar");
    bar.max = Math.max(status.wanted, 1);
    bar.value = status.votes;
    note.textContent = "";
  } catch {
    note.textContent = "The numbers are not fresh: reload the page.";
  }
}

if (live) setInterval(() => document.hidden || refresh(), 3000);

// The results as they are now; scores, agreement and raters come as the server draws them.
const results = document.getElementById("live-results");

async function redraw() {
  const note = document.getElementById("live-note");
  try {
    const response = await fetch(location.href, { cache: "no-store" });
    if (response.redirected || !response.ok) throw new Error("not logged in");
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById("live-results");
    // What somebody is reading by keyboard or has selected stays where it is.
    const held = results.contains(document.activeElement) || String(getSelection()) !== "";
    if (fresh && !held && fresh.innerHTML !== results.innerHTML) {
      results.replaceChildren(...fresh.childNodes);
    }
    note.textContent = "";
  } catch {
    note.textContent = "The numbers are not fresh: reload the page.";
  }
}

if (results) setInterval(() => document.hidden || redraw(), 30000);
