package influx

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
)

// Config says which InfluxDB, and where in it.
type Config struct {
	URL    string // http://host:8086; a path in front of the API is kept
	Token  string // 1.8: "user:password", or "" without authentication
	Org    string // 1.8: ""
	Bucket string // 1.8: "database/retention policy"
}

// Validate names what is wrong.
func (c Config) Validate() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return fmt.Errorf("parse InfluxDB URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("parse InfluxDB URL: want http://host:port, got %q", c.URL)
	case c.Bucket == "":
		return errors.New("bucket of InfluxDB is empty")
	}
	return nil
}

// database is the part of the bucket that 1.8 knows as database, and the retention policy behind it.
func (c Config) database() (name, policy string) {
	name, policy, _ = strings.Cut(c.Bucket, "/")
	return name, policy
}

// newHTTPClient bounds every request, since a hung server answers never. Each client has connections of its own and
// leaves none behind: close them with CloseIdleConnections.
func newHTTPClient(timeout time.Duration) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 2
	return &http.Client{Timeout: timeout, Transport: t}
}

func newClient(c Config, h *http.Client) influxdb2.Client {
	base := strings.TrimSuffix(c.URL, "/") + "/"
	return influxdb2.NewClientWithOptions(base, c.Token, influxdb2.DefaultOptions().SetHTTPClient(h).SetLogLevel(0))
}
