"use strict";
// Search, filter and sort the table of studies; without it the page is complete, only longer.
const body = document.querySelector("#studies tbody");
const rows = [...body.rows];
// What a row shows, and what it says beside that: the statement, the papers.
const texts = new Map(rows.map((row) => [row, `${row.textContent} ${row.dataset.search}`.toLowerCase()]));
const search = document.querySelector("#search");
const chips = [...document.querySelectorAll(".chip")];
const count = document.querySelector("#count");
const nothing = document.querySelector("#nothing");

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = {};
  for (const chip of chips) {
    if (chip.getAttribute("aria-pressed") === "true") (chosen[chip.dataset.key] ??= []).push(chip.dataset.value);
  }
  let shown = 0;
  for (const row of rows) {
    const fits = words.every((word) => texts.get(row).includes(word))
      && Object.entries(chosen).every(([key, values]) => values.includes(row.dataset[key]));
    row.hidden = !fits;
    shown += fits;
  }
  count.textContent = shown === rows.length ? `${shown} studies` : `${shown} of ${rows.length} studies`;
  nothing.hidden = shown > 0;
}

function sort(button) {
  const head = button.closest("th");
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of document.querySelectorAll("#studies th[aria-sort]")) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const key = button.dataset.sort;
  const word = (row) => (key === "title" ? row.querySelector(".headline").textContent : row.dataset[key]);
  const order = (a, b) => (key === "runs" ? a.dataset.runs - b.dataset.runs : word(a).localeCompare(word(b)));
  body.append(...rows.sort((a, b) => (up ? order(a, b) : order(b, a))));
}

search.addEventListener("input", filter);
for (const chip of chips) {
  chip.addEventListener("click", () => {
    chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
    filter();
  });
}
for (const button of document.querySelectorAll("#studies th button")) button.addEventListener("click", () => sort(button));
document.querySelector("#clear").addEventListener("click", () => {
  search.value = "";
  for (const chip of chips) chip.setAttribute("aria-pressed", "false");
  filter();
});
