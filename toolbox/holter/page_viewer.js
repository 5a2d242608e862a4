// Shows the recording: where, how fast, which leads, which beat.

const SPEEDS = [0.5, 400], GAINS = [1, 80]; // mm/s, mm/mV
const SHOWN = 3; // leads at first
const NEAR = 24; // px between a click and the beat that it means

function viewer(meta, beats, paint, paintOverview) {
  const canvas = $("strip"), overview = $("overview");
  const leads = meta.leads.map((lead, k) => ({ ...lead, read: unpackSignal(meta, k), on: k < SHOWN }));
  const view = { start: 0, speed: 25, gain: 10, chosen: -1, cursor: null }; // s, mm/s, mm/mV, beat, s
  const shown = () => leads.filter((lead) => lead.on);
  const height = () => (shown().length > 2 ? 34 : 46) * MM; // of a row
  const count = () => (shown().length > 2 || (printing && shown().length > 1) ? 1 : 4 - shown().length); // lines
  const seconds = () => canvas.clientWidth / (view.speed * MM); // of a line
  const screen = () => count() * seconds();

  let turn = 0;
  async function draw() {
    canvas.setAttribute("aria-busy", "true");
    view.start = Math.max(0, Math.min(view.start, meta.seconds - seconds()));
    const mine = ++turn, lines = await paint.rows(shown(), view, canvas.clientWidth, height(), count());
    if (mine !== turn) return; // a newer view is being drawn
    const pen = penOf(canvas, count() * shown().length * height());
    for (const own of lines) {
      own.rows.forEach((row) => paint.paper(pen, row));
      if (own.start >= meta.seconds) continue;
      paint.bad(pen, own.start, own.seconds, own.pxs, own.top, own.height, true);
      own.rows.forEach((row) => paint.trace(pen, row));
      own.rows.forEach((row) => paint.switched(pen, row));
      paint.lasting(pen, own);
      paint.marks(pen, own, view.chosen);
      if (view.cursor !== null) paint.cursor(pen, own, view.cursor);
      own.rows.forEach((row) => paint.label(pen, row.name, 5, row.top + 36, "bold"));
      paint.label(pen, clock(own.start) + timeOfDay(meta, own.start), 5, own.top + own.height - 11, "normal");
    }
    paint.scaleBar(pen, lines.at(-1).rows.at(-1));
    $("scale").textContent = `${+view.speed.toPrecision(3)} mm/s · ${+view.gain.toPrecision(3)} mm/${meta.unit}`;
    paintOverview(overview, view.start, screen());
    $("status").textContent = describe();
    canvas.setAttribute("aria-busy", "false");
  }

  function describe() {
    if (view.cursor !== null) return `${clock(view.cursor, 2)}${timeOfDay(meta, view.cursor)} · no beat here; a letter inserts one`;
    const k = view.chosen;
    if (!beats.n) return "No heartbeat could be read.";
    if (k < 0) return `${many(beats.n, "beat")}, ${beats.abnormal.length.toLocaleString("en")} of them not normal`;
    const letter = beats.letter(k), rr = beats.rr(k), sure = Math.round(100 * beats.confidence(k));
    const interval = rr > 0 ? ` · RR ${rr.toFixed(3)} s · ${Math.round(60 / rr)}/min` : "";
    const person = meta.corrected.includes(beats.sample(k)); // when the page was made
    const named = person ? "a person" : "the network", certainty = person ? "by a person" : `${sure} %`;
    const before = beats.origin(k) < 0 ? "inserted" : `${named}: ${beats.networkLetter(beats.sample(k))}${person ? "" : `, ${sure} %`}`;
    const by = beats.edited(k) ? `corrected (${before})` : certainty;
    return `${clock(beats.time(k), 2)}${timeOfDay(meta, beats.time(k))} · ${letter}, ${meta.names[letter] || ""} · ${by}${interval}`;
  }

  function go(start) {
    view.start = start;
    return draw();
  }
  const show = (t) => go(t - seconds() / 3);
  function choose(k) {
    view.chosen = k;
    view.cursor = null;
  }
  function zoom(factor, x = canvas.clientWidth / 2) {
    const under = view.start + x / (view.speed * MM);
    view.speed = Math.max(SPEEDS[0], Math.min(SPEEDS[1], view.speed * factor));
    return go(under - x / (view.speed * MM));
  }
  function scale(factor) {
    view.gain = Math.max(GAINS[0], Math.min(GAINS[1], view.gain * factor));
    return draw();
  }
  function visit(k) { // a beat: chosen, and in view
    choose(k);
    const t = beats.time(k);
    return t < view.start || t > view.start + screen() - 1 ? show(t) : draw();
  }
  function step(way) { // to the next abnormal beat or stretch without beats, or the one before
    if (!beats.n) return stepWithoutBeats(way);
    const at = view.cursor ?? view.start;
    const from = view.chosen >= 0 ? view.chosen : beats.from(at) - (way > 0 ? 1 : 0);
    const k = way > 0 ? beats.stops.find((b) => b > from) : beats.stops.findLast((b) => b < from);
    if (k !== undefined) visit(k);
  }
  function stepWithoutBeats(way) { // to the next stretch that has a name
    const starts = meta.lasting.map(([start]) => start), at = view.cursor ?? -1;
    const start = way > 0 ? starts.find((t) => t > at) : starts.findLast((t) => t < at);
    if (start === undefined) return;
    view.cursor = start;
    show(start);
  }
  function neighbour(way) { // the next beat of any class
    const first = beats.from(view.start) - (way > 0 ? 1 : 0), k = (view.chosen >= 0 ? view.chosen : first) + way;
    if (k >= 0 && k < beats.n) visit(k);
  }
  // What lies at a point of the canvas: {beat: its number} or {time: s}.
  function under(x, y) {
    const t = view.start + Math.floor(y / (height() * shown().length)) * seconds() + x / (view.speed * MM);
    const away = (b) => (b >= 0 && b < beats.n ? Math.abs(beats.time(b) - t) : Infinity);
    const after = beats.from(t), k = away(after - 1) < away(after) ? after - 1 : after;
    return away(k) * view.speed * MM < NEAR ? { beat: k } : { time: Math.max(0, Math.min(meta.seconds, t)) };
  }
  // The sample (the recording's own) of the highest deflection near a time, where a beat is inserted.
  async function peakNear(t) {
    const elsewhere = meta.switches.find(({ start, stop }) => start <= t && t < stop)?.lead;
    const { rate, read } = leads.find(({ name }) => name === elsewhere) || shown()[0], first = Math.max(0, Math.round((t - 0.3) * rate));
    const signal = await read(first, Math.round((t + 0.3) * rate) + 1), level = levelOf(signal);
    let best = -1, most = 0;
    signal.forEach((value, i) => {
      const at = (first + i) / rate;
      if (Math.abs(at - t) > 0.06 || !(Math.abs(value - level) > most)) return;
      [best, most] = [at, Math.abs(value - level)];
    });
    return Math.max(0, Math.min(meta.samples - 1, Math.round((best < 0 ? t : best) * meta.fs)));
  }
  const resize = (width, prints) => {
    canvas.style.width = overview.style.width = width;
    printing = prints;
    draw();
  };
  // In true size on A4 or Letter, landscape: 250 mm, in whole pixels, for Chromium prints fractions of one too small.
  addEventListener("beforeprint", () => resize(`${Math.round(250 * MM)}px`, true));
  addEventListener("afterprint", () => resize("", false));
  new ResizeObserver(draw).observe(canvas.parentElement); // draws at once, too

  const standard = () => {
    Object.assign(view, { speed: 25, gain: 10 });
    return draw();
  };
  return {
    canvas, overview, leads, view, seconds, screen, draw, go, show, choose, zoom, scale, visit, step, neighbour, under,
    peakNear, standard,
  };
}
