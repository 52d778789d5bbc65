package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// proxyStats is what a proxy answers on /v1/stats, as far as it matters here.
type proxyStats struct {
	Instance string `json:"instance"`
	Backends map[string]struct {
		Service string       `json:"service"`
		Points  []statsPoint `json:"points"`
	} `json:"backends"`
}

// statsPoint are the time in Unix milliseconds, scur_mean, scur_max, req_rate_mean, qcur, errors, arrived, done, sent and
// waited. What is null, or not there because the proxy is older, is NaN; what a newer one says besides is passed over.
type statsPoint [10]float64

// statsColumns are the places of a point. The proxy has chosen between the counters of HTTP and TCP, and has added up the
// times, as the scaler does with the fields in InfluxDB.
var statsColumns = [...]struct {
	place int
	column
}{{1, scurMean}, {3, reqRateMean}, {4, qcur}, {5, answers5xx}, {6, stot}, {7, reqTot}, {8, bout}, {9, allTimes}}

// latest is the last time that a point may have, in Unix milliseconds: the year 2100.
const latest = 4102444800000

// UnmarshalJSON is part of json.Unmarshaler.
func (p *statsPoint) UnmarshalJSON(data []byte) error {
	text := strings.TrimSpace(string(data))
	if len(text) < 2 || text[0] != '[' {
		return errors.New("a point is no list")
	}
	for i := range p {
		p[i] = math.NaN()
	}
	for i, word := range strings.Split(text[1:len(text)-1], ",") {
		if i == len(p) {
			break
		}
		if word = strings.TrimSpace(word); word == "null" || word == "" {
			continue
		}
		v, err := strconv.ParseFloat(word, 64)
		if err != nil || !(v >= 0) || math.IsInf(v, 0) {
			return fmt.Errorf("a point has %q", word)
		}
		p[i] = v
	}
	if !(p[0] >= 0 && p[0] <= latest) {
		return errors.New("a point has no time")
	}
	return nil
}

// parseStats reads an answer. One that breaks off is an error, not a shorter one.
func parseStats(r io.Reader) (proxyStats, error) {
	var s proxyStats
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		return proxyStats{}, fmt.Errorf("read stats: %w", err)
	}
	if s.Instance == "" {
		return proxyStats{}, errors.New("read stats: the proxy has no name")
	}
	return s, nil
}

// newest is the time of the newest point, 0 without any.
func (s proxyStats) newest() int64 {
	var newest int64
	for _, b := range s.Backends {
		for _, p := range b.Points {
			newest = max(newest, int64(p[0]))
		}
	}
	return newest
}

// into adds the points to the samples. The servers of a backend that services share stand there as backend/server.
func (s proxyStats) into(samples *samples) {
	for name, b := range s.Backends {
		if b.Service == "" {
			continue
		}
		from := track{proxy: s.Instance}
		from.backend, from.server, _ = strings.Cut(name, "/")
		for _, p := range b.Points {
			for _, c := range statsColumns {
				samples.put(b.Service, from, time.UnixMilli(int64(p[0])), c.column, p[c.place])
			}
		}
	}
}
