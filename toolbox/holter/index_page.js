"use strict";
// Sorts the table by the column whose name is clicked: numbers from the greatest, names from the first.

const body = document.querySelector("tbody"), heads = [...document.querySelectorAll("thead th")];

function sortBy(column, falling) {
  const value = (row) => row.children[column].dataset.value;
  const numbers = [...body.rows].every((row) => value(row) !== "" && !Number.isNaN(+value(row)));
  const compare = numbers ? (a, b) => value(a) - value(b) : (a, b) => value(a).localeCompare(value(b));
  body.append(...[...body.rows].sort((a, b) => (falling ? -1 : 1) * compare(a, b)));
  heads.forEach((head, k) => {
    head.setAttribute("aria-sort", k !== column ? "none" : falling ? "descending" : "ascending");
  });
}

heads.forEach((head, column) => {
  head.firstElementChild.addEventListener("click", () => {
    const sorted = head.getAttribute("aria-sort"), first = column > 1; // names and dates rise at first
    sortBy(column, sorted === "descending" ? false : sorted === "ascending" ? true : first);
  });
});
document.documentElement.dataset.ready = "yes";
