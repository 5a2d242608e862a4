// Moves through the recording: buttons, keys, mouse and fingers.

// Runs the action of a key pressed anywhere on the page, but where text is entered.
function onKeys(keys) {
  addEventListener("keydown", (event) => {
    const writes = event.target.closest?.("input:not([type=checkbox]):not([type=file]), select");
    const run = keys[event.key] || (event.key.length === 1 ? keys[event.key.toLowerCase()] : undefined);
    if (!run || writes || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    run();
  });
}

function navigation(meta, beats, show) {
  const { canvas, overview, view, seconds, screen, go, zoom, scale } = show;
  const actions = {
    back: () => go(view.start - screen()),
    on: () => go(view.start + screen()),
    previous: () => show.step(-1),
    next: () => show.step(1),
    out: () => zoom(1 / 1.5),
    in: () => zoom(1.5),
    flatter: () => scale(Math.SQRT1_2),
    taller: () => scale(Math.SQRT2),
    standard: show.standard,
  };
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
    0: actions.standard,
    n: actions.next,
    p: actions.previous,
    ",": () => show.neighbour(-1),
    ".": () => show.neighbour(1),
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.do) actions[button.dataset.do]();
    if (!button?.dataset.at) return;
    const k = beats.atOrigin(+button.dataset.beat);
    show.choose(k);
    show.show(+button.dataset.at);
    canvas.scrollIntoView({ block: "center", behavior: "smooth" });
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
  canvas.addEventListener("pointercancel", () => { held = null; });
  canvas.addEventListener("pointerup", (event) => {
    if (held && !held.moved) { // a click chooses the nearest beat, or a place
      const { beat, time } = show.under(event.offsetX, event.offsetY);
      show.choose(beat ?? -1);
      view.cursor = time ?? null;
      show.draw();
    }
    held = null;
  });
  const jump = (event) => go((event.offsetX / overview.clientWidth) * meta.seconds - screen() / 2);
  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    jump(event);
  });
  overview.addEventListener("pointermove", (event) => event.buttons & 1 && jump(event));
  return keys;
}

// The leads, each to be hidden and shown; the last one stays.
function leadToggles(show) {
  if (show.leads.length < 2) return;
  $("leads").append("Leads:", ...show.leads.map((lead) => {
    const box = element("input", { type: "checkbox", ...(lead.on ? { checked: "" } : {}) });
    box.addEventListener("change", () => {
      if (!box.checked && show.leads.filter(({ on }) => on).length === 1) box.checked = true;
      lead.on = box.checked;
      show.draw();
    });
    return element("label", {}, box, ` ${lead.name}`);
  }));
}

// s of a time as it is written: seconds, m:ss or h:mm:ss; of a time of day, h:mm or h:mm:ss. NaN if it is none.
function parseTime(text, ofDay) {
  const parts = text.trim().split(":").map((part) => (/^\d+(\.\d*)?$/.test(part) ? +part : NaN));
  if (parts.length > 3 || parts.some(Number.isNaN)) return NaN;
  while (ofDay && parts.length < 3) parts.push(0);
  return parts.reduce((sum, part) => 60 * sum + part, 0);
}

// The next moment of the recording after `from` at which it is `timeOfDay` s from midnight, else the first.
function nextAt(meta, timeOfDay, from) {
  const first = (timeOfDay - meta.clock + 2 * 86400) % 86400;
  const next = first + 86400 * Math.max(0, Math.floor((from - first) / 86400) + 1);
  return next <= meta.seconds ? next : first;
}

// Shows the time that the page's address ends in, as "#t=93.5" (s): other pages link to a beat so.
function goToAddress(meta, show) {
  const go = () => {
    const t = +(location.hash.match(/^#t=(\d+(?:\.\d+)?)$/)?.[1] ?? NaN);
    if (!(t <= meta.seconds)) return;
    show.view.cursor = t;
    show.show(t);
    $("strip").scrollIntoView({ block: "center" });
  };
  addEventListener("hashchange", go);
  go();
}

function goToTime(meta, show) {
  $("time-kind")?.addEventListener("change", () => $("time").focus());
  $("goto").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = $("time"), ofDay = Boolean($("time-kind")?.value), written = parseTime(field.value, ofDay);
    const t = ofDay ? nextAt(meta, written, show.view.cursor ?? -1) : written, fits = t >= 0 && t <= meta.seconds;
    field.setAttribute("aria-invalid", !fits);
    const end = meta.seconds, range = ofDay
      ? `${timeOfDay(meta, 0).slice(3)} to ${timeOfDay(meta, end).slice(3)}` : `${clock(0)} to ${clock(end)}`;
    $("status").textContent = `${field.value}: expected h:mm:ss from ${range}`;
    if (!fits) return;
    show.choose(-1);
    show.view.cursor = t;
    show.show(t);
    field.blur(); // keys move again
  });
}
