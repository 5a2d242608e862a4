"use strict";
// Draws the recording that is packed into the page. It asks nobody for anything: no network, no other file.
(async () => {
  const $ = (id) => document.getElementById(id);
  const meta = JSON.parse($("meta").textContent);
  const MM = 96 / 25.4; // CSS pixels
  const canvas = $("strip"), overview = $("overview"), status = $("status");
  if (!window.DecompressionStream) {
    status.textContent = "This browser is too old to draw the whole recording (it lacks DecompressionStream); the strips below are drawn all the same.";
    return;
  }

  const inflate = async (id) => {
    const raw = Uint8Array.from(atob($(id).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };

  // Beats: sample of the tracing (uint32), class, confidence (0..255), whether no RR interval leads to it (uint8 each).
  const packed = await inflate("beats");
  const n = packed.length / 7;
  const at = new Uint32Array(packed.buffer, 0, n);
  const classes = packed.subarray(4 * n, 5 * n), sure = packed.subarray(5 * n, 6 * n), begins = packed.subarray(6 * n);
  const time = (k) => at[k] / meta.rate;
  const rr = (k) => (k === 0 || begins[k] ? NaN : time(k) - time(k - 1));
  const abnormal = [];
  for (let k = 0; k < n; k++) if (meta.letters[classes[k]] !== "N") abnormal.push(k);

  // Parts of the signal are unpacked when they are looked at; a few stay.
  const parts = new Map();
  const part = (k) => {
    if (!parts.has(k)) {
      if (parts.size > 8) parts.delete(parts.keys().next().value);
      parts.set(k, inflate("part" + k).then((planes) => {
        const size = planes.length / 2, signal = new Int16Array(size);
        for (let i = 0, value = 0; i < size; i++) {
          const z = planes[i] | (planes[size + i] << 8);
          value += (z >>> 1) ^ -(z & 1);
          signal[i] = value;
          value = signal[i]; // wrapped to 16 bits
        }
        return signal;
      }));
    }
    return parts.get(k);
  };
  const eachPart = meta.part * meta.rate;
  const samples = async (first, last) => {
    const found = new Float32Array(Math.max(0, last - first));
    for (let k = Math.floor(first / eachPart); k * eachPart < last; k++) {
      if (k >= meta.parts) { found.fill(NaN, Math.max(0, k * eachPart - first)); break; }
      const signal = await part(k), from = Math.max(first, k * eachPart), to = Math.min(last, (k + 1) * eachPart);
      for (let i = from; i < to; i++) {
        const level = signal[i - k * eachPart];
        found[i - first] = level === undefined || level === meta.missing ? NaN : level * meta.quantum;
      }
    }
    return found;
  };

  const ROWS = 3, ROW_MM = 46;
  const view = { start: 0, speed: 25, gain: 10, chosen: -1 };
  const width = () => canvas.clientWidth;
  const rowSeconds = () => width() / (view.speed * MM);
  const clamp = () => { view.start = Math.max(0, Math.min(view.start, Math.max(0, meta.seconds - rowSeconds()))); };
  const clock = (t, digits) => {
    const s = Math.max(0, t), whole = Math.floor(s);
    const text = `${Math.floor(whole / 3600)}:${String(Math.floor(whole / 60) % 60).padStart(2, "0")}:`;
    return text + (digits ? (s % 60).toFixed(digits).padStart(3 + digits, "0") : String(whole % 60).padStart(2, "0"));
  };
  const search = (t) => { // the first beat at or after t
    let low = 0, high = n;
    while (low < high) { const mid = (low + high) >> 1; if (time(mid) < t) low = mid + 1; else high = mid; }
    return low;
  };
  const context = (element, height) => {
    const ratio = window.devicePixelRatio || 1, wide = element.clientWidth;
    element.width = Math.round(wide * ratio);
    element.height = Math.round(height * ratio);
    element.style.height = height + "px";
    const pen = element.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    return pen;
  };
  const line = (pen, x1, y1, x2, y2) => { pen.moveTo(x1, y1); pen.lineTo(x2, y2); };

  const drawPaper = (pen, top, height, start, pxs, pxmv, middle, wide) => {
    pen.fillStyle = meta.paper.paper;
    pen.fillRect(0, top, wide, height);
    const grid = (seconds, millivolts, colour) => {
      if (seconds * pxs < 3) return;
      pen.beginPath();
      for (let t = Math.ceil(start / seconds) * seconds, x; (x = (t - start) * pxs) < wide; t += seconds) line(pen, x, top, x, top + height);
      for (let v = -Math.floor((middle - top) / pxmv / millivolts), y; (y = middle + v * millivolts * pxmv) < top + height; v++) line(pen, 0, y, wide, y);
      pen.strokeStyle = colour;
      pen.lineWidth = 1;
      pen.stroke();
    };
    grid(0.04, 0.1, meta.paper.minor);
    grid(0.2, 0.5, meta.paper.major);
    if (0.2 * pxs < 3) grid(1, 0.5, meta.paper.major);
  };

  const drawSignal = (pen, signal, first, start, pxs, pxmv, middle, level, top, height) => {
    const clipped = (value) => Math.max(top, Math.min(top + height, middle - (value - level) * pxmv));
    const perPixel = meta.rate / pxs;
    pen.beginPath();
    let drawn = false;
    if (perPixel < 3) {
      for (let i = 0; i < signal.length; i++) {
        if (Number.isNaN(signal[i])) { drawn = false; continue; }
        const x = ((first + i) / meta.rate - start) * pxs, y = clipped(signal[i]);
        if (drawn) pen.lineTo(x, y); else pen.moveTo(x, y);
        drawn = true;
      }
    } else { // the range of each pixel column
      for (let x = 0, i = 0; i < signal.length; x++) {
        let low = Infinity, high = -Infinity;
        for (const stop = Math.min(signal.length, Math.ceil((x + 1) * perPixel)); i < stop; i++) {
          if (signal[i] < low) low = signal[i];
          if (signal[i] > high) high = signal[i];
        }
        if (low === Infinity) { drawn = false; continue; }
        if (drawn) pen.lineTo(x, clipped(high)); else pen.moveTo(x, clipped(high));
        pen.lineTo(x, clipped(low) + 0.5);
        drawn = true;
      }
    }
    pen.strokeStyle = meta.paper.ink;
    pen.lineWidth = perPixel < 3 ? 1.4 : 1;
    pen.lineJoin = "round";
    pen.stroke();
  };

  const drawBeats = (pen, start, stop, pxs, top, height) => {
    const first = search(start), last = search(stop);
    const roomy = last > first && ((stop - start) * pxs) / (last - first) > 14;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    const letter = (k) => meta.letters[classes[k]];
    for (let k = first; k < last && roomy; k++) {
      if (letter(k) !== "N") continue;
      pen.fillStyle = meta.colours.N;
      pen.font = "11px system-ui, sans-serif";
      pen.fillText("N", (time(k) - start) * pxs, top + 11);
    }
    for (let k = first; k < last; k++) {
      if (letter(k) === "N" && k !== view.chosen) continue;
      const x = (time(k) - start) * pxs;
      pen.strokeStyle = meta.colours[letter(k)];
      pen.lineWidth = k === view.chosen ? 2 : 1;
      pen.setLineDash(k === view.chosen ? [] : [5, 4]);
      pen.beginPath();
      line(pen, x, top + (roomy ? 20 : 4), x, top + height);
      pen.stroke();
      pen.setLineDash([]);
      if (!roomy || letter(k) === "N") continue;
      pen.fillStyle = meta.colours[letter(k)];
      pen.beginPath();
      pen.arc(x, top + 11, 9, 0, 2 * Math.PI);
      pen.fill();
      pen.fillStyle = "#fff";
      pen.font = "bold 12px system-ui, sans-serif";
      pen.fillText(letter(k), x, top + 11.5);
    }
  };

  const drawBad = (pen, start, stop, pxs, top, height, label) => {
    for (const [from, to, kind] of meta.bad) {
      if (to <= start || from >= stop) continue;
      const left = Math.max(0, (from - start) * pxs), right = Math.min((stop - start) * pxs, (to - start) * pxs);
      pen.fillStyle = "rgba(120,120,120,.28)";
      pen.fillRect(left, top, Math.max(1, right - left), height);
      if (!label) continue;
      pen.fillStyle = "#333";
      pen.textAlign = "left";
      pen.font = "12px system-ui, sans-serif";
      pen.fillText(kind, left + 4, top + height - 24);
    }
  };

  let pending = 0;
  const draw = async () => {
    clamp();
    const turn = ++pending;
    const seconds = rowSeconds(), pxs = view.speed * MM, pxmv = view.gain * MM, height = ROW_MM * MM;
    const rows = [];
    for (let row = 0; row < ROWS; row++) {
      const start = view.start + row * seconds;
      const first = Math.max(0, Math.floor(start * meta.rate)), last = Math.ceil((start + seconds) * meta.rate) + 1;
      rows.push({ start, first, signal: start < meta.seconds ? await samples(first, last) : new Float32Array(0) });
      if (turn !== pending) return; // a newer view is being drawn
    }
    const pen = context(canvas, ROWS * height), wide = width();
    rows.forEach(({ start, first, signal }, row) => {
      const top = row * height, middle = top + 0.6 * height;
      const some = [];
      for (let i = 0, step = Math.max(1, signal.length >> 9); i < signal.length; i += step) if (!Number.isNaN(signal[i])) some.push(signal[i]);
      some.sort((a, b) => a - b);
      const level = some.length ? Math.round(2 * some[some.length >> 1]) / 2 : 0; // to half a mV, a line of the paper
      drawPaper(pen, top, height, start, pxs, pxmv, middle, wide);
      drawBad(pen, start, start + seconds, pxs, top, height, true);
      drawSignal(pen, signal, first, start, pxs, pxmv, middle, level, top, height);
      if (start < meta.seconds) drawBeats(pen, start, start + seconds, pxs, top, height);
      pen.fillStyle = "#5a5a5a";
      pen.textAlign = "left";
      pen.textBaseline = "alphabetic";
      pen.font = "12px system-ui, sans-serif";
      if (start < meta.seconds) pen.fillText(clock(start), 5, top + height - 7);
    });
    $("scale").textContent = `${+view.speed.toPrecision(3)} mm/s · ${+view.gain.toPrecision(3)} mm/${meta.unit}`;
    drawOverview(seconds * ROWS);
    told();
  };

  const drawOverview = (shown) => {
    const height = 96, base = height - 16, pen = context(overview, height), wide = overview.clientWidth;
    const pxs = wide / meta.seconds, low = 30, high = meta.highest;
    const y = (rate) => base - 16 - ((Math.min(high, Math.max(low, rate)) - low) / (high - low)) * (base - 22);
    pen.fillStyle = getComputedStyle(overview).backgroundColor;
    pen.fillRect(0, 0, wide, height);
    drawBad(pen, 0, meta.seconds, pxs, 0, base, false);
    const soft = getComputedStyle(overview).color;
    pen.strokeStyle = soft;
    pen.fillStyle = soft;
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    pen.globalAlpha = 0.25;
    pen.beginPath();
    for (let rate = 50; rate < high; rate += 50) line(pen, 0, y(rate), wide, y(rate));
    pen.stroke();
    pen.globalAlpha = 1;
    const sum = new Float64Array(Math.ceil(wide) + 1), count = new Uint32Array(Math.ceil(wide) + 1);
    for (let k = 1; k < n; k++) {
      const interval = rr(k);
      if (!(interval > 0)) continue;
      const x = Math.floor(time(k) * pxs);
      sum[x] += interval;
      count[x]++;
    }
    pen.beginPath();
    for (let x = 0, drawn = false; x < count.length; x++) {
      if (!count[x]) { drawn = drawn && pxs > 0.5; continue; }
      const rate = y((60 * count[x]) / sum[x]);
      if (drawn) pen.lineTo(x, rate); else pen.moveTo(x, rate);
      drawn = true;
    }
    pen.lineWidth = 1.2;
    pen.stroke();
    for (let rate = 50; rate < high; rate += 50) {
      const label = rate + "/min", size = pen.measureText(label).width + 6;
      pen.fillStyle = getComputedStyle(overview).backgroundColor;
      pen.globalAlpha = 0.85;
      pen.fillRect(wide - size, y(rate) - 7, size, 14);
      pen.globalAlpha = 1;
      pen.fillStyle = soft;
      pen.fillText(label, wide - 3, y(rate));
    }
    for (const k of abnormal) {
      const letter = meta.letters[classes[k]];
      pen.fillStyle = meta.colours[letter];
      pen.fillRect(time(k) * pxs, base - (letter === "V" ? 12 : 6), 1, 6);
    }
    pen.strokeStyle = meta.accent;
    pen.lineWidth = 2;
    pen.strokeRect(view.start * pxs, 1, Math.max(3, shown * pxs), base - 2);
    pen.fillStyle = soft;
    const steps = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400];
    const every = steps.find((s) => s * pxs > 70) || 86400;
    for (let t = 0; t < meta.seconds; t += every) {
      pen.textAlign = t ? "center" : "left";
      pen.fillText(clock(t), t * pxs, height - 7);
    }
  };

  const told = () => {
    const k = view.chosen;
    if (k < 0) { status.textContent = `${n.toLocaleString("en")} beats, ${abnormal.length.toLocaleString("en")} of them not normal`; return; }
    const letter = meta.letters[classes[k]], interval = rr(k);
    status.textContent = `${clock(time(k), 2)} · ${letter} (${meta.names[letter]}) · ${Math.round(sure[k] / 2.55)} %` + (interval > 0 ? ` · RR ${interval.toFixed(3)} s · ${Math.round(60 / interval)}/min` : "");
  };

  const show = (t) => { view.start = t - rowSeconds() / 3; draw(); };
  const zoom = (factor, x) => {
    const under = view.start + (x ?? width() / 2) / (view.speed * MM);
    view.speed = Math.max(0.5, Math.min(400, view.speed * factor));
    view.start = under - (x ?? width() / 2) / (view.speed * MM);
    draw();
  };
  const next = (way) => {
    if (!abnormal.length) return;
    const from = view.chosen >= 0 ? view.chosen : search(view.start) - (way > 0 ? 1 : 0);
    const k = way > 0 ? abnormal.find((b) => b > from) : abnormal.findLast((b) => b < from);
    if (k === undefined) return;
    view.chosen = k;
    show(time(k));
  };
  const actions = {
    in: () => zoom(1.5), out: () => zoom(1 / 1.5), taller: () => { view.gain = Math.min(80, view.gain * 1.41421); draw(); },
    flatter: () => { view.gain = Math.max(1, view.gain / 1.41421); draw(); },
    standard: () => { view.speed = 25; view.gain = 10; draw(); },
    back: () => { view.start -= rowSeconds() * ROWS; draw(); }, on: () => { view.start += rowSeconds() * ROWS; draw(); },
    previous: () => next(-1), next: () => next(1),
  };
  for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", () => actions[button.dataset.do]());
  for (const button of document.querySelectorAll("[data-at]")) {
    button.addEventListener("click", () => {
      view.chosen = +button.dataset.beat;
      show(+button.dataset.at);
      canvas.scrollIntoView({ block: "center", behavior: "smooth" });
    });
  }
  canvas.addEventListener("keydown", (event) => {
    const keys = { ArrowLeft: () => { view.start -= rowSeconds() / 4; draw(); }, ArrowRight: () => { view.start += rowSeconds() / 4; draw(); },
      PageUp: actions.back, PageDown: actions.on, "+": actions.in, "-": actions.out, n: actions.next, p: actions.previous,
      ArrowUp: actions.taller, ArrowDown: actions.flatter, Home: () => { view.start = 0; draw(); }, End: () => { view.start = meta.seconds; draw(); } };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  canvas.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.altKey) { event.preventDefault(); zoom(Math.exp(-event.deltaY / 300), event.offsetX); }
    else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) { event.preventDefault(); view.start += event.deltaX / (view.speed * MM); draw(); }
  }, { passive: false });
  let held = null;
  canvas.addEventListener("pointerdown", (event) => { held = { x: event.clientX, start: view.start, moved: false }; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    if (Math.abs(event.clientX - held.x) > 3) held.moved = true;
    if (held.moved) { view.start = held.start - (event.clientX - held.x) / (view.speed * MM); draw(); }
  });
  canvas.addEventListener("pointerup", (event) => {
    if (held && !held.moved) { // a click chooses the nearest beat
      const row = Math.floor(event.offsetY / (ROW_MM * MM)), t = view.start + row * rowSeconds() + event.offsetX / (view.speed * MM);
      const k = search(t), nearest = k > 0 && (k === n || t - time(k - 1) < time(k) - t) ? k - 1 : k;
      view.chosen = nearest < n && Math.abs(time(nearest) - t) < 0.5 ? nearest : -1;
      draw();
    }
    held = null;
  });
  const jump = (event) => { view.start = (event.offsetX / overview.clientWidth) * meta.seconds - (rowSeconds() * ROWS) / 2; draw(); };
  overview.addEventListener("pointerdown", (event) => { overview.setPointerCapture(event.pointerId); jump(event); });
  overview.addEventListener("pointermove", (event) => { if (event.buttons & 1) jump(event); });
  new ResizeObserver(() => draw()).observe(canvas.parentElement);
  $("viewer").hidden = false;
  draw();
})();
