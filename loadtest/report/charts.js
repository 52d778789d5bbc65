'use strict';
(() => {
  const seconds = result.seconds, length = Math.max(seconds.length, 1);
  const middles = seconds.map((_, i) => i + 0.5), starts = seconds.map((_, i) => i);
  const column = name => seconds.map(s => s[name] ?? null);
  const known = name => seconds.some(s => s[name] != null);
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const clock = s => Math.floor(s / 60) + ':' + String(Math.floor(s % 60)).padStart(2, '0');
  const short = v => v == null ? '–' : v >= 100 ? v.toFixed(0) : v >= 10 ? +v.toFixed(1) + '' : +v.toFixed(2) + '';
  const latency = v => v == null ? '–' : v >= 1000 ? short(v / 1000) + ' s' : short(v) + ' ms';
  const changes = result.decisions.filter(d => d.from !== d.to);
  const dpr = () => devicePixelRatio || 1;
  const margin = innerWidth < 640 ? 52 : 56; // of every y axis, so that all charts share one time axis

  const phases = [...result.phases];
  const end = Math.max(0, ...phases.map(p => p.to));
  if (length - end > 2) phases.push({ name: 'after', from: end, to: length });

  // Phases as bands, every other one shaded; the first chart says their names.
  const bands = named => u => {
    const { ctx, bbox } = u;
    ctx.save();
    phases.forEach((p, i) => {
      const from = u.valToPos(p.from, 'x', true), to = u.valToPos(Math.min(p.to, length), 'x', true);
      if (to <= from) return;
      if (i % 2 === 0) {
        ctx.fillStyle = colour('band');
        ctx.fillRect(from, bbox.top, to - from, bbox.height);
      }
      if (named) {
        ctx.fillStyle = colour('soft');
        ctx.font = 12 * dpr() + 'px system-ui, "DejaVu Sans", sans-serif';
        ctx.textAlign = 'center';
        if (ctx.measureText(p.name).width < to - from) ctx.fillText(p.name, (from + to) / 2, bbox.top - 6 * dpr());
      }
    });
    ctx.restore();
  };

  // A line through every chart for each change of replicas; the last chart says their numbers.
  const marks = numbered => u => {
    const { ctx, bbox } = u, r = 9 * dpr();
    let last = -Infinity, level = 0;
    ctx.save();
    changes.forEach((d, i) => {
      const x = Math.round(u.valToPos(d.at, 'x', true));
      ctx.strokeStyle = colour('grey');
      ctx.lineWidth = dpr();
      ctx.setLineDash([2 * dpr(), 4 * dpr()]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      if (!numbered) return;
      level = x - last < 2 * r ? (level + 1) % 2 : 0; // neighbours that would overlap stand one above the other
      last = x;
      const y = bbox.top - r * (1.4 + 2 * level);
      ctx.setLineDash([]);
      ctx.fillStyle = colour('soft');
      ctx.beginPath();
      ctx.arc(x, y, r, 0, 2 * Math.PI);
      ctx.fill();
      ctx.fillStyle = colour('card');
      ctx.font = 'bold ' + 11 * dpr() + 'px system-ui, "DejaVu Sans", sans-serif';
      ctx.textAlign = 'center';
      ctx.textBaseline = 'middle';
      ctx.fillText(i + 1, x, y + dpr() * 0.5);
    });
    ctx.restore();
  };

  // A failed request must be seen, also one of a thousand: every second that has one gets a red foot.
  const feet = u => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.fillStyle = colour('bad');
    seconds.forEach((s, i) => {
      if (!s.failed) return;
      const from = u.valToPos(i, 'x', true), to = u.valToPos(i + 1, 'x', true);
      ctx.fillRect(from, bbox.top + bbox.height - 4 * dpr(), Math.max(to - from, 2 * dpr()), 4 * dpr());
    });
    ctx.restore();
  };

  const axis = extra => ({
    stroke: () => colour('soft'), font: '12px system-ui, "DejaVu Sans", sans-serif',
    grid: { stroke: () => colour('line'), width: 1 }, ticks: { show: false }, ...extra,
  });

  const line = (label, name, extra) => ({
    label, tone: name, stroke: () => colour(name), width: 1.75, points: { show: false }, value: (_, v) => short(v), spanGaps: false, ...extra,
  });

  const charts = [];
  const chart = (id, height, data, series, y, hooks = {}, top = 10) => {
    const figure = document.getElementById(id);
    const u = new uPlot({
      width: figure.clientWidth - 24, height, padding: [top, 12, 0, 0],
      scales: { x: { time: false, range: [0, length] }, y: y.scale ?? { range: (_, min, max) => [0, Math.max(max * 1.08, 1)] } },
      axes: [
        axis({ size: 28, gap: 4, values: (_, ticks) => ticks.map(clock), incrs: [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 1800], space: 60 }),
        axis({ size: margin, values: (_, ticks) => ticks.map(v => v == null ? '' : y.text(v)), ...y.axis }),
      ],
      series: [{ label: 'at', value: (_, v) => v == null ? '–' : clock(v) }, ...series],
      legend: { mount: (_, legend) => figure.querySelector('figcaption').append(legend), markers: { fill: (u, i) => `var(--${u.series[i].tone})`, width: 0 } },
      cursor: { sync: { key: 'run', scales: ['x', null] }, drag: { x: true, y: false }, points: { size: 6 } },
      hooks: { drawClear: [bands(hooks.names)], draw: [marks(hooks.numbers), ...(hooks.draw ?? [])] },
    }, data, figure);
    charts.push({ u, figure, height });
  };

  // Ticks of a logarithmic axis: 1, 2, 5, 10 … or, over many decades, 1, 10, 100 …
  const decades = (min, max) => {
    const all = [];
    for (let e = Math.floor(Math.log10(min)); e <= Math.log10(max); e++) {
      for (const step of max / min > 500 ? [1] : [1, 2, 5]) all.push(+(step * 10 ** e).toPrecision(1));
    }
    return all.filter(v => v >= min && v <= max);
  };

  const drawAll = () => {
    const failing = result.total.failed > 0;
    const busy = name => seconds.map((s, i) => i < result.loadSeconds ? s[name] : null);
    chart('rate', 170, [middles, busy('asked'), busy('ok'), ...(failing ? [busy('failed')] : [])], [
      line('asked', 'grey', { width: 1.5, dash: [5, 4] }),
      line('answered', 'blue', { fill: () => colour('blue-fill') }),
      ...(failing ? [line('failed', 'bad')] : []),
    ], { text: v => v >= 10000 ? v / 1000 + ' k' : String(v) }, { names: true, draw: [feet] }, 24);

    const positive = name => column(name).map(v => v == null ? null : Math.max(v, 0.01));
    const p50 = positive('p50'), p99 = positive('p99');
    const values = p50.concat(p99).filter(v => v != null);
    const wide = values.length > 0 && Math.max(...values) > 20 * Math.min(...values);
    chart('latency', 180, [middles, p99, p50, positive('service99')], [
      line('p99', 'violet', { value: (_, v) => latency(v) }),
      line('p50', 'blue', { value: (_, v) => latency(v) }),
      line('p99 from sent', 'grey', { value: (_, v) => latency(v), width: 1.5, dash: [5, 4] }),
    ], {
      text: latency,
      scale: wide ? { distr: 3, range: (_, min, max) => [min / 1.3, max * 1.3] } : undefined,
      axis: wide ? { splits: (_, i, min, max) => decades(min, max), filter: (_, splits) => splits } : undefined,
    });

    if (known('connections')) {
      const lines = [line('mean', 'pink')], data = [middles, column('connections')];
      if (seconds.some(s => s.queue > 0)) {
        lines.push(line('queue', 'amber'));
        data.push(column('queue'));
      }
      chart('connections', 130, data, lines, { text: short });
    } else document.getElementById('connections').remove();

    if (known('running')) {
      const stepped = uPlot.paths.stepped({ align: 1 });
      const rows = changes.some((d, i) => i > 0 && (d.at - changes[i - 1].at) / length < 0.02) ? 2 : 1;
      chart('replicas', 150 + 18 * rows, [starts, column('running'), column('desired')], [
        line('running', 'teal', { paths: stepped, fill: () => colour('teal-fill'), width: 2, value: (_, v) => v ?? '–' }),
        line('wanted', 'amber', { paths: stepped, width: 1.5, dash: [4, 3], value: (_, v) => v ?? '–' }),
      ], {
        text: String, axis: { incrs: [1, 2, 5, 10, 20, 50, 100, 500, 1000], space: 20 },
        scale: { range: (_, min, max) => [0, max + 0.6] },
      }, { numbers: true }, changes.length ? 8 + 18 * rows : 10);
    } else document.getElementById('replicas').remove();
  };

  const fit = width => charts.forEach(({ u, figure, height }) => u.setSize({ width: width ?? figure.clientWidth - 24, height }));
  drawAll();
  let wait;
  addEventListener('resize', () => { clearTimeout(wait); wait = setTimeout(fit, 50); });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => charts.forEach(({ u }) => u.redraw()));
  // Paper is white and narrower than most screens.
  addEventListener('beforeprint', () => { document.documentElement.classList.add('print'); fit(680); });
  addEventListener('afterprint', () => { document.documentElement.classList.remove('print'); fit(); });
})();
