// The table of all episodes: filtered by kind, sorted by any column, its rows made when they are scrolled to.

const ROWS_AT_ONCE = 200;
const COLUMNS = [ // name, value to sort by, text
  ["Start", (e) => e[0], null],
  ["Episode", (e) => e[3], null],
  ["Length, s", (e) => e[1] - e[0], (e) => (e[1] - e[0]).toFixed(1)],
  ["Beats", (e) => e[4] ?? -1, (e) => (e[4] === null ? "–" : e[4].toLocaleString("en"))],
  ["Per minute", (e) => e[5] ?? -1, (e) => (e[5] === null ? "–" : Math.round(e[5]))],
];

const shape = (letter) => element("span", { class: `badge ${letter === "~" ? "noise" : letter}` }, letter);

function episodeTable(meta, episodes) {
  const body = $("episode-rows"), heads = $("episode-heads"), scroller = $("episode-scroll");
  const only = new Set(), order = { column: 0, falling: false };
  let rows = [], drawn = 0;

  function row(e) {
    const go = element("button", { type: "button", "data-at": e[0], "data-beat": e[2] }, clock(e[0]) + timeOfDay(meta, e[0]));
    const title = element("td", {}, ...(e[6] ? [shape(e[6]), " "] : []), e[3]);
    return element("tr", {}, element("td", {}, go), title, ...COLUMNS.slice(2).map(([, , text]) => element("td", {}, text(e))));
  }

  function more() {
    body.append(...rows.slice(drawn, drawn + ROWS_AT_ONCE).map(row));
    drawn = Math.min(rows.length, drawn + ROWS_AT_ONCE);
  }

  function draw() {
    const value = COLUMNS[order.column][1], way = order.falling ? -1 : 1;
    const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    rows = only.size ? episodes.filter((e) => only.has(e[3])) : [...episodes];
    rows.sort((a, b) => way * compare(value(a), value(b)) || a[0] - b[0]);
    body.replaceChildren();
    drawn = 0;
    more();
    scroller.scrollTop = 0;
    [...heads.children].forEach((head, k) => {
      head.setAttribute("aria-sort", k !== order.column ? "none" : order.falling ? "descending" : "ascending");
    });
    const all = many(episodes.length, "episode");
    $("episode-count").textContent = rows.length < episodes.length ? `${rows.length.toLocaleString("en")} of ${all}` : all;
  }

  COLUMNS.forEach(([name], k) => {
    const button = element("button", { type: "button" }, name);
    button.addEventListener("click", () => {
      order.falling = order.column === k ? !order.falling : k > 1; // the longest first
      order.column = k;
      draw();
    });
    heads.append(element("th", { scope: "col" }, button));
  });
  const counts = new Map();
  for (const e of episodes) counts.set(e[3], (counts.get(e[3]) || 0) + 1);
  for (const [kind, count] of [...counts].sort((a, b) => b[1] - a[1])) {
    const button = element("button", { type: "button", "aria-pressed": "false" }, `${kind} ${count.toLocaleString("en")}`);
    button.addEventListener("click", () => {
      if (!only.delete(kind)) only.add(kind);
      button.setAttribute("aria-pressed", only.has(kind));
      draw();
    });
    $("episode-kinds").append(button);
  }
  scroller.addEventListener("scroll", () => {
    if (scroller.scrollTop + scroller.clientHeight > scroller.scrollHeight - 400 && drawn < rows.length) more();
  });
  draw();
}
