package main

const simulation = `# Simulating labels before they are used

` + "`scaler simulate --labels FILE --trace FILE`" + ` runs the very same evaluation as the scaler, second by second, against a load and a model of the service. ` + "`FILE`" + ` is a stack file or lines of ` + "`key=value`" + `; the trace is a CSV that begins with ` + "`seconds,sessions`" + ` (open at a moment) or ` + "`seconds,requests`" + ` (arriving in a second). Without them, the defaults meet generated loads. ` + "`--from-influx SERVICE --past 6h`" + ` replays what the proxies measured of a service, and shows what the scaler did about it beside what these labels would have done. ` + "`--out DIR`" + ` writes every second as CSV, and one HTML file with the picture. ` + "`scaler check stack.yml`" + ` says before that what is wrong with the labels, with file and line.

The model is simple. A replica carries ` + "`--capacity`" + `, serves ` + "`--start`" + ` after it was ordered, and costs from the order until it is stopped. What is more than the serving replicas carry waits: requests first come, first served; sessions as long as they are too many. A second at whose end something waits is an overload second. Before the load, everything has been running for ever.

Four stand beside the labels on the same load, with the same metric and the same target:

- **minimum** knows the future and lets nothing wait. Nobody who lets nothing wait can pay less; a test compares it with all ways there are.
- **HPA**, the HorizontalPodAutoscaler of Kubernetes with its default behaviour: every 15 s, tolerance 0.1, up by 4 or 100 % in 15 s, down to the highest recommendation of 5 minutes.
- **Knative**, its pod autoscaler: every 2 s, windows of 60 s and 6 s, panic at 200 %.
- **docker-scaler** behind Prometheus and Alertmanager as in its tutorial: up by 2, down by 1, every 5 minutes while an alert lasts.

The loads, in replicas that would carry them: **wave**, a day between 2 and 12; **step**, 3, then 9, then 3; **spike**, 3 with 90 s at 10; **sawtooth**, ramps of 20 minutes from 2 to 10 that break off; **flash**, a crowd that comes from 2 to 20 in half a minute and leaves slowly. All are noisy, and every row adds up three noises.
`

const caveats = `
The defaults of tolerance, stabilizeDown, cooldownDown, rateUp and panicThreshold were chosen by this table. More cautious ones, ` + "`tolerance=0.1`" + `, ` + "`stabilizeDown=3m`" + `, ` + "`cooldownDown=1m`" + `, ` + "`rateUp=4/15s,100%/15s`" + ` and ` + "`panicThreshold=200%`" + `, cost more and come later on every load:

| defaults, more cautious | wave | step | spike | sawtooth | flash |
|---|---|---|---|---|---|
| cost, of minimum | 1.117, 1.135 | 1.080, 1.108 | 1.077, 1.231 | 1.119, 1.214 | 1.108, 1.219 |
| overload seconds | 8, 71 | 40, 87 | 116, 249 | 33, 263 | 105, 143 |

What the tables do not say:

- The goal is a sum over noises. On a single one, where a day has a handful of overload seconds, others may have as few.
- With noises that had no part in the choice (` + "`--seed 101 --noises 5`" + `) the sawtooth is a tie, 67 overload seconds of Knative and of these defaults; the other loads are as above.
- A target is spare capacity, and is paid for. Here it is 85 % of what a replica carries; with 80 % the wave and the sawtooth are 18 % above the minimum and the step is 16 %, and fewer seconds are overloaded.
- Nothing but starting earlier helps against a slow start. With ` + "`--start 30s`" + ` the sawtooth has 245 overload seconds, docker-scaler 228, which pays nearly half as much again; by requests a second it is 300 to 299.
- Knative pays up to 5 points less than these defaults, and changes the replicas more often: on the wave nearly twenty times.
- The other scalers see every second at once, as ours does. Where they run, a metrics pipeline delays them.
`
