package influx

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/influxdata/influxdb-client-go/v2/api"
	"github.com/influxdata/influxdb-client-go/v2/api/query"
)

// Record is one row of an answer.
type Record struct {
	Time  time.Time // _time; zero when the query dropped it
	Value float64   // _value
	Field string    // _field; "" when the query dropped it
	Tags  map[string]string
}

// Reader asks InfluxDB in Flux.
type Reader struct {
	http  *http.Client
	query api.QueryAPI
}

// queryTimeout bounds a query whose context has no deadline.
const queryTimeout = 30 * time.Second

// NewReader makes a Reader. It connects to nothing before the first Query.
func NewReader(cfg Config) *Reader {
	h := newHTTPClient(queryTimeout)
	return &Reader{http: h, query: newClient(cfg, h).QueryAPI(cfg.Org)}
}

// Close gives back the connections.
func (r *Reader) Close() { r.http.CloseIdleConnections() }

// Query returns all rows of all tables of an answer. Rows without a number in _value are left out. The error is
// errors.Is the context's when that ended.
func (r *Reader) Query(ctx context.Context, flux string) ([]Record, error) {
	result, err := r.query.Query(ctx, flux)
	if err != nil {
		return nil, fmt.Errorf("query InfluxDB: %w", err)
	}
	defer result.Close()
	var records []Record
	for result.Next() {
		if rec, ok := newRecord(result.Record()); ok {
			records = append(records, rec)
		}
	}
	if err := result.Err(); err != nil {
		return nil, fmt.Errorf("query InfluxDB: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("query InfluxDB: %w", err)
	}
	return records, nil
}

// newRecord converts a row. Texts that are not InfluxDB's own columns are tags.
func newRecord(row *query.FluxRecord) (Record, bool) {
	rec := Record{Tags: map[string]string{}}
	found := false
	for name, v := range row.Values() {
		switch name {
		case "_value":
			rec.Value, found = number(v)
		case "_time":
			rec.Time, _ = v.(time.Time)
		case "_field":
			rec.Field, _ = v.(string)
		case "result", "table", "_start", "_stop", "_measurement":
		default:
			if text, ok := v.(string); ok {
				rec.Tags[name] = text
			}
		}
	}
	return rec, found
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return 0, false
}
