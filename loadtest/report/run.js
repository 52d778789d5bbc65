'use strict';
// The page of one run: result is what result.json holds, letters are the marks' badges in the order of the tables.
(() => {
  const { seconds, services, proxies } = result, length = Math.max(seconds.length, 1);
  const middles = seconds.map((_, i) => i + 0.5), starts = seconds.map((_, i) => i);
  const column = name => seconds.map(s => s[name] ?? null);
  const pad = series => seconds.map((_, i) => series?.[i] ?? null);
  const known = series => !!series?.some(v => v != null);
  const some = series => !!series?.some(v => v > 0);
  const most = series => Math.max(0, ...series.filter(v => v != null));
  const into = document.getElementById('charts'), several = services.length > 1;

  const phases = result.phases.map(p => ({ name: p.name, from: p.from, to: p.to }));
  const end = Math.max(0, ...phases.map(p => p.to));
  if (length - end > 2) phases.push({ name: 'after', from: end, to: length });

  const scaled = services.filter(s => known(s.running)).map(s => 'replicas ' + s.name);
  const marks = [
    ...result.decisions.filter(d => d.from !== d.to).map((d, i) => ({
      at: d.at, kind: 'decision', tone: 'soft', badge: String(i + 1), text: (several ? d.service + ' ' : '') + d.from + ' → ' + d.to + ': ' + d.reason,
      chart: scaled.includes('replicas ' + d.service) ? 'replicas ' + d.service : scaled[0],
    })),
    ...result.marks.map((m, i) => ({
      at: m.at, kind: 'event', tone: 'amber', badge: letters[i], failed: !!m.error, chart: 'rate', text: m.name + (m.error ? ' failed: ' + m.error : m.outcome ? ': ' + m.outcome : ''),
    })),
    ...proxies.flatMap(p => p.reloads.map(r => ({
      at: r.at, kind: 'reload', tone: 'blue', badge: 'R', chart: 'workers', text: 'reload' + (proxies.length > 1 ? ' of ' + p.instance : '') + ': ' + r.reason,
    }))),
  ].sort((a, b) => a.at - b.at);
  plot.setup({ length, phases, marks });

  const { line, chart, figure } = plot, stepped = uPlot.paths.stepped({ align: 1 });
  const busy = name => seconds.map((s, i) => i < result.loadSeconds ? s[name] ?? 0 : null);
  const count = { value: (_, v) => v ?? '–' };
  const per = v => v >= 10000 ? v / 1000 + ' k' : String(v);

  // What should not happen is drawn where it does: a line along zero would say nothing, and hide what is there.
  const rare = (label, tone, dash) => line(label, tone, { width: 2, dash, points: { show: true, size: 6, fill: () => plot.colour(tone), stroke: () => plot.colour(tone) } });

  const rate = () => {
    const lines = [line('asked', 'grey', { width: 1.5, dash: [5, 4] }), line('answered', 'blue', { fill: () => plot.colour('blue-fill') })];
    const data = [middles, busy('asked'), busy('ok')];
    const late = seconds.some(s => s.sent !== s.asked);
    if (late) { lines.push(line('sent', 'teal', { width: 1.25 })); data.push(busy('sent')); }
    for (const [name, label, tone, dash] of [['status4xx', '4xx', 'amber', [7, 3]], ['status5xx', '5xx', 'bad'], ['noAnswer', 'no answer', 'violet', [2, 2]]]) {
      if (!seconds.some(s => s[name])) continue;
      lines.push(rare(label, tone, dash));
      data.push(busy(name).map(n => n || null));
    }
    const f = figure(into, 'Requests', 'per second: asked when due, answered when they ended');
    chart(f, 'rate', 170, data, lines, { text: per }, {
      names: true, draw: [plot.feet(column('failed'))], says: `at most ${most(busy('asked'))} asked and ${most(busy('ok'))} answered in a second, ${result.total.failed} failed in all.`,
    });
  };

  const latencies = () => {
    const positive = name => column(name).map(v => v == null ? null : Math.max(v, 0.01));
    const write = { value: (_, v) => plot.latency(v) };
    const data = [middles, ...['max', 'p99', 'p90', 'p50', 'service99'].map(positive)];
    if (!data.slice(1).some(known)) return;
    const closed = result.phases.some(p => p.users);
    const f = figure(into, 'Latency', 'from when requests were due, by the second in which they were',
      'A request that a slow service holds up still counts from when it was due, so waiting shows here and not in a lower rate. '
      + '“p99 from sent” is what a client would report that waits for its server: where the two part, requests waited before they were sent.'
      + (closed ? ' In a closed loop nothing is due, and both are the same.' : ''));
    chart(f, 'latency', 190, data, [
      line('max', 'grey', { ...write, width: 1, dash: [2, 3] }), line('p99', 'violet', { ...write, width: 2 }), line('p90', 'pink', { ...write, width: 1.25 }), line('p50', 'blue', write),
      line('p99 from sent', 'teal', { ...write, width: 1.25, dash: [6, 4] }),
    ], plot.logarithmic, { says: `p50 ${plot.latency(result.total.latency.p50)}, p99 ${plot.latency(result.total.latency.p99)} in all.` });
  };

  const held = () => {
    if (!known(column('held'))) return;
    const f = figure(into, 'Held connections', 'open at the end of each second; a red foot is one that was lost or refused');
    chart(f, 'held', 100, [starts, column('held')], [line('open', 'teal', { ...count, paths: stepped, fill: () => plot.colour('teal-fill'), width: 2 })], { text: String },
      { draw: [plot.feet(column('lost'))], says: `at most ${most(column('held'))} open.` });
  };

  const tones = ['pink', 'blue', 'teal', 'amber', 'violet', 'soft'];
  const connections = s => {
    if (!known(s.connections)) return;
    const named = several ? ' of ' + s.name : '', parts = s.backends.length > 1 && s.backends.length <= 5;
    const lines = [line(parts ? 'all' : 'mean', 'pink', { width: 2 })], data = [middles, pad(s.connections)];
    if (parts) s.backends.forEach((b, i) => {
      lines.push(line(b.name, tones[i + 1], { width: 1.25 }));
      data.push(pad(b.connections));
    });
    else if (known(s.connectionsMax)) { lines.push(line('highest', 'pink', { width: 1, dash: [2, 3] })); data.push(pad(s.connectionsMax)); }
    if (some(s.queue)) { lines.push(line('queue', 'amber', { width: 2, fill: () => plot.colour('amber-fill') })); data.push(pad(s.queue)); }
    const target = s.policy?.targets?.find(t => t.metric === 'sessions')?.value;
    let about = 'at the backends' + (some(s.queue) ? ', and requests that waited for one' : '');
    if (target && known(s.running)) {
      lines.push(line('target × replicas', 'grey', { width: 1.5, dash: [6, 4], paths: stepped }));
      data.push(pad(s.running).map(n => n == null ? null : n * target));
      about += `; the policy aims at ${target} per replica`;
    }
    chart(figure(into, 'Connections' + named, about), 'connections ' + s.name, 140, data, lines, { text: plot.short }, { says: `at most ${plot.short(most(s.connections))}.` });
  };

  const requests = s => {
    const target = s.policy?.targets?.find(t => t.metric === 'requestRate')?.value;
    if (!known(s.rate) || !(several || target || some(s.errors))) return;
    const lines = [line('arrived', 'blue', { width: 1.75 })], data = [middles, pad(s.rate)];
    if (some(s.errors)) { lines.push(rare('failed', 'bad')); data.push(pad(s.errors).map(n => n || null)); }
    if (target && known(s.running)) {
      lines.push(line('target × replicas', 'grey', { width: 1.5, dash: [6, 4], paths: stepped }));
      data.push(pad(s.running).map(n => n == null ? null : n * target));
    }
    chart(figure(into, 'Requests at the proxy' + (several ? ' for ' + s.name : ''), 'per second, as HAProxy counts them'), 'requests ' + s.name, 110, data, lines, { text: per },
      { says: `at most ${plot.short(most(s.rate))} per second.` });
  };

  const replicas = s => {
    if (!known(s.running)) return;
    const lines = [
      line('running', 'teal', { ...count, paths: stepped, fill: () => plot.colour('teal-fill'), width: 2 }),
      line('wanted', 'amber', { ...count, paths: stepped, width: 1.5, dash: [4, 3] }),
    ], data = [starts, pad(s.running), pad(s.desired)];
    if (some(s.waiting)) { lines.push(line('starting', 'violet', { ...count, paths: stepped, width: 1.25 })); data.push(pad(s.waiting)); }
    let about = marks.some(m => m.chart === 'replicas ' + s.name) ? 'and the scaler’s decisions' : '';
    let top = 0;
    if (s.policy) {
      about += `; bounds ${s.policy.min} to ${s.policy.max}`;
      top = s.policy.max <= 3 * Math.max(most(s.running), most(s.desired)) ? s.policy.max : 0;
      for (const [label, v] of [['min', s.policy.min], ['max', s.policy.max]]) {
        if (label === 'max' && !top) continue;
        lines.push(line(label, 'grey', { ...count, width: 1, dash: [1, 4] }));
        data.push(starts.map(() => v));
      }
    }
    chart(figure(into, 'Replicas' + (several ? ' of ' + s.name : ''), about), 'replicas ' + s.name, 130, data, lines, {
      text: String, axis: { incrs: [1, 2, 5, 10, 20, 50, 100, 500, 1000], space: 20 }, scale: { range: (_, min, max) => [0, (max ?? 0) + 0.6] },
    }, { says: `at most ${most(s.running)} running.` });
  };

  const workers = () => {
    if (!proxies.some(p => known(p.workers))) return;
    const sum = name => seconds.map((_, i) => proxies.reduce((n, p) => p[name]?.[i] == null ? n : (n ?? 0) + p[name][i], null));
    const all = sum('workers'), reloads = proxies.reduce((n, p) => n + p.reloads.length, 0);
    const f = figure(into, 'HAProxy’s workers', `of ${proxies.length > 1 ? proxies.length + ' proxies' : proxies[0].instance}; ${reloads === 0 ? 'no reload' : reloads === 1 ? 'one reload' : reloads + ' reloads'}`);
    chart(f, 'workers', 76, [starts, all, sum('draining')], [
      line('workers', 'blue', { ...count, paths: stepped, width: 2, fill: () => plot.colour('blue-fill') }), line('draining', 'amber', { ...count, paths: stepped, dash: [4, 3] }),
    ], { text: String, axis: { incrs: [1, 2, 5, 10, 20, 50], space: 16 }, scale: { range: (_, min, max) => [0, (max ?? 0) + 0.6] } }, { says: `at most ${most(all)}.` });
  };

  rate();
  latencies();
  held();
  for (const s of services) { connections(s); requests(s); replicas(s); }
  workers();
  const dist = document.getElementById('distribution');
  const shades = ['blue', 'teal', 'amber', 'pink', 'violet', 'grey'];
  const curves = [{ name: 'all', curve: result.curve, tone: 'ink', width: 2.25 }];
  if (result.phases.length > 1 && result.phases.length <= 12) {
    result.phases.forEach((p, i) => curves.push({ name: p.name, curve: p.curve, tone: shades[i % 6], dash: i < 6 ? undefined : [5, 3] }));
  }
  plot.quantiles(figure(dist, 'Latency', 'by share of the requests that were at least as fast, each step of the axis a tenth of what was left'), curves.filter(c => c.curve?.length));
  if (!dist.querySelector('figure')) dist.remove();
  plot.listen();
})();
