// Draws on canvases. Times are in s, pxs is pixels per second, pxmv pixels per mV.

const FONT = "system-ui, sans-serif", MM = 96 / 25.4; // CSS pixels per mm

function clock(t, digits) {
  const s = Math.max(0, t), whole = Math.floor(s), two = (value) => String(value).padStart(2, "0");
  const seconds = digits ? (s % 60).toFixed(digits).padStart(3 + digits, "0") : two(whole % 60);
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${seconds}`;
}

// The time of day, where it is known: " · 13:02:10".
function timeOfDay(meta, t) {
  return meta.clock === null ? "" : ` · ${clock((meta.clock + t) % 86400).padStart(8, "0")}`;
}

const PRINTED = 4; // pixels of a canvas per CSS pixel in a print; Chromium prints 3 a fraction too small
let printing = false;

function penOf(canvas, height) {
  const ratio = printing ? PRINTED : window.devicePixelRatio || 1;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(Math.round(height) * ratio);
  canvas.style.height = Math.round(height) + "px";
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return pen;
}

function levelOf(signal) { // mV, the middle of a signal, to a line of the paper
  const some = [...signal.filter((value, i) => i % 16 === 0 && !Number.isNaN(value))].sort((a, b) => a - b);
  return some.length ? Math.round(2 * some[some.length >> 1]) / 2 : 0;
}

// Where a row has its middle, in px from its top: at 0.6 of it, or where peaks reach neither the letters nor the edge.
function zeroOf(signal, level, pxmv, height) {
  let highest = level, lowest = level;
  for (const value of signal) {
    if (value > highest) highest = value;
    if (value < lowest) lowest = value;
  }
  const above = 26 + (highest - level) * pxmv, below = 4 + (level - lowest) * pxmv;
  if (above + below > height) return (height * above) / (above + below);
  return Math.max(above, Math.min(0.6 * height, height - below));
}

function line(pen, x1, y1, x2, y2) {
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
}

function write(pen, text, x, y, align, baseline, size, colour, weight = "normal") {
  pen.font = `${weight} ${size}px ${FONT}`;
  pen.textAlign = align;
  pen.textBaseline = baseline;
  pen.fillStyle = colour;
  pen.fillText(text, x, y);
}

// A row of the strip: {top, height, width, start, seconds, pxs, pxmv, zero (the y of `level` mV), level, signal, ...}.
function painter(meta, beats) {
  function paper(pen, row) {
    pen.fillStyle = meta.paper.paper;
    pen.fillRect(0, row.top, row.width, row.height);
    const grid = (seconds, millivolts, colour) => {
      const across = seconds * row.pxs, down = millivolts * row.pxmv;
      pen.beginPath();
      for (let k = Math.ceil(row.start / seconds); (k * seconds - row.start) * row.pxs < row.width; k++) {
        const x = (k * seconds - row.start) * row.pxs;
        if (across >= 3) line(pen, x, row.top, x, row.top + row.height);
      }
      for (let y = row.zero - Math.floor((row.zero - row.top) / down) * down; y < row.top + row.height; y += down) {
        if (down >= 3) line(pen, 0, y, row.width, y);
      }
      pen.strokeStyle = colour;
      pen.lineWidth = 1;
      pen.stroke();
    };
    if (0.04 * row.pxs >= 3) grid(0.04, 0.1, meta.paper.minor);
    grid(0.2 * row.pxs >= 3 ? 0.2 : 0.2 * 5 ** Math.ceil(Math.log(15 / row.pxs) / Math.log(5)), 0.5, meta.paper.major);
  }

  function bad(pen, start, seconds, pxs, top, height, named) {
    for (const [from, to, kind] of meta.bad) {
      if (to <= start || from >= start + seconds) continue;
      const left = Math.max(0, (from - start) * pxs), right = (Math.min(start + seconds, to) - start) * pxs;
      pen.fillStyle = "rgba(120, 120, 120, .28)";
      pen.fillRect(left, top, Math.max(1, right - left), height);
      if (kind === "noise") hatch(pen, left, top, Math.max(1, right - left), height);
      if (named) write(pen, kind, left + 4, top + height - 34, "left", "alphabetic", 12, "#333");
    }
  }

  function hatch(pen, left, top, width, height) { // noise is told from a gap without its colour
    pen.save();
    pen.beginPath();
    pen.rect(left, top, width, height);
    pen.clip();
    pen.beginPath();
    for (let x = Math.floor((left - height) / 9) * 9; x < left + width; x += 9) line(pen, x, top + height, x + height, top);
    pen.strokeStyle = "rgba(90, 90, 90, .45)";
    pen.lineWidth = 1;
    pen.stroke();
    pen.restore();
  }

  // Rhythms that last and stretches without beats: a bar along the lower edge, with their name at its start.
  function lasting(pen, row) {
    let last = -Infinity;
    for (const [start, stop, title] of meta.lasting) {
      if (stop <= row.start || start >= row.start + row.seconds) continue;
      const left = Math.max(0, (start - row.start) * row.pxs), right = (Math.min(stop, row.start + row.seconds) - row.start) * row.pxs;
      pen.fillStyle = "#5a5a5a";
      pen.fillRect(left, row.top + row.height - 5, Math.max(2, right - left), 4);
      const at = Math.max(left + 4, 160); // beside the time
      const above = at > row.width - 360 ? 62 : 14; // of the calibration mark
      if (at > last) label(pen, title, at, row.top + row.height - above, "bold");
      last = at + 8 * title.length;
    }
  }

  // Where beats are read from this lead instead of the annotated one: a bar on top of its row.
  function switched(pen, row) {
    for (const { start, stop, lead } of meta.switches) {
      if (lead !== row.name || stop <= row.start || start >= row.start + row.seconds) continue;
      const left = Math.max(0, (start - row.start) * row.pxs), right = (Math.min(stop, row.start + row.seconds) - row.start) * row.pxs;
      pen.fillStyle = meta.accent;
      pen.fillRect(left, row.top + 24, Math.max(2, right - left), 4);
      label(pen, `read from ${lead}`, left + 70, row.top + 36, "normal");
    }
  }

  function trace(pen, row) {
    const signal = row.signal;
    const y = (value) => Math.max(row.highest, Math.min(row.lowest, row.zero - (value - row.level) * row.pxmv));
    const each = row.rate / row.pxs; // samples per pixel
    let drawn = false;
    const to = (x, value) => {
      if (drawn) pen.lineTo(x, y(value));
      else pen.moveTo(x, y(value));
      drawn = true;
    };
    pen.beginPath();
    if (each < 3) {
      for (let i = 0; i < signal.length; i++) {
        if (Number.isNaN(signal[i])) drawn = false;
        else to(((row.first + i) / row.rate - row.start) * row.pxs, signal[i]);
      }
    } else { // the range of each column of pixels
      for (let x = 0, i = 0; i < signal.length; x++) {
        let low = Infinity, high = -Infinity;
        for (const stop = Math.min(signal.length, Math.ceil((x + 1) * each)); i < stop; i++) {
          if (signal[i] < low) low = signal[i];
          if (signal[i] > high) high = signal[i];
        }
        if (low > high) drawn = false;
        else [high, low].forEach((value) => to(x, value));
      }
    }
    pen.strokeStyle = meta.paper.ink;
    pen.lineWidth = each < 3 ? 1.4 : 1;
    pen.lineJoin = "round";
    pen.stroke();
  }

  // A class as a shape with its letter: the colour is not needed. S round, V square, others with a corner up.
  function badge(pen, letter, x, y, edited) {
    const size = 9;
    pen.fillStyle = meta.colours[letter] || "#767676";
    pen.beginPath();
    if (letter === "V") pen.rect(x - size + 0.5, y - size + 0.5, 2 * size - 1, 2 * size - 1);
    else if (letter === "S") pen.arc(x, y, size, 0, 2 * Math.PI);
    else [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]].forEach(([dx, dy]) => pen.lineTo(x + dx * size, y + dy * size));
    pen.fill();
    write(pen, letter, x, y + 0.5, "center", "middle", 12, "#fff", "bold");
    if (edited) underline(pen, x, y + 12);
  }

  function underline(pen, x, y) { // a person's word
    pen.fillStyle = meta.paper.ink;
    pen.fillRect(x - 8, y, 16, 2.5);
  }

  // The beats of a line: {top, height} of all its leads together.
  function marks(pen, row, chosen) {
    const first = beats.from(row.start), last = beats.from(row.start + row.seconds);
    const roomy = row.width / Math.max(1, last - first) > 14; // for letters
    for (let k = first; k < last; k++) {
      const x = (beats.time(k) - row.start) * row.pxs, letter = beats.letter(k), colour = meta.colours[letter] || "#767676";
      const normal = letter === "N";
      if (!normal || k === chosen) {
        pen.strokeStyle = colour;
        pen.lineWidth = k === chosen ? 2.5 : 1;
        pen.setLineDash(k === chosen ? [] : [5, 4]);
        pen.beginPath();
        line(pen, x, row.top + (roomy ? 22 : 4), x, row.top + row.height);
        pen.stroke();
        pen.setLineDash([]);
      }
      if (!roomy) continue;
      if (!normal) badge(pen, letter, x, row.top + 12, beats.edited(k));
      else {
        write(pen, letter, x, row.top + 11.5, "center", "middle", 11, colour, k === chosen ? "bold" : "normal");
        if (beats.edited(k)) underline(pen, x, row.top + 20);
      }
    }
  }

  // The place where a beat is to be inserted.
  function cursor(pen, row, t) {
    const x = (t - row.start) * row.pxs;
    if (x < 0 || x >= row.width) return;
    pen.strokeStyle = pen.fillStyle = meta.accent;
    pen.lineWidth = 1.5;
    pen.beginPath();
    line(pen, x, row.top + 8, x, row.top + row.height);
    pen.stroke();
    pen.beginPath();
    [[-6, 0], [6, 0], [0, 9]].forEach(([dx, dy]) => pen.lineTo(x + dx, row.top + 2 + dy));
    pen.fill();
  }

  // The calibration mark: a pulse of 1 mV and 0.2 s, as electrocardiographs draw it, at the start of a bar of 1 s.
  function scaleBar(pen, row) {
    const left = row.width - 12 - row.pxs, bottom = row.top + row.height - 10;
    pen.beginPath();
    pen.moveTo(left, bottom);
    pen.lineTo(left, bottom - row.pxmv);
    pen.lineTo(left + 0.2 * row.pxs, bottom - row.pxmv);
    pen.lineTo(left + 0.2 * row.pxs, bottom);
    pen.lineTo(left + row.pxs, bottom);
    pen.strokeStyle = meta.paper.ink;
    pen.lineWidth = 1.5;
    pen.lineJoin = "miter";
    pen.stroke();
    write(pen, "1 s", left + 0.6 * row.pxs, bottom - 5, "center", "alphabetic", 11, meta.paper.ink);
    write(pen, `1 ${meta.unit}`, left - 4, bottom - row.pxmv / 2, "right", "middle", 11, meta.paper.ink);
  }

  // Lines of the strip, and in each a row for every lead shown: [{start, rows}, ...], signals read.
  async function rows(shown, view, width, height, count) {
    const pxs = view.speed * MM, seconds = width / pxs, lines = [];
    for (let k = 0; k < count; k++) {
      const start = view.start + k * seconds, top = k * shown.length * height;
      const each = await Promise.all(shown.map(async ({ name, rate, read }, place) => {
        const first = Math.max(0, Math.floor(start * rate));
        const signal = await read(first, Math.ceil((start + seconds) * rate) + 1), level = levelOf(signal);
        const pxmv = view.gain * MM, own = { name, rate, first, signal, level, top: top + place * height, height };
        const edges = { highest: top, lowest: top + shown.length * height }; // of its line: leads may reach into each other
        return { ...own, ...edges, start, seconds, width, pxs, pxmv, zero: own.top + zeroOf(signal, level, pxmv, height) };
      }));
      lines.push({ start, seconds, width, pxs, top, height: shown.length * height, rows: each });
    }
    return lines;
  }

  // The lead's name and the time, on paper of their own where the signal passes below.
  function label(pen, text, x, y, weight) {
    pen.font = `${weight} 12px ${FONT}`;
    pen.globalAlpha = 0.8;
    pen.fillStyle = meta.paper.paper;
    pen.fillRect(x - 2, y - 8, pen.measureText(text).width + 4, 16);
    pen.globalAlpha = 1;
    write(pen, text, x, y, "left", "middle", 12, "#4a4a4a", weight);
  }

  return { paper, label, bad, lasting, switched, trace, marks, badge, cursor, scaleBar, rows };
}
