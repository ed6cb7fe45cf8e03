"use strict";
// Sorting and filtering of the table of verdicts, and everything open on paper.  Without this, the page is complete.
const table = document.querySelector("#verdicts table");
if (table) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const textOf = (row, column) => row.cells[column].textContent;
  const numberOf = (text) => parseFloat(text.replace("−", "-").replace("∞", "Infinity"));
  // Verdicts are sorted by how bad they are: the order in which they come.
  const badness = new Map();
  rows.forEach((row) => badness.has(textOf(row, 0)) || badness.set(textOf(row, 0), badness.size));

  const keyOf = (header, column) => {
    if (column === 0) return (row) => badness.get(textOf(row, 0));
    return header.classList.contains("number")
      ? (row) => numberOf(textOf(row, column))
      : (row) => textOf(row, column);
  };
  const compare = (one, other) => {
    if (typeof one === "string") return one < other ? -1 : one > other ? 1 : 0;
    return one === other ? 0 : one - other;
  };
  const isMissing = (key) => Number.isNaN(key) || key === "";

  const headers = Array.from(table.tHead.rows[0].cells);
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    header.replaceChildren(button);
    button.addEventListener("click", () => {
      const isDown = header.getAttribute("aria-sort") === "ascending";
      headers.forEach((each) => each.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", isDown ? "descending" : "ascending");
      const key = keyOf(header, column);
      const keyed = rows.map((row) => [key(row), row]);
      // What has no value stands at the end, whichever way the rest is sorted.
      keyed.sort(([one], [other]) => isMissing(one) - isMissing(other)
        || (isMissing(one) ? 0 : (isDown ? -1 : 1) * compare(one, other)));
      body.append(...keyed.map(([, row]) => row));
    });
  });

  const form = document.querySelector(".filter");
  const search = form.querySelector("input[type=search]");
  const boxes = Array.from(form.querySelectorAll("input[type=checkbox]"));
  const shown = form.querySelector("output");
  const told = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const filter = () => {
    const states = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row) => {
      const matches = states.has(textOf(row, 0)) && words.every((word) => told.get(row).includes(word));
      row.hidden = !matches;
      count += matches;
    });
    shown.value = `${count} of ${rows.length} shown`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();
}

// What is folded away on a screen is printed.
const folded = [];
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details:not([open])").forEach((each) => { each.open = true; folded.push(each); });
});
window.addEventListener("afterprint", () => {
  folded.splice(0).forEach((each) => { each.open = false; });
});
