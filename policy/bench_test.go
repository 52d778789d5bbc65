package policy_test

import (
	"fmt"
	"testing"
	"time"

	"sluice/policy"
)

// One tick of 1,000 services behind three proxies, each with two minutes of points.
func BenchmarkThousandServices(b *testing.B) {
	p := parse(b, map[string]string{"com.df.scale.max": "20", "com.df.scale.target": "50"})
	in := policy.Input{Replicas: 5, Replicated: true}
	for range 5 {
		in.Tasks = append(in.Tasks, policy.Task{Running: true, Since: epoch.Add(-time.Hour)})
	}
	for proxy := range 3 {
		s := policy.Series{Metric: "sessions", Proxy: fmt.Sprint("proxy-", proxy), Backend: "go-demo-be8080_1"}
		for back := 120; back >= 0; back-- {
			s.Points = append(s.Points, policy.Point{At: epoch.Add(-time.Duration(back) * time.Second), Value: 80 + float64(back%9)})
		}
		in.Series = append(in.Series, s)
	}
	b.Run("evaluate", func(b *testing.B) {
		st := p.Resume(epoch, in, epoch)
		b.ReportAllocs()
		for b.Loop() {
			for range 1000 {
				p.Evaluate(epoch, in, st)
			}
		}
	})
	b.Run("resume", func(b *testing.B) {
		for b.Loop() {
			for range 1000 {
				p.Resume(epoch, in, epoch)
			}
		}
	})
}
