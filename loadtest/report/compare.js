'use strict';
// The page of several runs: runs is a list of {name, result}.
(() => {
  const tones = ['blue', 'amber', 'teal', 'violet', 'pink', 'grey', 'good', 'bad'], dashes = [undefined, [8, 3], [3, 3], [10, 3, 2, 3]];
  const length = Math.max(1, ...runs.map(r => r.result.seconds.length));
  const starts = Array.from({ length }, (_, i) => i), middles = starts.map(i => i + 0.5);
  const pad = series => starts.map(i => series?.[i] ?? null);
  const known = series => !!series?.some(v => v != null);
  const into = document.getElementById('charts'), stepped = uPlot.paths.stepped({ align: 1 });
  const phases = runs[0].result.phases.map(p => ({ name: p.name, from: p.from, to: p.to }));
  plot.setup({ length, phases, marks: [] });

  const draw = (title, about, height, xs, pick, extra, y, hooks = {}) => {
    const data = runs.map(pick).map(pad);
    if (!data.some(known)) return;
    plot.chart(plot.figure(into, title, about), title, height, [xs, ...data],
      runs.map((r, i) => plot.line(r.name, tones[i % 8], { dash: dashes[i % 4], ...extra })), y, { says: `of ${runs.length} runs.`, ...hooks });
  };
  const column = name => ({ result: r }) => r.seconds.map(s => s[name]);
  const positive = name => ({ result: r }) => r.seconds.map(s => s[name] == null ? null : Math.max(s[name], 0.01));
  const busy = name => ({ result: r }) => r.seconds.map((s, i) => i < r.loadSeconds ? s[name] ?? 0 : null);
  const write = { value: (_, v) => plot.latency(v) }, count = { value: (_, v) => v ?? '–' };
  const steps = { text: String, axis: { incrs: [1, 2, 5, 10, 20, 50, 100, 500, 1000], space: 20 }, scale: { range: (_, min, max) => [0, (max ?? 0) + 0.6] } };
  const per = { text: v => v >= 10000 ? v / 1000 + ' k' : String(v) };

  draw('Answered', 'requests per second', 160, middles, busy('ok'), count, per, { names: true });
  if (runs.some(r => r.result.total.failed)) draw('Failed', 'requests per second', 90, middles, busy('failed'), count, per);
  draw('Latency p99', 'from when requests were due, by the second in which they were', 180, middles, positive('p99'), write, plot.logarithmic);
  draw('Latency p50', 'from when requests were due', 130, middles, positive('p50'), write, plot.logarithmic);
  draw('Held connections', 'open at the end of each second', 100, starts, column('held'), { ...count, paths: stepped }, { text: String });
  for (const name of new Set(runs.flatMap(r => r.result.services.map(s => s.name)))) {
    const service = r => r.result.services.find(s => s.name === name);
    draw('Connections of ' + name, 'at its backends', 130, middles, r => service(r)?.connections, {}, { text: plot.short });
    draw('Replicas of ' + name, 'running', 130, starts, r => service(r)?.running, { ...count, paths: stepped, width: 2 }, steps);
  }
  const dist = document.getElementById('distribution');
  plot.quantiles(plot.figure(dist, 'Latency', 'by share of the requests that were at least as fast, each step of the axis a tenth of what was left'),
    runs.map((r, i) => ({ name: r.name, curve: r.result.curve ?? [], tone: tones[i % 8], dash: dashes[i % 4] })).filter(c => c.curve.length));
  if (!dist.querySelector('figure')) dist.remove();
  plot.listen();
})();
