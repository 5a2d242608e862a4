"use strict";
// Shows the rows of the table that hold all words of the field, in any column; says how many.
const field = document.getElementById("filter"), shown = document.getElementById("shown");
const rows = [...document.querySelectorAll("table.filtered tbody tr")];
const show = () => {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
  shown.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
};
if (field) {
  field.addEventListener("input", show);
  show();
}
