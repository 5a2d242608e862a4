// Shows the recording and moves through it.

(async () => {
  const $ = (id) => document.getElementById(id);
  const meta = JSON.parse($("meta").textContent);
  const canvas = $("strip"), overview = $("overview"), status = $("status");
  if (!window.DecompressionStream) {
    status.textContent = "This browser cannot unpack the recording (it lacks DecompressionStream); see the strips below.";
    return;
  }
  const beats = await unpackBeats(meta), samples = unpackSignal(meta), paint = painter(meta, beats);
  const MM = 96 / 25.4, ROWS = 3, ROW = 46 * MM; // CSS pixels; lines; of a line
  const view = { start: 0, speed: 25, gain: 10, chosen: -1 }; // s, mm/s, mm/mV, beat
  const seconds = () => canvas.clientWidth / (view.speed * MM); // of a line
  const screen = () => ROWS * seconds();

  let turn = 0;
  async function draw() {
    view.start = Math.max(0, Math.min(view.start, meta.seconds - seconds()));
    const mine = ++turn, rows = [];
    for (let k = 0; k < ROWS; k++) {
      const start = view.start + k * seconds(), first = Math.max(0, Math.floor(start * meta.rate));
      rows.push({ start, first, signal: await samples(first, Math.ceil((start + seconds()) * meta.rate) + 1) });
      if (mine !== turn) return; // a newer view is being drawn
    }
    const pen = penOf(canvas, ROWS * ROW), pxs = view.speed * MM;
    rows.forEach(({ start, first, signal }, k) => {
      const some = [...signal.filter((value, i) => i % 16 === 0 && !Number.isNaN(value))].sort((a, b) => a - b);
      const level = some.length ? Math.round(2 * some[some.length >> 1]) / 2 : 0; // to a line of the paper
      const row = { start, level, pxs, pxmv: view.gain * MM, seconds: seconds(), top: k * ROW, height: ROW };
      Object.assign(row, { width: canvas.clientWidth, zero: row.top + 0.6 * ROW });
      paint.paper(pen, row);
      if (start >= meta.seconds) return;
      paint.bad(pen, start, row.seconds, pxs, row.top, ROW, true);
      paint.trace(pen, row, signal, first);
      paint.marks(pen, row, view.chosen);
      if (k === ROWS - 1) paint.scaleBar(pen, row);
      write(pen, clock(start), 5, row.top + ROW - 7, "left", "alphabetic", 12, "#5a5a5a");
    });
    $("scale").textContent = `${+view.speed.toPrecision(3)} mm/s · ${+view.gain.toPrecision(3)} mm/${meta.unit}`;
    paint.overview(overview, view.start, screen());
    describe(view.chosen);
  }

  function describe(k) {
    const many = (count) => count.toLocaleString("en");
    if (k < 0) {
      status.textContent = `${many(beats.n)} beats, ${many(beats.abnormal.length)} of them not normal`;
      return;
    }
    const letter = beats.letter(k), rr = beats.rr(k);
    const interval = rr > 0 ? ` · RR ${rr.toFixed(3)} s · ${Math.round(60 / rr)}/min` : "";
    const sure = Math.round(100 * beats.confidence(k));
    status.textContent = `${clock(beats.time(k), 2)} · ${letter}, ${meta.names[letter]} · ${sure} %${interval}`;
  }

  function go(start) {
    view.start = start;
    draw();
  }
  const show = (t) => go(t - seconds() / 3);
  function zoom(factor, x = canvas.clientWidth / 2) {
    const under = view.start + x / (view.speed * MM);
    view.speed = Math.max(0.5, Math.min(400, view.speed * factor));
    go(under - x / (view.speed * MM));
  }
  function scale(factor) {
    view.gain = Math.max(1, Math.min(80, view.gain * factor));
    draw();
  }
  function step(way) { // to the next abnormal beat or stretch without beats, or the one before
    const from = view.chosen >= 0 ? view.chosen : beats.from(view.start) - (way > 0 ? 1 : 0);
    const k = way > 0 ? beats.stops.find((b) => b > from) : beats.stops.findLast((b) => b < from);
    if (k === undefined) return;
    view.chosen = k;
    show(beats.time(k));
  }
  const actions = {
    back: () => go(view.start - screen()),
    on: () => go(view.start + screen()),
    previous: () => step(-1),
    next: () => step(1),
    out: () => zoom(1 / 1.5),
    in: () => zoom(1.5),
    flatter: () => scale(Math.SQRT1_2),
    taller: () => scale(Math.SQRT2),
    standard: () => {
      Object.assign(view, { speed: 25, gain: 10 });
      draw();
    },
  };
  for (const button of document.querySelectorAll("[data-do]")) {
    button.addEventListener("click", () => actions[button.dataset.do]());
  }
  for (const button of document.querySelectorAll("[data-at]")) {
    button.addEventListener("click", () => {
      view.chosen = +button.dataset.beat;
      show(+button.dataset.at);
      canvas.scrollIntoView({ block: "center", behavior: "smooth" });
    });
  }

  const keys = {
    ArrowLeft: () => go(view.start - seconds() / 4),
    ArrowRight: () => go(view.start + seconds() / 4),
    ArrowUp: actions.taller,
    ArrowDown: actions.flatter,
    PageUp: actions.back,
    PageDown: actions.on,
    Home: () => go(0),
    End: () => go(meta.seconds),
    "+": actions.in,
    "-": actions.out,
    n: actions.next,
    p: actions.previous,
  };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  canvas.addEventListener("wheel", (event) => {
    const zooms = event.ctrlKey || event.metaKey;
    if (!zooms && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return; // the page scrolls
    event.preventDefault();
    if (zooms) zoom(Math.exp(-event.deltaY / 300), event.offsetX);
    else go(view.start + event.deltaX / (view.speed * MM));
  }, { passive: false });

  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    held = { x: event.clientX, start: view.start, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    held.moved ||= Math.abs(event.clientX - held.x) > 3;
    if (held.moved) go(held.start - (event.clientX - held.x) / (view.speed * MM));
  });
  canvas.addEventListener("pointerup", (event) => {
    if (held && !held.moved) { // a click chooses the nearest beat
      const t = view.start + Math.floor(event.offsetY / ROW) * seconds() + event.offsetX / (view.speed * MM);
      const near = (b) => (b >= 0 && b < beats.n ? Math.abs(beats.time(b) - t) : Infinity);
      const after = beats.from(t), k = near(after - 1) < near(after) ? after - 1 : after;
      view.chosen = near(k) < 0.5 ? k : -1;
      draw();
    }
    held = null;
  });
  const jump = (event) => go((event.offsetX / overview.clientWidth) * meta.seconds - screen() / 2);
  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    jump(event);
  });
  overview.addEventListener("pointermove", (event) => event.buttons & 1 && jump(event));
  const resize = (width) => {
    canvas.style.width = overview.style.width = width;
    draw();
  };
  // In true size on A4 or Letter, landscape: 250 mm, in whole pixels, for Chromium prints fractions of one too small.
  addEventListener("beforeprint", () => resize(`${Math.round(250 * MM)}px`));
  addEventListener("afterprint", () => resize(""));
  new ResizeObserver(draw).observe(canvas.parentElement); // draws at once, too
})();
