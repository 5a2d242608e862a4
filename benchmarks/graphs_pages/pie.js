"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg", FULL = 2 * Math.PI;
const OUTER = 110, INNER = 62, NARROW = 0.08; // radii; a slice below this share is named outside
const hidden = new Set();
const byId = (id) => document.getElementById(id);

function drawn(tag, attributes, text, parent = byId("pie")) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

const percent = (share) => `${(100 * share).toFixed(share < 0.001 && share > 0 ? 3 : share < 0.1 ? 2 : 1)} %`;
const at = (angle, radius) => [Math.cos(angle) * radius, Math.sin(angle) * radius].map((number) => number.toFixed(2));

function counts() {
  const symbols = DATA.parts[byId("part").value];
  return DATA.classes.map((one) => ({ ...one, beats: one.symbols.reduce((sum, key) => sum + (symbols[key] || 0), 0), symbols:
    one.symbols.filter((key) => symbols[key]).map((key) => `${key}\u00a0${symbols[key].toLocaleString("en")}`) }));
}

function slicePath(from, to) {
  if (to - from > FULL - 1e-6) {
    return [OUTER, INNER].map((r) => `M${r} 0A${r} ${r} 0 1 1 ${-r} 0A${r} ${r} 0 1 1 ${r} 0Z`).join("");
  }
  const wide = to - from > Math.PI ? 1 : 0;
  return `M${at(from, OUTER)}A${OUTER} ${OUTER} 0 ${wide} 1 ${at(to, OUTER)}L${at(to, INNER)}A${INNER} ${INNER} 0 ${wide} 0 ${at(from, INNER)}Z`;
}

function point(letter) {
  document.querySelectorAll("[data-letter]").forEach((one) => one.classList.toggle("on", one.dataset.letter === letter));
  const classes = counts(), total = classes.reduce((sum, one) => sum + one.beats, 0), one = classes.find((each) => each.letter === letter);
  byId("caption").textContent = one ? `${one.name}: ${one.beats.toLocaleString("en")} of ${total.toLocaleString("en")} beats, ${percent(one.beats / (total || 1))}`
    : `${byId("part").value}: ${total.toLocaleString("en")} beats`;
}

function pointable(element, letter) {
  element.dataset.letter = letter;
  for (const event of ["pointerenter", "focus", "click"]) element.addEventListener(event, () => point(letter));
  for (const event of ["pointerleave", "blur"]) element.addEventListener(event, () => point(""));
}

function drawPie() {
  byId("pie").replaceChildren();
  const shown = counts().filter((one) => !hidden.has(one.letter) && one.beats);
  const total = shown.reduce((sum, one) => sum + one.beats, 0), narrow = shown.filter((one) => one.beats / total < NARROW);
  // The narrow slices lie around three o'clock, so that their names stand below each other on the right.
  const small = narrow.reduce((sum, one) => sum + one.beats, 0) / (total || 1);
  let angle = -small * Math.PI, line = -12 * (narrow.length - 1);
  for (const one of [...narrow, ...shown.filter((each) => !narrow.includes(each))]) {
    const share = one.beats / total, to = angle + share * FULL, middle = (angle + to) / 2;
    const slice = drawn("path", { class: `slice c${one.letter}`, d: slicePath(angle, to), tabindex: 0, role: "img", "fill-rule": "evenodd",
      "aria-label": `${one.name}: ${percent(share)}` });
    pointable(slice, one.letter);
    if (share < NARROW) {
      const [x, y] = at(middle, OUTER);
      drawn("path", { class: "leader", d: `M${x} ${y}L128 ${line}H136` });
      drawn("text", { x: 140, y: line + 4.5 }, `${one.letter} ${percent(share)}`);
      line += 24;
    } else {
      const [x, y] = at(middle, share > 0.999 ? 0 : (OUTER + INNER) / 2);
      if (share <= 0.999) drawn("text", { class: "inside", x, y: Number(y) + 4.5, "text-anchor": "middle" }, one.letter);
    }
    angle = to;
  }
  drawn("text", { class: "middle", "text-anchor": "middle", y: 2 }, total.toLocaleString("en"));
  drawn("text", { class: "soft", "text-anchor": "middle", y: 22 }, hidden.size ? "beats shown" : "beats");
}

function drawRows() {
  const classes = counts(), total = classes.reduce((sum, one) => sum + (hidden.has(one.letter) ? 0 : one.beats), 0);
  byId("rows").replaceChildren(...classes.map((one) => {
    const row = document.createElement("tr"), off = hidden.has(one.letter);
    row.className = `c${one.letter}${off ? " off" : ""}`;
    row.innerHTML = '<th scope="row"><label><input type="checkbox"> <span class="badge"></span> <span></span></label></th><td></td><td></td>';
    const [box, badge, name, beats, share] = ["input", ".badge", ".badge + span", "td", "td + td"].map((place) => row.querySelector(place));
    box.checked = !off;
    box.addEventListener("change", () => { hidden[off ? "delete" : "add"](one.letter); draw(); byId("rows").querySelector(`[data-letter=${one.letter}] input`).focus(); });
    badge.textContent = one.letter;
    name.textContent = one.name;
    beats.textContent = one.beats.toLocaleString("en");
    share.textContent = off ? "–" : percent(one.beats / (total || 1));
    const symbols = document.createElement("small");
    symbols.textContent = one.symbols.join(", ");
    beats.append(symbols);
    pointable(row, one.letter);
    return row;
  }));
}

function draw() {
  drawPie();
  drawRows();
  point("");
}

for (const part of Object.keys(DATA.parts)) byId("part").add(new Option(part));
byId("part").addEventListener("change", draw);
draw();
document.documentElement.dataset.ready = "yes";
