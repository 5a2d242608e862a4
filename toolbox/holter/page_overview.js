// The whole recording: heart rate, burden of S and V, what cannot be judged, and the part that is shown.

const OVERVIEW = 150, RATES = 80, LABELS = 16; // px: all, the curve of the rate, the times below
const ON_PAPER = { color: "#5b6570", backgroundColor: "#f4f6f8", getPropertyValue: () => "" }; // of dark pages, too

function overviewPainter(meta, beats, paint) {
  // Of each bin of `wide` pixels: the sum of RR intervals and their number, beats, S and V.
  function bins(width, wide) {
    const n = Math.ceil(width / wide) + 1, per = (width / meta.seconds) / wide;
    const all = { sum: new Float64Array(n), rr: new Uint32Array(n), beats: new Uint32Array(n) };
    const of = { S: new Uint32Array(n), V: new Uint32Array(n) };
    for (let k = 0; k < beats.n; k++) {
      const bin = Math.min(n - 1, Math.floor(beats.time(k) * per)), interval = beats.rr(k), letter = beats.letter(k);
      all.beats[bin]++;
      if (of[letter]) of[letter][bin]++;
      if (letter === "A") of.V[bin]++;
      if (interval > 0) {
        all.sum[bin] += interval;
        all.rr[bin]++;
      }
    }
    return { ...all, ...of, n };
  }

  // Words at the right edge, with an outline of the ground's colour: the curve below goes on to the edge.
  function label(pen, words, x, y, style) {
    pen.save();
    pen.font = `11px ${FONT}`;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    pen.strokeStyle = style.backgroundColor;
    pen.lineWidth = 4;
    pen.lineJoin = "round";
    pen.strokeText(words, x, y);
    pen.restore();
    write(pen, words, x, y, "right", "middle", 11, style.color);
  }

  function rates(pen, style, width) {
    const { sum, rr, n } = bins(width, 1), pxs = width / meta.seconds, low = 30, high = meta.highest;
    const y = (rate) => RATES - 4 - ((Math.min(high, Math.max(low, rate)) - low) / (high - low)) * (RATES - 14);
    pen.beginPath();
    const most = Math.max(1, 10 * pxs); // columns without a beat that the curve goes across: 10 s
    for (let x = 0, drawn = false, empty = 0; x < n; x++) {
      if (!rr[x]) {
        drawn = drawn && ++empty <= most;
        continue;
      }
      empty = 0;
      if (drawn) pen.lineTo(x, y((60 * rr[x]) / sum[x]));
      else pen.moveTo(x, y((60 * rr[x]) / sum[x]));
      drawn = true;
    }
    pen.strokeStyle = style.color;
    pen.lineWidth = 1.2;
    pen.lineJoin = "round";
    pen.stroke();
    for (let rate = 50; rate < high; rate += 50) {
      pen.globalAlpha = 0.25;
      pen.beginPath();
      line(pen, 0, y(rate), width, y(rate));
      pen.stroke();
      pen.globalAlpha = 1;
      label(pen, rate + "/min", width - 3, y(rate), style);
    }
  }

  // The share of V upwards and of S downwards from a line, full height at the greatest share of either.
  function burden(pen, style, width) {
    const wide = 4, { beats: all, S, V, n } = bins(width, wide), half = (OVERVIEW - LABELS - RATES) / 2 - 2;
    const zero = RATES + half + 2, least = 20; // beats of a bin that stand for themselves
    let greatest = 0.02;
    for (let k = 0; k < n; k++) greatest = Math.max(greatest, V[k] / Math.max(all[k], least), S[k] / Math.max(all[k], least));
    for (let k = 0; k < n; k++) {
      const height = (count) => (count ? Math.max(1, half * Math.min(1, count / Math.max(all[k], least) / greatest)) : 0);
      pen.fillStyle = meta.colours.V;
      pen.fillRect(k * wide, zero - height(V[k]), wide - 1, height(V[k]));
      pen.fillStyle = meta.colours.S;
      pen.fillRect(k * wide, zero + 1, wide - 1, height(S[k]));
    }
    pen.strokeStyle = style.color;
    pen.globalAlpha = 0.4;
    pen.beginPath();
    line(pen, 0, zero + 0.5, width, zero + 0.5);
    pen.stroke();
    pen.globalAlpha = 1;
    const upper = meta.letters.includes("A") ? "A" : "V", percent = `${Math.round(100 * greatest)} %`;
    label(pen, `▲ ${upper} ${percent}`, width - 3, zero - half / 2, style);
    if (upper === "V") label(pen, `▼ S ${percent}`, width - 3, zero + half / 2 + 2, style);
  }

  // Rhythms that last and stretches without beats: bars along the upper edge.
  function lasting(pen, style, width) {
    const pxs = width / meta.seconds;
    for (const [start, stop, , short] of meta.lasting) {
      pen.fillStyle = style.color;
      pen.fillRect(start * pxs, 2, Math.max(1.5, (stop - start) * pxs), 5);
      if (short && (stop - start) * pxs > 7 * short.length) {
        write(pen, short, (start + stop) / 2 * pxs, 14, "center", "middle", 11, style.color, "bold");
      }
    }
  }

  function times(pen, style, width) {
    const pxs = width / meta.seconds, steps = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14400, 43200];
    const every = steps.find((s) => s * pxs > 70) || 86400;
    for (let t = 0; t < meta.seconds - 30 / pxs; t += every) {
      write(pen, clock(t), t * pxs, OVERVIEW - 7, t ? "center" : "left", "middle", 11, style.color);
    }
  }

  return (canvas, start, shown) => {
    const pen = penOf(canvas, OVERVIEW), width = canvas.clientWidth, base = OVERVIEW - LABELS;
    const style = printing ? ON_PAPER : getComputedStyle(canvas), pxs = width / meta.seconds;
    pen.fillStyle = style.backgroundColor;
    pen.fillRect(0, 0, width, OVERVIEW);
    paint.bad(pen, 0, meta.seconds, pxs, 0, base, false);
    rates(pen, style, width);
    burden(pen, style, width);
    lasting(pen, style, width);
    pen.strokeStyle = style.getPropertyValue("--accent").trim() || meta.accent;
    pen.lineWidth = 2;
    pen.strokeRect(start * pxs + 1, 1, Math.max(3, Math.min(shown, meta.seconds - start) * pxs - 2), base - 2);
    times(pen, style, width);
  };
}
