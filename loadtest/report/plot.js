'use strict';
// plot draws charts that share one time axis: phases as bands, marks as vertical lines, one cursor for all.
const plot = (() => {
  const root = document.documentElement, charts = [];
  // Who takes a picture asks for #picture-light or #picture-dark: nothing is shown that only helps on a screen.
  const still = location.hash.match(/^#picture-(light|dark)$/);
  if (still) { root.classList.add('still'); root.dataset.theme = still[1]; }
  const colour = name => getComputedStyle(root).getPropertyValue('--' + name).trim();
  const dpr = () => devicePixelRatio || 1;
  const font = size => size * dpr() + 'px system-ui, "DejaVu Sans", sans-serif';
  const clock = s => Math.floor(s / 60) + ':' + String(Math.floor(s % 60)).padStart(2, '0');
  const short = v => v == null ? '–' : v >= 100 ? v.toFixed(0) : v >= 10 ? +v.toFixed(1) + '' : +v.toFixed(2) + '';
  const latency = v => v == null ? '–' : v >= 1000 ? short(v / 1000) + ' s' : short(v) + ' ms';
  const margin = innerWidth < 640 ? 54 : 58; // of every y axis, so that all charts share one time axis
  let length = 1, phases = [], marks = [];

  // setup says how long the time axis is and what stands on it. A mark is {at, text, badge, tone, lane, chart}: its badge stands above the chart it names.
  const setup = given => { ({ length, phases, marks } = given); };

  // Phases as bands, every other one shaded; a chart with names says what they are called.
  const bands = named => u => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, 0, bbox.width, bbox.top + bbox.height);
    ctx.clip();
    phases.forEach((p, i) => {
      const from = Math.max(u.valToPos(p.from, 'x', true), bbox.left), to = Math.min(u.valToPos(Math.min(p.to, length), 'x', true), bbox.left + bbox.width);
      if (to <= from) return;
      if (i % 2 === 0) {
        ctx.fillStyle = colour('band');
        ctx.fillRect(from, bbox.top, to - from, bbox.height);
      }
      if (!named) return;
      ctx.fillStyle = colour('soft');
      ctx.font = font(12);
      ctx.textAlign = 'center';
      ctx.textBaseline = 'alphabetic';
      if (ctx.measureText(p.name).width < to - from) ctx.fillText(p.name, (from + to) / 2, bbox.top - 6 * dpr());
    });
    ctx.restore();
  };

  const dashes = { decision: [2, 4], event: [], reload: [6, 4] };

  // Every mark is a line through all charts; its badge stands above one of them.
  const lines = (id, lift) => u => {
    const { ctx, bbox } = u, r = 9 * dpr();
    let last = -Infinity, level = 0;
    ctx.save();
    for (const m of marks) {
      const x = Math.round(u.valToPos(m.at, 'x', true));
      if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
      ctx.strokeStyle = colour(m.tone);
      ctx.globalAlpha = (m.chart === id ? 1 : .6) * (marks.length > 16 ? .5 : 1);
      ctx.lineWidth = dpr();
      ctx.setLineDash(dashes[m.kind].map(v => v * dpr()));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.globalAlpha = 1;
      if (m.chart !== id) continue;
      level = x - last < 2.1 * r ? (level + 1) % 2 : 0; // neighbours that would overlap stand one above the other
      last = x;
      const y = bbox.top - lift * dpr() - r * (1.3 + 2.1 * level);
      ctx.setLineDash([]);
      ctx.fillStyle = colour(m.failed ? 'bad' : m.tone);
      ctx.beginPath();
      if (m.kind === 'decision') ctx.arc(x, y, r, 0, 2 * Math.PI);
      else ctx.roundRect(x - r, y - r * .95, 2 * r, 1.9 * r, 3 * dpr());
      ctx.fill();
      ctx.fillStyle = colour('card');
      ctx.font = 'bold ' + font(m.badge.length > 2 ? 9 : 11);
      ctx.textAlign = 'center';
      ctx.textBaseline = 'middle';
      ctx.fillText(m.badge, x, y + dpr() * .5);
    }
    ctx.restore();
  };

  // rows is how many rows of badges a chart needs above it.
  const rows = id => {
    const own = marks.filter(m => m.chart === id);
    return own.some((m, i) => i > 0 && (m.at - own[i - 1].at) / length < 20 / Math.min(innerWidth - 100, 1080)) ? 2 : own.length ? 1 : 0;
  };

  // A failed request must be seen, also one of a thousand: every second that has one gets a red foot.
  const feet = counts => u => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.fillStyle = colour('bad');
    counts.forEach((n, i) => {
      const from = u.valToPos(i, 'x', true), to = u.valToPos(i + 1, 'x', true);
      if (!n || to < bbox.left || from > bbox.left + bbox.width) return;
      ctx.fillRect(from, bbox.top + bbox.height - 4 * dpr(), Math.max(to - from, 2 * dpr()), 4 * dpr());
    });
    ctx.restore();
  };

  const axis = extra => ({
    stroke: () => colour('soft'), font: '12px system-ui, "DejaVu Sans", sans-serif',
    grid: { stroke: () => colour('line'), width: 1 }, ticks: { show: false }, ...extra,
  });

  const line = (label, tone, extra) => ({
    label, tone, stroke: () => colour(tone), width: 1.75, points: { show: false }, value: (_, v) => short(v), spanGaps: false, ...extra,
  });

  // Ticks of a logarithmic axis: 1, 2, 5, 10 … or, over many decades, 1, 10, 100 …
  const decades = (min, max) => {
    const all = [];
    for (let e = Math.floor(Math.log10(min)); e <= Math.log10(max); e++) {
      for (const step of max / min > 500 ? [1] : [1, 2, 5]) all.push(+(step * 10 ** e).toPrecision(1));
    }
    return all.filter(v => v >= min && v <= max);
  };
  const logarithmic = {
    text: latency,
    scale: { distr: 3, range: (_, min, max) => min == null ? [1, 1000] : [min / 1.3, max * 1.3] },
    axis: { splits: (_, i, min, max) => decades(min, max), filter: (_, splits) => splits },
  };

  // figure makes room for a chart, with a title, what it shows, and a summary for those who do not see it.
  const figure = (into, title, about, note) => {
    const f = document.createElement('figure'), caption = document.createElement('figcaption'), strong = document.createElement('b');
    const what = document.createElement('span');
    what.className = 'what'; // makes room for the values while someone points at the charts
    what.textContent = about;
    strong.textContent = title;
    caption.append(strong, ' ', what);
    f.append(caption);
    into.append(f);
    if (note) {
      const p = document.createElement('p');
      p.className = 'hint';
      p.textContent = note;
      f.note = p;
    }
    return f;
  };

  const tip = document.createElement('div');
  tip.className = 'tip';
  tip.hidden = true;
  const said = document.createElement('p');
  said.className = 'unseen';
  said.setAttribute('aria-live', 'polite');
  document.body.append(tip, said);

  // point shows what the marks near a place say.
  const point = (u, left, near) => {
    const found = marks.filter(m => Math.abs(u.valToPos(m.at, 'x') - left) <= near).slice(0, 4);
    tip.hidden = found.length === 0;
    if (tip.hidden) return found;
    tip.replaceChildren(...found.map(m => {
      const p = document.createElement('p'), b = document.createElement('b');
      b.textContent = m.badge + '  ' + clock(m.at);
      p.append(b, ' ' + m.text);
      return p;
    }));
    const box = u.over.getBoundingClientRect(), wide = Math.min(380, innerWidth - 24);
    tip.style.maxWidth = wide + 'px';
    tip.style.left = scrollX + Math.max(12, Math.min(box.left + left + 14, innerWidth - wide - 12)) + 'px';
    tip.style.top = scrollY + box.top + 8 + 'px';
    return found;
  };

  // Arrow keys move the cursor of a chart that has the focus, as a mouse does, and say what stands there.
  const keys = u => {
    let i = -1;
    u.root.addEventListener('keydown', e => {
      const last = u.data[0].length - 1, step = { ArrowRight: 1, ArrowLeft: -1, PageUp: -10, PageDown: 10, Home: -1e9, End: 1e9 }[e.key];
      if (e.key === 'Escape') { zoom(0, length); return; }
      if (step == null) return;
      e.preventDefault();
      i = Math.max(0, Math.min(last, i + step));
      const left = u.valToPos(u.data[0][i], 'x');
      u.setCursor({ left, top: 10 }, true, true);
      const marked = point(u, left, 8).map(m => m.text);
      said.textContent = [clock(u.data[0][i]), ...u.series.slice(1).map((s, k) => s.label + ' ' + s.value(u, u.data[k + 1][i])), ...marked].join(', ');
    });
    u.root.addEventListener('blur', () => { tip.hidden = true; u.setCursor({ left: -10, top: -10 }, true, true); });
  };

  const zoom = (min, max) => charts.forEach(({ u, timed }) => timed && u.setScale('x', { min, max }));

  // chart draws data over time in a figure. Data begins with seconds; y says how its axis is written.
  const chart = (figure, id, height, data, series, y, hooks = {}) => {
    const lift = hooks.names ? 18 : 0, badges = 20 * rows(id);
    const timed = !hooks.x, width = () => figure.clientWidth - (innerWidth < 640 ? 12 : 24);
    const u = new uPlot({
      width: width(), height: height + lift + badges, padding: [10 + lift + badges, timed ? 18 : 34, 0, 0],
      scales: {
        x: hooks.x?.scale ?? { time: false, range: (u, min, max) => min == null || min === u.data[0][0] && max === u.data[0].at(-1) ? [0, length] : [min, max] },
        y: y.scale ?? { range: (_, min, max) => [0, Math.max((max ?? 0) * 1.08, 1)] },
      },
      axes: [
        axis({ size: 28, gap: 4, space: 60, ...(hooks.x?.axis ?? { values: (_, ticks) => ticks.map(clock), incrs: [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 1800] }) }),
        axis({ size: margin, values: (_, ticks) => ticks.map(v => v == null ? '' : y.text(v)), ...y.axis }),
      ],
      series: [{ label: timed ? 'at' : '', value: hooks.x?.value ?? ((_, v) => v == null ? '–' : clock(v)) }, ...series],
      legend: { mount: (_, legend) => figure.querySelector('figcaption').append(legend), markers: {
        fill: (u, i) => `var(--${u.series[i].tone})`, width: 0,
      } },
      cursor: { ...(timed ? { sync: { key: 'run', scales: ['x', null] } } : {}), drag: { x: timed, y: false }, points: { size: 6 } },
      hooks: {
        drawClear: timed ? [bands(hooks.names)] : [],
        draw: [...(timed ? [lines(id, lift)] : []), ...(hooks.draw ?? [])],
      },
    }, data, figure);
    if (figure.note) figure.append(figure.note);
    u.root.tabIndex = 0;
    u.root.setAttribute('role', 'img');
    u.root.setAttribute('aria-label', figure.querySelector('figcaption').firstChild.textContent + ': ' + (hooks.says ?? '') + ' Arrow keys move the cursor.');
    for (const [i, s] of series.entries()) if (s.dash) figure.querySelectorAll('.u-legend .u-series')[i + 1]?.querySelector('.u-marker').classList.add('dashed');
    if (timed) {
      u.over.addEventListener('mousemove', e => point(u, e.offsetX, 7));
      u.over.addEventListener('mouseleave', () => { tip.hidden = true; });
    }
    keys(u);
    charts.push({ u, timed, width, height: height + lift + badges });
  };

  const fit = wide => charts.forEach(({ u, width, height }) => u.setSize({ width: wide ?? width(), height }));
  const redraw = () => charts.forEach(({ u }) => u.redraw());

  // listen keeps the charts right when the window, the theme or the medium changes.
  const listen = () => {
    let wait;
    addEventListener('resize', () => { clearTimeout(wait); wait = setTimeout(fit, 50); });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
    // Paper is white and narrower than most screens.
    addEventListener('beforeprint', () => { tip.hidden = true; root.classList.add('print'); fit(680); });
    addEventListener('afterprint', () => { root.classList.remove('print'); fit(); });
    document.getElementById('reset')?.addEventListener('click', () => zoom(0, length));
    for (const row of document.querySelectorAll('[data-at]')) {
      row.addEventListener('mouseenter', () => charts.forEach(({ u, timed }) => timed && u.setCursor({ left: u.valToPos(+row.dataset.at, 'x'), top: -10 }, false)));
      row.addEventListener('mouseleave', () => charts.forEach(({ u, timed }) => timed && u.setCursor({ left: -10, top: -10 }, false)));
    }
    addEventListener('load', () => { // for who takes a picture: all is drawn
      root.dataset.charts = charts.length;
      root.dataset.height = root.scrollHeight;
      const shown = document.querySelector('section.charts');
      root.dataset.seconds = Math.ceil(shown ? shown.getBoundingClientRect().bottom + scrollY : root.scrollHeight);
    });
    const button = document.getElementById('theme'), dark = matchMedia('(prefers-color-scheme: dark)');
    const now = () => root.dataset.theme ?? (dark.matches ? 'dark' : 'light');
    button?.addEventListener('click', () => {
      root.dataset.theme = now() === 'dark' ? 'light' : 'dark';
      redraw();
    });
  };

  // quantiles draws distributions: the share of requests that is slower than a latency, ten times less with each step.
  const quantiles = (figure, curves) => {
    const shares = [...new Set(curves.flatMap(c => c.curve.map(q => q[0])))].filter(q => q < 100).sort((a, b) => a - b);
    if (shares.length < 3) { figure.remove(); return; }
    const nines = q => Math.max(-Math.log10(1 - q / 100), 0), ends = shares.map(nines);
    const label = v => +(100 - 100 / 10 ** v).toFixed(4) + ' %';
    const data = curves.map(c => {
      const at = new Map(c.curve);
      return shares.map(q => at.has(q) ? Math.max(at.get(q), .01) : null);
    });
    chart(figure, 'quantiles', 220, [ends, ...data], curves.map(c => line(c.name, c.tone, { value: (_, v) => latency(v), spanGaps: true, dash: c.dash, width: c.width ?? 1.75, points: { show: false } })), logarithmic, {
      says: 'latency by share of requests.',
      x: {
        scale: { time: false, range: [0, Math.max(...ends)] },
        axis: { splits: () => [0, ...(innerWidth < 640 ? [] : [50]), 90, 99, 99.9, 99.99, 99.999].map(nines).filter(v => v <= Math.max(...ends)), filter: (_, s) => s, values: (_, ticks) => ticks.map(label) },
        value: (_, v) => v == null ? '–' : label(v),
      },
    });
  };

  return { setup, figure, chart, line, feet, quantiles, logarithmic, short, latency, clock, listen, colour };
})();
