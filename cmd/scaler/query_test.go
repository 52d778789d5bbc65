package main

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Rules of several services share one query a tick, whatever their metrics and windows.
func TestOneQueryATickForAllServicesAndRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		two, three := demo(2, "metric.1=sessions", "metric.2=queue", "target.2=5", "window.2=30s"), demo(1, "metric=responseTime", "window=1m")
		two.ID, two.Name, three.ID, three.Name = "id2", "two", "id3", "three"
		r := newRig(demo(3), two, three)
		r.seconds(t, 5)
		if n := len(r.influx.reaches); n != 5 {
			t.Errorf("%d queries in 5 ticks", n)
		}
	})
}

// A proxy that could not write keeps its points, and sends them a little after InfluxDB answers again.
func TestPointsThatComeLateAfterAnOutageAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(demo(3))
		r.load["demo_app"] = 290
		r.seconds(t, 10)
		stopped := time.Now()
		r.influx.failure, r.load = errors.New("connection refused"), map[string]float64{}
		r.seconds(t, 60)
		r.influx.failure = nil
		r.seconds(t, 5)
		for at := stopped; at.Before(time.Now()); at = at.Add(time.Second) {
			r.influx.write("demo_app", "proxy-1", at, 290)
		}
		r.load["demo_app"] = 290
		r.seconds(t, 20)
		read := 0
		for _, s := range r.loop.feed.samples.of("demo_app") {
			for _, p := range s.Points {
				if s.Metric == "sessions" && p.At.After(stopped) && p.At.Before(stopped.Add(60*time.Second)) {
					read++
				}
			}
		}
		if read < 59 {
			t.Errorf("%d points of the outage of a minute were read", read)
		}
		r.seconds(t, 40)
		if last := r.influx.reaches[len(r.influx.reaches)-1]; last > widest {
			t.Errorf("long after the outage a query reaches back %s", last)
		}
	})
}
