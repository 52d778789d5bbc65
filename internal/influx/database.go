package influx

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// isMissingDatabase says that InfluxDB 1.8 does not have the database: it has lost its disk, or is new. 2.x answers 404
// too when the bucket is missing, with another text; buckets are not made here.
func isMissingDatabase(err error) bool {
	return status(err) == http.StatusNotFound && strings.Contains(err.Error(), "database not found")
}

// createDatabase makes the database, as InfluxDB 1.8 never does on its own: without it every point waits for ever. It is
// asked once per answer "database not found"; the pauses between attempts bound that. The retention policy, when it is
// not the default one, is for the operator to make: how long to keep data is not ours to say.
func (s *Sender) createDatabase(ctx context.Context) bool {
	name, _ := s.cfg.database()
	if err := s.post(ctx, `CREATE DATABASE "`+strings.ReplaceAll(name, `"`, `\"`)+`"`); err != nil {
		s.log.Warn().Err(err).Str("database", name).Msg("database is missing and cannot be created")
		return false
	}
	s.log.Info().Str("database", name).Msg("database was missing and is created")
	return true
}

// post sends one InfluxQL statement.
func (s *Sender) post(ctx context.Context, statement string) error {
	form := url.Values{"q": {statement}}.Encode()
	target := strings.TrimSuffix(s.cfg.URL, "/") + "/query"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if s.cfg.Token != "" {
		req.Header.Set("Authorization", "Token "+s.cfg.Token)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	// An error of the statement itself comes with status 200.
	if resp.StatusCode != http.StatusOK || strings.Contains(string(answer), `"error"`) {
		return wrapStatus("create database", resp.StatusCode, answer)
	}
	return nil
}
