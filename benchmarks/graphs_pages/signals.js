"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 340, HEIGHT = 230, LEFT = 38, RIGHT = 10, TOP = 10, BOTTOM = 30; // of a panel
const LOW = -2, HIGH = 3; // mV
const AT_ONCE = 2; // single beats shown of a class
const DASHES = { N: "", S: "7 3", V: "2 2.5", F: "9 3 2 3", Q: "5 2 1 2 1 2" }; // so that no colour is needed
let shift = 0;
const byId = (id) => document.getElementById(id);
const points = DATA.classes[0].bands[0].length;
const seconds = (k) => k / DATA.fs - DATA.before;
const SPAN = seconds(points - 1) - seconds(0);
const x = (s) => LEFT + (s + DATA.before) / SPAN * (WIDTH - LEFT - RIGHT);
const y = (mv) => TOP + (HIGH - Math.max(LOW, Math.min(HIGH, mv))) / (HIGH - LOW) * (HEIGHT - TOP - BOTTOM);

function drawn(parent, tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

const coordinates = (values) => values.map((mv, k) => `${x(seconds(k)).toFixed(1)} ${y(mv).toFixed(1)}`);
const line = (values) => `M${coordinates(values).join("L")}`;
const area = (low, high) => `M${[...coordinates(low), ...coordinates(high).reverse()].join("L")}Z`;

function axes(svg) {
  for (const mv of [-2, -1, 0, 1, 2, 3]) {
    drawn(svg, "line", { class: mv ? "frame" : "zero", x1: LEFT, x2: WIDTH - RIGHT, y1: y(mv), y2: y(mv) });
    drawn(svg, "text", { class: "soft", x: LEFT - 6, y: y(mv) + 4.5, "text-anchor": "end" }, mv);
  }
  for (const ms of [-200, 0, 200, 400]) {
    drawn(svg, "line", { class: ms ? "frame" : "zero", x1: x(ms / 1000), x2: x(ms / 1000), y1: TOP, y2: HEIGHT - BOTTOM });
    drawn(svg, "text", { class: "soft", x: x(ms / 1000), y: HEIGHT - BOTTOM + 17, "text-anchor": "middle" }, ms);
  }
  drawn(svg, "text", { class: "soft", x: LEFT + 4, y: TOP + 12 }, "mV");
  drawn(svg, "text", { class: "soft", x: WIDTH - RIGHT, y: HEIGHT - BOTTOM + 17, "text-anchor": "end" }, "ms");
}

function follow(svg, classes) {
  const cursor = drawn(svg, "line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), place = (event.clientX - box.left) / box.width * WIDTH;
    const k = Math.round((place - LEFT) / (WIDTH - LEFT - RIGHT) * (points - 1));
    if (k < 0 || k >= points) return;
    cursor.setAttribute("visibility", "visible");
    cursor.setAttribute("x1", x(seconds(k)));
    cursor.setAttribute("x2", x(seconds(k)));
    const medians = classes.map((one) => `${one.letter} ${one.bands[2][k].toFixed(2)} mV`);
    byId("read").textContent = `${Math.round(1000 * seconds(k))} ms: median ${medians.join(", ")}`;
  });
  svg.addEventListener("pointerleave", () => { cursor.setAttribute("visibility", "hidden"); byId("read").textContent = ""; });
}

function panel(title, text, classes, kind) {
  const figure = document.createElement("figure");
  figure.innerHTML = "<h2></h2><p></p>";
  figure.className = kind;
  figure.querySelector("h2").append(...title);
  figure.querySelector("p").textContent = text;
  const svg = drawn(figure, "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": text });
  axes(svg);
  byId("panels").append(figure);
  return svg;
}

function badge(letter) {
  const one = document.createElement("span");
  one.className = `badge c${letter}`;
  one.textContent = letter;
  return one;
}

function single(one) {
  const svg = panel([badge(one.letter), ` ${one.name}`], `${one.meaning}; ${one.beats.toLocaleString("en")} beats`, [one], `c${one.letter}`);
  if (byId("bands").checked) {
    const [p10, p25, , p75, p90] = one.bands;
    drawn(svg, "path", { class: "wide", d: area(p10, p90) });
    drawn(svg, "path", { class: "narrow", d: area(p25, p75) });
  }
  if (byId("examples").checked) {
    for (let n = 0; n < AT_ONCE; n++) {
      const example = one.examples[(shift + n) % one.examples.length];
      drawn(drawn(svg, "path", { class: "example", d: line(example.mv) }), "title", {}, `record ${example.record}`);
    }
  }
  drawn(svg, "path", { class: "median", d: line(one.bands[2]) });
  follow(svg, [one]);
}

function all() {
  const svg = panel(["The medians"], "all classes over each other; dashes tell them apart", DATA.classes, "");
  DATA.classes.forEach((one, k) => {
    drawn(svg, "path", { class: `median c${one.letter}`, d: line(one.bands[2]), "stroke-dasharray": DASHES[one.letter] });
    const level = TOP + 14 + 17 * k;
    drawn(svg, "path", { class: `median c${one.letter}`, d: `M${WIDTH - 90} ${level - 4}H${WIDTH - 50}`, "stroke-dasharray": DASHES[one.letter] });
    drawn(svg, "text", { x: WIDTH - 42, y: level }, one.letter);
  });
  follow(svg, DATA.classes);
}

function draw() {
  byId("panels").replaceChildren();
  byId("read").textContent = "";
  if (byId("together").checked) all();
  else DATA.classes.forEach(single);
  for (const id of ["bands", "examples", "others"]) byId(id).disabled = byId("together").checked || (id === "others" && !byId("examples").checked);
}

function drawEarly() {
  const svg = byId("early"), most = 2, across = (share) => 40 + Math.min(share, most) / most * 360;
  for (const share of [0, 0.5, 1, 1.5, 2]) {
    drawn(svg, "line", { class: share === 1 ? "zero" : "frame", x1: across(share), x2: across(share), y1: 8, y2: 182 });
    drawn(svg, "text", { class: "soft", x: across(share), y: 200, "text-anchor": "middle" }, `${100 * share} %`);
  }
  DATA.classes.forEach((one, k) => {
    const [p10, p25, p50, p75, p90] = one.early.map(across), level = 26 + 34 * k;
    const group = drawn(svg, "g", { class: `c${one.letter}` });
    drawn(group, "title", {}, `${one.name}: half of the beats come after ${one.early[1]} to ${one.early[3]} of the recording's median interval`);
    drawn(group, "text", { x: 12, y: level + 5 }, one.letter);
    drawn(group, "line", { class: "whisker", x1: p10, x2: p90, y1: level, y2: level });
    drawn(group, "rect", { x: p25, width: Math.max(p75 - p25, 2), y: level - 10, height: 20 });
    drawn(group, "line", { class: "mid", x1: p50, x2: p50, y1: level - 10, y2: level + 10 });
  });
}

for (const id of ["bands", "examples", "together"]) byId(id).addEventListener("change", draw);
byId("others").addEventListener("click", () => { shift += AT_ONCE; draw(); });
draw();
drawEarly();
document.documentElement.dataset.ready = "yes";
