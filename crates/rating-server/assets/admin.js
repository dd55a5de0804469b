// The researcher's pages: keeps the numbers of the progress page fresh.

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
