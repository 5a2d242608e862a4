// Draws on canvases. Times are in s, pxs is pixels per second, pxmv pixels per mV.

const FONT = "system-ui, sans-serif";

function clock(t, digits) {
  const s = Math.max(0, t), whole = Math.floor(s), two = (value) => String(value).padStart(2, "0");
  const seconds = digits ? (s % 60).toFixed(digits).padStart(3 + digits, "0") : two(whole % 60);
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${seconds}`;
}

function penOf(canvas, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = Math.round(height) + "px";
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return pen;
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

// One line of the strip: {top, height, width, start, seconds, pxs, pxmv, zero (the y of `level` mV), level}.
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
      if (named) write(pen, kind, left + 4, top + height - 24, "left", "alphabetic", 12, "#333");
    }
  }

  function trace(pen, row, signal, first) {
    const y = (value) => Math.max(row.top, Math.min(row.top + row.height, row.zero - (value - row.level) * row.pxmv));
    const each = meta.rate / row.pxs; // samples per pixel
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
        else to(((first + i) / meta.rate - row.start) * row.pxs, signal[i]);
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

  function marks(pen, row, chosen) {
    const first = beats.from(row.start), last = beats.from(row.start + row.seconds);
    const roomy = row.width / Math.max(1, last - first) > 14; // for letters
    for (let k = first; k < last; k++) {
      const x = (beats.time(k) - row.start) * row.pxs, letter = beats.letter(k), colour = meta.colours[letter];
      const normal = letter === "N";
      if (!normal || k === chosen) {
        pen.strokeStyle = colour;
        pen.lineWidth = k === chosen ? 2 : 1;
        pen.setLineDash(k === chosen ? [] : [5, 4]);
        pen.beginPath();
        line(pen, x, row.top + (roomy ? 20 : 4), x, row.top + row.height);
        pen.stroke();
        pen.setLineDash([]);
      }
      if (!roomy) continue;
      if (!normal) {
        pen.fillStyle = colour;
        pen.beginPath();
        pen.arc(x, row.top + 11, 9, 0, 2 * Math.PI);
        pen.fill();
      }
      const [size, ink, weight] = normal ? [11, colour, "normal"] : [12, "#fff", "bold"];
      write(pen, letter, x, row.top + 11.5, "center", "middle", size, ink, weight);
    }
  }

  // 1 s and 1 mV in the lower right corner, so that a print can be measured at any size.
  function scaleBar(pen, row) {
    const right = row.width - 12, bottom = row.top + row.height - 10;
    pen.beginPath();
    line(pen, right - row.pxs, bottom, right, bottom);
    pen.lineTo(right, bottom - row.pxmv);
    pen.strokeStyle = meta.paper.ink;
    pen.lineWidth = 1.5;
    pen.stroke();
    write(pen, "1 s", right - row.pxs / 2, bottom - 4, "center", "alphabetic", 11, meta.paper.ink);
    write(pen, "1 " + meta.unit, right - 4, bottom - row.pxmv / 2, "right", "middle", 11, meta.paper.ink);
  }

  // The whole recording: heart rate, abnormal beats, skipped intervals, and the part that is shown.
  function overview(canvas, start, shown) {
    const height = 96, base = height - 16, pen = penOf(canvas, height), width = canvas.clientWidth;
    const style = getComputedStyle(canvas), pxs = width / meta.seconds, low = 30, high = meta.highest;
    const y = (rate) => base - 16 - ((Math.min(high, Math.max(low, rate)) - low) / (high - low)) * (base - 22);
    pen.fillStyle = style.backgroundColor;
    pen.fillRect(0, 0, width, height);
    bad(pen, 0, meta.seconds, pxs, 0, base, false);
    const sum = new Float64Array(Math.ceil(width) + 1), count = new Uint32Array(Math.ceil(width) + 1);
    for (let k = 1; k < beats.n; k++) {
      const interval = beats.rr(k), x = Math.floor(beats.time(k) * pxs);
      if (!(interval > 0)) continue;
      sum[x] += interval;
      count[x]++;
    }
    pen.beginPath();
    for (let x = 0, drawn = false; x < count.length; x++) {
      if (!count[x]) {
        drawn = drawn && pxs > 0.5; // columns narrower than a beat are empty now and then
        continue;
      }
      if (drawn) pen.lineTo(x, y((60 * count[x]) / sum[x]));
      else pen.moveTo(x, y((60 * count[x]) / sum[x]));
      drawn = true;
    }
    pen.strokeStyle = style.color;
    pen.lineWidth = 1.2;
    pen.stroke();
    for (let rate = 50; rate < high; rate += 50) {
      pen.globalAlpha = 0.25;
      pen.beginPath();
      line(pen, 0, y(rate), width, y(rate));
      pen.stroke();
      pen.globalAlpha = 0.85;
      pen.fillStyle = style.backgroundColor;
      pen.fillRect(width - 50, y(rate) - 7, 50, 14);
      pen.globalAlpha = 1;
      write(pen, rate + "/min", width - 3, y(rate), "right", "middle", 11, style.color);
    }
    for (const k of beats.abnormal) {
      pen.fillStyle = meta.colours[beats.letter(k)];
      pen.fillRect(beats.time(k) * pxs, base - (beats.letter(k) === "V" ? 12 : 6), 1, 6);
    }
    pen.strokeStyle = meta.accent;
    pen.lineWidth = 2;
    pen.strokeRect(start * pxs, 1, Math.max(3, Math.min(shown, meta.seconds - start) * pxs), base - 2);
    const steps = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14400, 43200];
    const every = steps.find((s) => s * pxs > 70) || 86400;
    for (let t = 0; t < meta.seconds - 30 / pxs; t += every) {
      write(pen, clock(t), t * pxs, height - 7, t ? "center" : "left", "middle", 11, style.color);
    }
  }

  return { paper, bad, trace, marks, scaleBar, overview };
}
